public import LinearAlgebra
import Numerics
public import Tensors

/// A few weighted rows of a stream with ‖S A x‖_p ≈ ‖A x‖_p for every x, in one pass and in the memory of the sample.
///
/// For 1 <= p <= 2. A row that comes gets its Lewis weight with respect to what came before, which is no less than the
/// one in the whole stream, and that no less than its sensitivity: its probability is large enough whatever follows. A row
/// draws one number u for good and is kept while u <= w / α; weights fall as more of the stream is known, and α rises
/// when the sample would become too large. Rows may come in any order.
///
/// ```swift
/// var stream = try LpRowStream(p: 1, dimension: 32, rows: 800)
/// while let rows = try reader.next(atMost: 4_096, as: Double.self) { try stream.observe(rows) }
/// let sample = try stream.finish()
/// let small = sample.weightedRows
/// ```
///
/// Rows may be fed one by one or many at once: the result is the same to the last bit.
///
/// - Complexity: O(d²) a row; memory of 2 `rows` + max(512, 4 d) rows, and two matrices of shape [d, d].
/// - Source: Woodruff and Yasuda, "Online Lewis weight sampling", SODA 2023, for the weights; Ting, "Adaptive threshold
///   sampling", SIGMOD 2022, for samples of bounded size. Weights by batches and their refreshment are ours.
public struct LpRowStream: Sendable {
  public let p: Double
  public let dimension: Int
  /// The most rows of the result.
  public let rows: Int
  /// Rows that are taken at a time: what depends on several rows happens at multiples of it.
  private let batch: Int
  private var pending: [Double] = []
  /// Σ w^(1-2/p) a aᵀ over all rows.
  private var information: Tensor<Double>
  private var random: RandomStream
  private var observed = 0
  /// α; zero while everything is kept.
  private var threshold = 0.0
  private var kept = KeptRows()
  private var mostRows = 0

  /// - Parameters:
  ///   - p: between 1 and 2.
  ///   - dimension: the numbers of a row.
  ///   - rows: how many to keep.
  /// - Throws: `InvalidArgument` for settings out of range. Beyond p = 2, weights of rows can rise when more come.
  public init(p: Double, dimension: Int, rows: Int, seed: UInt64 = 1) throws {
    guard (1...2).contains(p) else {
      throw InvalidArgument(
        "p", found: "\(p)", wanted: "1 through 2: beyond, a row may matter more later than at first")
    }
    guard dimension >= 1 else { throw InvalidArgument("dimension", found: "\(dimension)", wanted: "at least 1") }
    guard rows >= 1 else { throw InvalidArgument("rows", found: "\(rows)", wanted: "at least 1") }
    (self.p, self.dimension, self.rows) = (p, dimension, rows)
    batch = max(512, 4 * dimension)
    information = .zeros([dimension, dimension])
    random = RandomStream(seed: seed)
  }

  /// The rows seen so far.
  public var rowCount: Int { observed + pending.count / dimension }

  /// Takes the next row, of shape [d], or rows, of shape [n, d].
  ///
  /// - Throws: `InvalidArgument`, with the row's number in the stream, for another length or numbers that are not finite;
  ///   the stream is then as before.
  public mutating func observe<Scalar: LinearScalar>(_ rows: Tensor<Scalar>) throws {
    let matrix = rows.rank == 1 ? rows.expanded(axis: 0) : rows
    guard matrix.rank == 2, matrix.columns == dimension else {
      throw InvalidArgument("row \(rowCount)", found: "shape \(rows.shape)", wanted: "\(dimension) numbers a row")
    }
    let dense = (matrix as? Tensor<Double> ?? Tensor<Double>(matrix)).dense
    guard dense.isFinite else {
      let bad = (0..<dense.rows).first { !dense[$0].isFinite } ?? 0
      throw InvalidArgument("row \(rowCount + bad)", found: "numbers that are not finite", wanted: "finite ones")
    }
    var next = 0
    while next < dense.rows {
      let part = next..<min(dense.rows, next + batch - pending.count / dimension)
      next = part.upperBound
      if pending.isEmpty && part.count == batch {
        try absorb(dense[part, .all].dense)
        continue
      }
      dense[part, .all].dense.withUnsafeBuffer { pending.append(contentsOf: $0) }
      if pending.count == batch * dimension { try absorbPending() }
    }
  }

