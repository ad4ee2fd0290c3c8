// Other ways to a top eigenvector in one pass, to compare with.

import CVectorKernels
public import LinearAlgebra
import Numerics
public import Tensors

/// Oja's rule: v ← v + η a (aᵀv) for each row a, at one rate η.
///
/// - Source: Oja, "Simplified neuron model as a principal component analyzer", J. Math. Biol. 15 (1982).
public struct OjaStream<Scalar: LinearScalar>: Sendable {
  public let rate: Double
  private var direction: Tensor<Scalar>
  /// log(‖v‖ / ‖v at first‖).
  public private(set) var logGrowth = 0.0

  /// - Throws: `InvalidArgument` unless dimension and rate are positive.
  public init(dimension: Int, rate: Double, seed: UInt64 = 1) throws {
    guard dimension >= 1 else { throw InvalidArgument("dimension", found: "\(dimension)", wanted: "at least 1") }
    guard rate > 0, rate.isFinite else { throw InvalidArgument("rate", found: "\(rate)", wanted: "above 0") }
    self.rate = rate
    var random = RandomStream(seed: seed)
    direction = random.sphere([dimension])
  }

  /// Takes the next rows, of shape [n, d].
  public mutating func observe(_ rows: Tensor<Scalar>) throws {
    try requireRows(rows, direction.count)
    let dense = rows.dense
    let d = direction.count
    let kernels = sketchingKernels(Scalar.self)
    let rate = Scalar(self.rate)
    var growth = 0.0
    direction.withUnsafeMutableBuffer { v in
      dense.withUnsafeBuffer { rows in
        let v = v.baseAddress!
        var (square, product): (Scalar, Scalar) = (0, 0)
        for i in 0..<rows.count / d {
          let row = rows.baseAddress! + i * d
          kernels.row_products(row, 1, d, v, &square, &product)
          var coefficient = rate * product
          kernels.add_combination(row, 1, d, &coefficient, 0, d, v)
          // Often enough that nothing overflows: a row multiplies the length by at most 1 + η ‖a‖².
          growth += Self.normalize(v, d)
        }
      }
    }
    logGrowth += growth
  }

  private static func normalize(_ v: UnsafeMutablePointer<Scalar>, _ count: Int) -> Double {
    let length = Scalar.sqrt(Scalar.dot(v, strideA: 1, v, strideB: 1, count: count))
    guard length > 0 else { return 0 }
    var factor = 1 / length
    Scalar.apply(.multiply, v, strideA: 1, &factor, strideB: 0, v, count: count)
    return Double(Scalar.log(length))
  }

  /// v, of length one.
  public var vector: Tensor<Scalar> { direction }
}

/// Oja's rule at a grid of rates, of which the smallest that grew enough is taken.
///
/// - Source: Price and Xun, "Spectral guarantees for adversarial streaming PCA", FOCS 2024. The growth d¹⁰ is theirs.
public struct PriceXunStream<Scalar: LinearScalar>: Sendable {
  private var streams: [OjaStream<Scalar>]
  private let dimension: Int

  /// - Parameter rates: increasing; a grid of powers of two, for instance.
  public init(dimension: Int, rates: [Double], seed: UInt64 = 1) throws {
    guard !rates.isEmpty else { throw InvalidArgument("rates", found: "none", wanted: "at least one") }
    self.dimension = dimension
    streams = try rates.sorted().map { try OjaStream(dimension: dimension, rate: $0, seed: seed) }
  }

  public mutating func observe(_ rows: Tensor<Scalar>) throws {
    for i in streams.indices { try streams[i].observe(rows) }
  }

  /// The stream whose rate is the smallest with a growth of d¹⁰, or else the one that grew most.
  public var chosen: OjaStream<Scalar> {
    let needed = 10 * Double.log(Double(dimension))
    return streams.first { $0.logGrowth >= needed } ?? streams[streams.count - 1]
  }
  public var vector: Tensor<Scalar> { chosen.vector }
}

