import CVectorKernels
public import LinearAlgebra
import Numerics
public import Tensors

/// The top eigenvector of AᵀA from one pass over the rows of A in random order, in the memory of a few rows.
///
/// Rows are heavy or light by their norm. Heavy ones, ‖a‖² >= c ‖A‖_F² / (4 d), are few and kept as they are. The light
/// ones of a block stand for all light ones, so that each block makes one step of the power method: with T = ⌈2 ln d⌉
/// blocks, z converges for a constant gap σ₁² / σ₂². At the end both parts are joined.
///
/// ```swift
/// var stream = try TopEigenvectorStream<Double>(dimension: 512, expectedRows: 1_000_000)
/// while let rows = try reader.next(atMost: 4_096, as: Double.self) { try stream.observe(rows) }
/// let top = try stream.finish()
/// top.vector, top.eigenvalueEstimate
/// ```
///
/// Rows may be fed one by one or many at once: the result is the same to the last bit. Rows sorted by a property that
/// matters break the assumption, and the result.
///
/// - Complexity: O(d) a row; memory for the heavy rows, 2 T rows at the start, and five vectors.
/// - Source: Kacham and Woodruff, "Approximating the top eigenvector in random order streams", NeurIPS 2024, algorithm 2.
///   The thresholds, the replay of rows that turn out light, and the joined result are ours.
public struct TopEigenvectorStream<Scalar: LinearScalar>: Sendable {
  /// How the heavy and the light part give one vector.
  public enum Merge: String, Sendable, Hashable, CaseIterable {
    /// The top singular vector of the heavy rows and √λ zᵀ together: same memory, better.
    case ranked
    /// The paper's: that of the part with the larger eigenvalue.
    case paper
  }

  public let dimension: Int
  public let merge: Merge
  /// How many eigenvectors are wanted.
  public let count: Int
  private let heavyConstant: Double
  private let mostHeavy: Int
  private let isLengthKnown: Bool
  private let blocksWanted: Int
  private let normSampling: Double?
  private var random: RandomStream

  /// The rows that the stream is thought to have; doubled when it turns out longer.
  private var expectedRows: Int
  private var observed = 0
  /// Σ‖a‖², of all rows and of those that are held as heavy.
  public private(set) var energy = 0.0
  public private(set) var heavyEnergy = 0.0
  /// z, of shape [d, count].
  private var direction: Tensor<Scalar>
  private var sum: Tensor<Scalar>
  private var blockRows = 0
  private var lastEigenvalues: [Double] = []
  private var history: [Double] = []
  private var correlations: [Double] = []
  private var heavy = HeavyRows<Scalar>()
  private var overflow: FrequentDirections<Scalar>?
  /// The first rows, in case there are no more.
  private var head: [Tensor<Scalar>] = []
  private var headRows = 0
  private var mostVectors = 0