  private mutating func absorbPending() throws {
    let rows = Tensor(shape: [pending.count / dimension, dimension], scalars: pending)
    pending.removeAll(keepingCapacity: true)
    try absorb(rows)
  }

  /// A whole batch, or what is left at the end.
  private mutating func absorb(_ rows: Tensor<Double>) throws {
    let weights = try onlineWeights(rows)
    let draws = random.uniform([rows.rows], of: Double.self).scalars
    let scores = weights.scalars
    rows.withUnsafeBuffer { rows in
      for (i, score) in scores.enumerated() where score > 0 && draws[i] * threshold <= score {
        let row = UnsafeBufferPointer(rebasing: rows[i * dimension..<(i + 1) * dimension])
        kept.append(row, index: observed + i, draw: draws[i], score: score)
      }
    }
    observed += rows.rows
    mostRows = max(mostRows, kept.count)
    if kept.count > 2 * self.rows { try shrink(to: self.rows + self.rows / 2) }
  }

  /// Lewis weights with respect to the stream so far, rows of the batch included in the first one only: any others can
  /// but make them smaller.
  private mutating func onlineWeights(_ rows: Tensor<Double>) throws -> Tensor<Double> {
    let size = rows.absolute().maximum(axis: 1)
    var weights = Tensor<Double>.ones([rows.rows])
    if observed > 0 {
      weights = try Self.weights(of: rows, information, p).minimum(1)
      information += Self.information(of: rows, weights, p)
    } else {
      // A fixed point that the map contracts to by |1 - p / 2|.
      for _ in 0..<12 { weights = try Self.weights(of: rows, Self.information(of: rows, weights, p), p).minimum(1) }
      information = Self.information(of: rows, weights, p)
    }
    return (size .> 0).select(weights, .zeros(weights.shape))
  }

  private static func information(of rows: Tensor<Double>, _ weights: Tensor<Double>, _ p: Double) -> Tensor<Double> {
    // Rows of zeros have no weight, and no share.
    let scale = weights.maximum(1e-140).power(0.5 - 1 / p)
    return (rows * scale.expanded(axis: 1)).multipliedByOwnTranspose(transposing: true)
  }

  /// (aᵀ M⁻¹ a)^(p/2) of each row, very large for what M does not span.
  private static func weights(
    of rows: Tensor<Double>, _ information: Tensor<Double>, _ p: Double
  ) throws -> Tensor<Double> {
    // Columns of unlike size are made alike first; then a little is enough to make M regular.
    let diagonal = information.diagonal
    let scale = (diagonal .> 0).select(diagonal, .ones(diagonal.shape)).sqrt().reciprocal()
    let scaled = information * scale * scale.expanded(axis: 1)
    let regular = scaled + Tensor.identity(scaled.rows) * (1e-13 * Double(scaled.rows))
    let upper = try CholeskyDecomposition(of: regular).upper
    let inverse = try upper.solveTriangular(.identity(scaled.rows), .upper) * scale.expanded(axis: 1)
    let squares = rows.matmul(inverse).sumOfSquares(axes: [1])
    return p == 2 ? squares : squares.power(p / 2)
  }

  /// Gives the kept rows the weights that they have now, and raises α until no more than `most` are left.
  private mutating func shrink(to most: Int) throws {
    guard kept.count > 0 else { return }
    let now = try Self.weights(of: kept.matrix(dimension), information, p).scalars
    kept.lowerScores(to: now)
    kept.removeAll(below: threshold, dimension)
    guard kept.count > most else { return }
    // The largest α at which `most` rows stay is the priority of the first that goes.
    threshold = max(threshold, kept.priorities.sorted(by: >)[most])
    kept.removeAll(below: threshold.nextUp, dimension)
  }