/// A matrix B of few rows with BᵀB ≈ AᵀA for any order of the rows: 0 <= AᵀA - BᵀB <= errorBound.
///
/// - Source: Ghashami, Liberty, Phillips and Woodruff, "Frequent directions", SIAM J. Comput. 45 (2016).
public struct FrequentDirections<Scalar: LinearScalar>: Sendable {
  public let dimension: Int
  /// The most rows held, at least two.
  public let rows: Int
  private var buffer: Tensor<Scalar>
  /// The norm of AᵀA - BᵀB is at most this, the sum of what was subtracted.
  public private(set) var errorBound = 0.0
  public private(set) var rowCount = 0

  public init(dimension: Int, rows: Int) {
    precondition(dimension >= 1 && rows >= 2, "frequent directions of dimension \(dimension) with \(rows) rows")
    (self.dimension, self.rows) = (dimension, rows)
    buffer = .zeros([rows, dimension])
  }

  /// - Throws: `InvalidArgument` for rows of another length or numbers that are not finite.
  public mutating func observe(_ more: Tensor<Scalar>) throws {
    try requireRows(more, dimension)
    observeTrusted(more)
  }

  mutating func observeTrusted(_ more: Tensor<Scalar>) {
    var next = 0
    while next < more.rows {
      if rowCount == rows { shrink() }
      let count = min(rows - rowCount, more.rows - next)
      buffer[rowCount..<rowCount + count, .all] = more[next..<next + count, .all]
      rowCount += count
      next += count
    }
  }

  /// Subtracts the square of the middle singular value from all, which empties half of the rows.
  private mutating func shrink() {
    guard let svd = try? SingularValueDecomposition(of: buffer) else { return }
    let kept = rows / 2
    let values = svd.values.scalars
    let delta = kept < values.count ? values[kept] * values[kept] : 0
    errorBound += Double(delta)
    let count = min(kept, values.count)
    let shrunk = Tensor(values.prefix(count).map { Scalar.sqrt(max(0, $0 * $0 - delta)) })
    buffer = .zeros([rows, dimension])
    buffer[0..<count, .all] = (svd.right[.all, 0..<count] * shrunk).transposed
    rowCount = count
  }

  /// B, of shape [rowCount, d].
  public var sketch: Tensor<Scalar> { buffer[0..<rowCount, .all].dense }

  /// The top right singular vector of B.
  public func vector() throws -> Tensor<Scalar> { try topVector(of: sketch) }
}

/// A uniform sample of the rows of a stream.
///
/// - Source: Vitter, "Random sampling with a reservoir", ACM TOMS 11 (1985).
public struct RowReservoir<Scalar: LinearScalar>: Sendable {
  private var kept: [Tensor<Scalar>] = []
  private var seen = 0
  private let size: Int
  private let dimension: Int
  private var random: RandomStream

  public init(dimension: Int, rows: Int, seed: UInt64 = 1) {
    precondition(dimension >= 1 && rows >= 1, "a reservoir of \(rows) rows of length \(dimension)")
    (self.dimension, size, random) = (dimension, rows, RandomStream(seed: seed))
  }

  public mutating func observe(_ rows: Tensor<Scalar>) throws {
    try requireRows(rows, dimension)
    for i in 0..<rows.rows {
      seen += 1
      if kept.count < size {
        kept.append(rows[i].copied())
      } else {
        let place = Int.random(in: 0..<seen, using: &random)
        if place < size { kept[place] = rows[i].copied() }
      }
    }
  }

  /// The top right singular vector of the sample.
  public func vector() throws -> Tensor<Scalar> {
    try topVector(of: kept.isEmpty ? .zeros([0, dimension]) : .stacked(kept))
  }
}

private func topVector<Scalar: LinearScalar>(of rows: Tensor<Scalar>) throws -> Tensor<Scalar> {
  guard rows.count > 0, rows.absolute().maximum().scalar > 0 else {
    throw InvalidArgument("stream", found: "no row that is not zero", wanted: "at least one")
  }
  return try SingularValueDecomposition(of: rows).right[.all, 0].dense
}

private func requireRows<Scalar: LinearScalar>(_ rows: Tensor<Scalar>, _ dimension: Int) throws {
  guard rows.rank == 2, rows.columns == dimension else {
    throw InvalidArgument("rows", found: "shape \(rows.shape)", wanted: "shape [n, \(dimension)]")
  }
  try rows.requireFinite("rows")
}