  /// - Parameters:
  ///   - expectedRows: the length of the stream; without it, 32 d is assumed and doubled as needed.
  ///   - gapHint: σ₁² / σ₂² if it is known: fewer blocks for a large one.
  ///   - heavyConstant: c; more memory and less variance for a smaller one.
  ///   - normSampling: c' with which light rows are kept with probability min(1, c' d ‖a‖² / ‖A‖_F²) and scaled, for
  ///     streams of which most rows are tiny; without, all are.
  ///   - mostHeavy: heavy rows beyond this many are compressed.
  ///   - start: z at first, of shape [d]; random without.
  /// - Throws: `InvalidArgument` for settings out of range.
  public init(
    dimension: Int, count: Int = 1, expectedRows: Int? = nil, gapHint: Double? = nil, heavyConstant: Double = 1,
    normSampling: Double? = nil, mostHeavy: Int? = nil, merge: Merge = .ranked, start: Tensor<Scalar>? = nil,
    seed: UInt64 = 1
  ) throws {
    guard dimension >= 1 else { throw InvalidArgument("dimension", found: "\(dimension)", wanted: "at least 1") }
    guard (1...dimension).contains(count) else {
      throw InvalidArgument("count", found: "\(count)", wanted: "1 through \(dimension), the length of a row")
    }
    if let expectedRows, expectedRows < 1 {
      throw InvalidArgument("expectedRows", found: "\(expectedRows)", wanted: "at least 1")
    }
    if let gapHint, !(gapHint > 1) { throw InvalidArgument("gapHint", found: "\(gapHint)", wanted: "above 1") }
    guard heavyConstant > 0, heavyConstant.isFinite else {
      throw InvalidArgument("heavyConstant", found: "\(heavyConstant)", wanted: "above 0")
    }
    if let mostHeavy, mostHeavy < 4 { throw InvalidArgument("mostHeavy", found: "\(mostHeavy)", wanted: "at least 4") }
    if let normSampling, !(normSampling > 0 && normSampling.isFinite) {
      throw InvalidArgument("normSampling", found: "\(normSampling)", wanted: "above 0")
    }
    let d = Double(dimension)
    let blocks = gapHint.map { Double.log(d / 0.01) / Double.log($0) + 1 } ?? 2 * Double.log(d)
    (self.dimension, self.count, self.merge, self.heavyConstant) = (dimension, count, merge, heavyConstant)
    blocksWanted = max(2, Int(min(blocks, 1_000).rounded(.up)))
    self.expectedRows = expectedRows ?? max(1_024, 32 * dimension)
    isLengthKnown = expectedRows != nil
    self.mostHeavy = mostHeavy ?? .max
    self.normSampling = normSampling
    var random = RandomStream(seed: seed)
    self.random = random.split()
    if let start {
      guard start.shape == [dimension], count == 1, start.isFinite, start.norm().scalar > 0 else {
        throw InvalidArgument("start", found: "shape \(start.shape)", wanted: "shape [\(dimension)], finite, not zero")
      }
      direction = (start / start.norm().scalar).reshaped([dimension, 1])
    } else {
      direction = try QRDecomposition(of: random.normal([dimension, count], of: Scalar.self)).orthogonal.dense
    }
    sum = .zeros([dimension, count])
  }

  /// The rows seen so far.
  public var rowCount: Int { observed }
  private var blockLength: Int { max(1, expectedRows / blocksWanted) }
  /// An estimate of ‖A‖_F² of the whole stream.
  private var expectedEnergy: Double { energy * Double(expectedRows) / Double(max(observed, 1)) }

  /// Takes the next row, of shape [d], or rows, of shape [n, d].
  ///
  /// - Throws: `InvalidArgument`, with the row's number in the stream, for another length or numbers that are not finite;
  ///   the stream is then as before.
  public mutating func observe(_ rows: Tensor<Scalar>) throws {
    let rows = rows.rank == 1 ? rows.expanded(axis: 0) : rows
    guard rows.rank == 2, rows.columns == dimension else {
      throw InvalidArgument("row \(observed)", found: "shape \(rows.shape)", wanted: "\(dimension) numbers a row")
    }
    let dense = rows.dense
    guard dense.isFinite else {
      let bad = (0..<dense.rows).first { !dense[$0].isFinite } ?? 0
      throw InvalidArgument("row \(observed + bad)", found: "numbers that are not finite", wanted: "finite ones")
    }
    var next = 0
    while next < dense.rows {
      if observed == expectedRows { expectedRows *= 2 }
      // Up to where something else is due: the end of a block, a look at the heavy rows, or of what is expected.
      let due = min(blockLength - blockRows, 1_000 - observed % 1_000, expectedRows - observed)
      let part = next..<min(dense.rows, next + max(due, 1))
      absorb(dense[part, .all].dense)
      next = part.upperBound
      if observed.isMultiple(of: 1_000) { replay() }
      if blockRows >= blockLength { finishBlock() }
    }
  }