  /// The sample of the rows so far; the stream may go on.
  ///
  /// - Throws: `InvalidArgument` when there were no rows, or only zeros.
  public func finish() throws -> LpStreamSample {
    var end = self
    if !end.pending.isEmpty { try end.absorbPending() }
    guard end.observed > 0 else { throw InvalidArgument("stream", found: "no rows", wanted: "at least one") }
    guard end.kept.count > 0 else {
      throw InvalidArgument("stream", found: "rows of zeros only", wanted: "a row that is not zero")
    }
    try end.shrink(to: rows)
    let probabilities = end.kept.scores.map { end.threshold > 0 ? min(1, $0 / end.threshold) : 1 }
    return LpStreamSample(
      p: p, indices: end.kept.indices, rows: end.kept.matrix(dimension), probabilities: Tensor(probabilities),
      rowCount: end.observed, weightSum: zip(end.kept.scores, probabilities).reduce(0) { $0 + $1.0 / $1.1 },
      memoryRows: end.mostRows + batch + 2 * dimension)
  }
}

/// The rows that are kept for now, with the number that each has drawn.
private struct KeptRows: Sendable {
  private var numbers: [Double] = []
  private(set) var indices: [Int] = []
  private(set) var draws: [Double] = []
  private(set) var scores: [Double] = []
  var count: Int { indices.count }

  /// A row stays while α does not exceed this.
  var priorities: [Double] { zip(scores, draws).map { $0 / max($1, .leastNormalMagnitude) } }

  mutating func append(_ row: UnsafeBufferPointer<Double>, index: Int, draw: Double, score: Double) {
    numbers.append(contentsOf: row)
    indices.append(index)
    draws.append(draw)
    scores.append(score)
  }

  func matrix(_ dimension: Int) -> Tensor<Double> { Tensor(shape: [count, dimension], scalars: numbers) }

  mutating func lowerScores(to now: [Double]) { for i in scores.indices { scores[i] = min(scores[i], now[i]) } }

  mutating func removeAll(below threshold: Double, _ dimension: Int) {
    let priorities = priorities
    var last = 0
    for i in indices.indices where priorities[i] >= threshold {
      if i > last {
        (indices[last], draws[last], scores[last]) = (indices[i], draws[i], scores[i])
        for k in 0..<dimension { numbers[last * dimension + k] = numbers[i * dimension + k] }
      }
      last += 1
    }
    indices.removeLast(count - last)
    draws.removeLast(draws.count - last)
    scores.removeLast(scores.count - last)
    numbers.removeLast(numbers.count - last * dimension)
  }
}

/// What is left of a stream of rows.
public struct LpStreamSample: Sendable {
  public let p: Double
  /// The numbers of the kept rows in the stream, from zero, in increasing order.
  public let indices: [Int]
  /// The kept rows as they came, of shape [rows kept, d].
  public let rows: Tensor<Double>
  /// The probability that each of them had, of shape [rows kept].
  public let probabilities: Tensor<Double>
  /// The rows of the stream.
  public let rowCount: Int
  /// An estimate of Σ w over the stream: of the order of d, and d itself were all of it known from the beginning.
  public let weightSum: Double
  /// Rows of length d that were held at most, with the batch and the matrices counted.
  public let memoryRows: Int

  /// What each kept row is multiplied by, q^(-1/p).
  public var weights: Tensor<Double> { probabilities.power(-1 / p) }
  /// S A, of shape [rows kept, d].
  public var weightedRows: Tensor<Double> { rows * weights.expanded(axis: 1) }

  /// The same as a sample of a matrix of `rowCount` rows, to be applied to it or to another with as many.
  public var asRowSample: LpRowSample {
    LpRowSample(
      indices: indices, weights: weights,
      probabilities: Tensor.zeros([rowCount]).scatterAdded(probabilities, at: Tensor(indices)),
      expectedRows: Double(indices.count), passSizes: [indices.count])
  }
}