  /// The same for a sparse matrix of rows.
  public mutating func observe(_ rows: SparseMatrix<Scalar>) throws {
    guard rows.columns == dimension else {
      throw InvalidArgument("row \(observed)", found: "shape \(rows.shape)", wanted: "\(dimension) numbers a row")
    }
    let stored = rows.stored(by: .rows)
    let batch = max(1, (1 << 16) / dimension)
    for first in stride(from: 0, to: rows.rows, by: batch) {
      try observe(stored[rows: first..<min(first + batch, rows.rows)].dense)
    }
  }

  private mutating func absorb(_ rows: Tensor<Scalar>) {
    keepHead(rows)
    let n = rows.rows
    let (squares, products) = productsWithDirection(rows)
    var coefficients = products
    let squareScalars = squares.scalars
    var heavyRows: [Int] = []
    var probabilities: [Double] = []
    for i in 0..<n {
      let square = Double(squareScalars[i])
      observed += 1
      energy += square
      if square >= heavyConstant / 4 * expectedEnergy / Double(dimension), square > 0 { heavyRows.append(i) }
      // By what is known at this row, so that it does not matter how many come at a time.
      if let normSampling { probabilities.append(min(1, normSampling * Double(dimension) * square / expectedEnergy)) }
    }
    for i in heavyRows {
      coefficients[i] = Tensor(repeating: 0, shape: [count])
      heavyEnergy += Double(squareScalars[i])
      heavy.append(rows[i], square: Double(squareScalars[i]))
    }
    if normSampling == nil { add(rows, coefficients) } else { addSampled(rows, coefficients, probabilities) }
    blockRows += n
    if heavy.count > mostHeavy { compressHeavy() }
    mostVectors = max(mostVectors, memoryVectors)
  }

  private mutating func keepHead(_ rows: Tensor<Scalar>) {
    let most = 2 * blocksWanted
    if headRows >= 0 && headRows + rows.rows < most {
      head.append(rows.copied())
      headRows += rows.rows
    } else {
      head = []
      headRows = -1
    }
  }

  /// ‖a‖² of each row, and A z, of shape [rows, count].
  private func productsWithDirection(_ rows: Tensor<Scalar>) -> (squares: Tensor<Scalar>, products: Tensor<Scalar>) {
    guard count == 1 else { return (rows.sumOfSquares(axes: [1]), rows.matmul(direction)) }
    let kernels = sketchingKernels(Scalar.self)
    var both = Tensor<Scalar>.zeros([2, rows.rows])
    let (n, d) = (rows.rows, dimension)
    both.withUnsafeMutableBuffer { both in
      let results = both.baseAddress!
      rows.withUnsafeBuffer { rows in
        direction.withUnsafeBuffer { z in
          let (from, z) = (rows.baseAddress!, z.baseAddress!)
          parallelRanges(n, grain: max(16, (1 << 15) / d)) { range in
            kernels.row_products(
              from + range.lowerBound * d, range.count, d, z, results + range.lowerBound, results + n + range.lowerBound
            )
          }
        }
      }
    }
    return (both[0], both[1].reshaped([n, 1]))
  }

  /// The same with rows of small norm kept at random, and made longer.
  private mutating func addSampled(
    _ rows: Tensor<Scalar>, _ coefficients: Tensor<Scalar>, _ probabilities: [Double]
  ) {
    var kept: [Int] = []
    for (i, probability) in probabilities.enumerated()
    where Double.random(in: 0..<1, using: &random) < probability { kept.append(i) }
    guard !kept.isEmpty else { return }
    let places = Tensor(kept)
    let scales = Tensor(kept.map { Scalar(1 / probabilities[$0]) }).expanded(axis: 1)
    add(rows.gathered(places), coefficients.gathered(places) * scales)
  }

  /// sum += Aᵀ coefficients.
  private mutating func add(_ rows: Tensor<Scalar>, _ coefficients: Tensor<Scalar>) {
    guard count == 1 else {
      sum += rows.matmul(coefficients, transposingA: true)
      return
    }
    let kernels = sketchingKernels(Scalar.self)
    let (n, d) = (rows.rows, dimension)
    sum.withUnsafeMutableBuffer { sum in
      let result = sum.baseAddress!
      rows.withUnsafeBuffer { rows in
        coefficients.withUnsafeBuffer { coefficients in
          let (from, coefficients) = (rows.baseAddress!, coefficients.baseAddress!)
          parallelRanges(d, grain: max(64, (1 << 15) / n)) { range in
            kernels.add_combination(from, n, d, coefficients, range.lowerBound, range.upperBound, result)
          }
        }
      }
    }
  }

  /// Rows that are no longer heavy, now that more of the stream is known, join the light ones of this block.
  private mutating func replay() {
    let threshold = heavyConstant / 8 * expectedEnergy / Double(dimension)
    let light = heavy.removeAll { $0 < threshold }
    guard light.rows.rows > 0 else { return }
    heavyEnergy -= light.energy
    add(light.rows, productsWithDirection(light.rows).products)
  }

  /// One step of the power method.
  private mutating func finishBlock() {
    defer {
      blockRows = 0
      sum = .zeros([dimension, count])
    }
    guard blockRows > 0 else { return }
    let scaled = sum * Scalar(Double(expectedRows) / Double(blockRows))
    let next: Tensor<Scalar>
    if count == 1 {
      let length = scaled.norm().scalar
      guard length > 0 else { return }
      next = scaled / length
      lastEigenvalues = [Double(length)]
    } else {
      guard let factors = try? QRDecomposition(of: scaled), factors.upper.diagonal.minimum().scalar > 0 else { return }
      next = factors.orthogonal.dense
      lastEigenvalues = factors.upper.diagonal.scalars.map { Double($0) }
    }
    // Per row, so that a stream of another length than expected can be scaled at the end.
    lastEigenvalues = lastEigenvalues.map { $0 / Double(expectedRows) }
    history.append(lastEigenvalues[0] * Double(expectedRows))
    correlations.append(Double((next[.all, 0] * direction[.all, 0]).sum().absolute().scalar))
    direction = next
  }

  private mutating func compressHeavy() {
    var sketch = overflow ?? FrequentDirections(dimension: dimension, rows: mostHeavy)
    sketch.observeTrusted(heavy.removeAll { _ in true }.rows)
    overflow = sketch
  }

  /// Vectors of length d that are held now.
  public var memoryVectors: Int {
    heavy.count + (overflow?.rowCount ?? 0) + max(headRows, 0) + 3 * count + 2
  }

  /// The result of the rows so far; the stream may go on.
  ///
  /// - Throws: `InvalidArgument` when there were no rows, or only zeros.
  public func finish() throws -> StreamEigenvector<Scalar> {
    var end = self
    return try end.closed()
  }

  private mutating func closed() throws -> StreamEigenvector<Scalar> {
    guard observed > 0 else { throw InvalidArgument("stream", found: "no rows", wanted: "at least one") }
    guard energy > 0 else {
      throw InvalidArgument("stream", found: "rows of zeros only", wanted: "a row that is not zero")
    }
    if headRows >= 0 {
      let all = Tensor.concatenated(head, axis: 0)
      return result(of: all, chosen: .exact)
    }
    if 2 * blockRows >= blockLength || history.isEmpty { finishBlock() }
    let kept = heavy.matrix(columns: dimension)
    let rows = overflow.map { Tensor.concatenated([kept, $0.sketch], axis: 0) } ?? kept
    let eigenvalues = lastEigenvalues.map { $0 * Double(observed) }
    guard !eigenvalues.isEmpty else { return result(of: rows, chosen: .heavy) }
    let roots = Tensor(eigenvalues.map { Scalar($0.squareRoot()) })
    let light = (direction * roots).transposed.dense
    guard merge == .paper, rows.rows > 0 else {
      return result(of: rows.rows > 0 ? .concatenated([rows, light], axis: 0) : light, chosen: .merged)
    }
    let heavyResult = result(of: rows, chosen: .heavy)
    return heavyResult.eigenvalueEstimate >= eigenvalues[0] ? heavyResult : result(of: light, chosen: .light)
  }

  /// The top right singular vectors of a matrix with BᵀB ≈ AᵀA.
  private func result(of rows: Tensor<Scalar>, chosen: StreamEigenvector<Scalar>.Source) -> StreamEigenvector<Scalar> {
    let svd = try? SingularValueDecomposition(of: rows)
    let vectors = svd.map { $0.right[.all, 0..<min(count, $0.values.count)].dense } ?? direction
    let values = svd.map { $0.values.scalars.prefix(count).map { Double($0 * $0) } } ?? []
    return StreamEigenvector(
      vector: vectors[.all, 0].dense, vectors: vectors, eigenvalueEstimates: values, heavyRows: heavy.count,
      isHeavyCompressed: overflow != nil, blocks: history.count, blockEigenvalues: history,
      correlations: correlations, memoryVectors: max(mostVectors, memoryVectors), rows: observed, chosen: chosen,
      endedEarly: isLengthKnown && 2 * observed < expectedRows)
  }
}

/// The rows that are kept as they are.
private struct HeavyRows<Scalar: LinearScalar>: Sendable {
  private var rows: [Tensor<Scalar>] = []
  private var squares: [Double] = []
  var count: Int { rows.count }

  mutating func append(_ row: Tensor<Scalar>, square: Double) {
    rows.append(row.copied())
    squares.append(square)
  }

  /// Takes out the rows of which ‖a‖² satisfies the condition.
  mutating func removeAll(where isRemoved: (Double) -> Bool) -> (rows: Tensor<Scalar>, energy: Double) {
    let removed = squares.indices.filter { isRemoved(squares[$0]) }
    guard !removed.isEmpty else { return (.zeros([0, 0]), 0) }
    let result = (Tensor.stacked(removed.map { rows[$0] }), removed.reduce(0) { $0 + squares[$1] })
    let kept = squares.indices.filter { !isRemoved(squares[$0]) }
    (rows, squares) = (kept.map { rows[$0] }, kept.map { squares[$0] })
    return result
  }

  func matrix(columns: Int) -> Tensor<Scalar> { rows.isEmpty ? .zeros([0, columns]) : .stacked(rows) }
}

/// The top eigenvectors of a stream, and how they were found.
public struct StreamEigenvector<Scalar: LinearScalar>: Sendable {
  /// Which part of the stream the result is from.
  public enum Source: String, Sendable, Hashable {
    case merged, heavy, light
    /// The stream was so short that all of it was kept.
    case exact
  }

  /// The top eigenvector, of length one; its sign is arbitrary.
  public let vector: Tensor<Scalar>
  /// The `count` top ones as columns, of shape [d, count].
  public let vectors: Tensor<Scalar>
  /// Estimates of the eigenvalues of AᵀA, largest first.
  public let eigenvalueEstimates: [Double]
  public var eigenvalueEstimate: Double { eigenvalueEstimates.first ?? 0 }
  public let heavyRows: Int
  /// There were more heavy rows than allowed: they were compressed, at a loss.
  public let isHeavyCompressed: Bool
  /// The steps of the power method.
  public let blocks: Int
  /// ‖z‖ before each normalization: estimates of the eigenvalue of the light part.
  public let blockEigenvalues: [Double]
  /// |cos| of the angle between successive directions.
  public let correlations: [Double]
  /// The most vectors of length d that were held at a time.
  public let memoryVectors: Int
  public let rows: Int
  public let chosen: Source
  /// Less than half of the rows that were announced came.
  public let endedEarly: Bool
  /// The last two directions of the light part correlate by less than 0.7: the gap is small, or too few rows came; the
  /// vector is then not to be trusted unless heavy rows carry it.
  public var gapWarning: Bool { blocks >= 2 && (correlations.last ?? 1) < 0.7 }
}
