import CVectorKernels
public import LinearAlgebra
public import Tensors

/// How a residual is judged.
public enum ResidualLoss: Sendable, Hashable {
  /// r² / 2.
  case squares
  /// |r|.
  case absolute
  /// r² / 2 up to the threshold, and linear beyond it.
  case huber(threshold: Double)
}

/// Linear functions of a matrix: y_i = ⟨A_i, X⟩ for i = 1...m and X of shape [rows, columns].
public protocol LinearMeasurement<Scalar>: Sendable {
  associatedtype Scalar: LinearScalar
  /// m.
  var count: Int { get }
  var rows: Int { get }
  var columns: Int { get }
  /// 𝒜(X), of shape [m].
  func apply(_ matrix: Tensor<Scalar>) -> Tensor<Scalar>
  /// 𝒜*(v) = Σ v_i A_i, of shape [rows, columns].
  func adjoint(_ vector: Tensor<Scalar>) -> Tensor<Scalar>
  /// r = 𝒜(X) - y, and 𝒜* of the slopes of the loss at r.
  func residualsAndAdjoint(
    _ matrix: Tensor<Scalar>, observed: Tensor<Scalar>, loss: ResidualLoss
  ) -> (residuals: Tensor<Scalar>, adjoint: Tensor<Scalar>)
  /// A measurement that agrees with this one on symmetric matrices, cheaper if possible.
  func onSymmetricMatrices() -> any LinearMeasurement<Scalar>
  /// Whether a residual tells about a single entry of the matrix, not about its size as a whole.
  var seesSingleEntries: Bool { get }
}

extension LinearMeasurement {
  public func residualsAndAdjoint(
    _ matrix: Tensor<Scalar>, observed: Tensor<Scalar>, loss: ResidualLoss
  ) -> (residuals: Tensor<Scalar>, adjoint: Tensor<Scalar>) {
    let residuals = apply(matrix) - observed
    switch loss {
    case .squares: return (residuals, adjoint(residuals))
    case .absolute: return (residuals, adjoint(residuals.sign()))
    case .huber(let threshold):
      return (residuals, adjoint(residuals.clamped(to: -Scalar(threshold)...Scalar(threshold))))
    }
  }

  public func onSymmetricMatrices() -> any LinearMeasurement<Scalar> { self }
  public var seesSingleEntries: Bool { false }
}

/// Measurements by given matrices, all kept.
///
/// Residuals and their adjoint come from one pass over the matrices.
public struct DenseMeasurement<Scalar: LinearScalar>: LinearMeasurement {
  public let count: Int, rows: Int, columns: Int
  /// The matrices row by row, or their symmetric parts' upper triangles, padded to whole lines.
  private let padded: Tensor<Scalar>
  private let isPacked: Bool
  /// Of packed matrices: where the upper triangle lies, and what its entries are multiplied by.
  private let places: Tensor<Int>, weights: Tensor<Scalar>
  private var width: Int { isPacked ? rows * (rows + 1) / 2 : rows * columns }

  /// - Parameter matrices: A, of shape [m, rows, columns].
  /// - Throws: `InvalidArgument` for another rank, no measurement, or numbers that are not finite.
  public init(_ matrices: Tensor<Scalar>) throws {
    guard matrices.rank == 3, matrices.count > 0 else {
      throw InvalidArgument(
        "measurements", found: "shape \(matrices.shape)", wanted: "[m, rows, columns] with at least one matrix")
    }
    try matrices.requireFinite("measurements")
    (count, rows, columns) = (matrices.shape[0], matrices.shape[1], matrices.shape[2])
    padded = matrices.reshaped([matrices.shape[0], matrices.shape[1] * matrices.shape[2]]).paddedRows()
    isPacked = false
    (places, weights) = (.zeros([0]), .zeros([0]))
  }

  private init(packed: Tensor<Scalar>, count: Int, size: Int, places: Tensor<Int>, weights: Tensor<Scalar>) {
    (self.count, rows, columns, padded, isPacked) = (count, size, size, packed, true)
    (self.places, self.weights) = (places, weights)
  }

  /// Matrices of independent standard normal numbers.
  public static func gaussian(
    count: Int, rows: Int, columns: Int, random: inout RandomStream
  ) throws -> DenseMeasurement {
    guard count >= 1, rows >= 1, columns >= 1 else {
      throw InvalidArgument("measurements", found: "\(count) of [\(rows), \(columns)]", wanted: "extents of at least 1")
    }
    return try DenseMeasurement(random.normal([count, rows, columns]))
  }

  public func apply(_ matrix: Tensor<Scalar>) -> Tensor<Scalar> {
    pass(matrix, observed: .zeros([count]), loss: nil).residuals
  }

  public func adjoint(_ vector: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(vector.shape == [count], "adjoint of \(count) measurements on shape \(vector.shape)")
    return unpacked(padded.matmul(vector, transposingA: true))
  }

  public func residualsAndAdjoint(
    _ matrix: Tensor<Scalar>, observed: Tensor<Scalar>, loss: ResidualLoss
  ) -> (residuals: Tensor<Scalar>, adjoint: Tensor<Scalar>) {
    let (residuals, sum) = pass(matrix, observed: observed, loss: loss)
    return (residuals, unpacked(sum ?? .zeros([padded.columns])))
  }

  /// For square matrices: the same by their symmetric parts' upper triangles, at half the cost.
  public func onSymmetricMatrices() -> any LinearMeasurement<Scalar> {
    guard rows == columns, !isPacked else { return self }
    let matrices = padded[.all, 0..<width].reshaped([count, rows, rows])
    let symmetric = (matrices + matrices.exchangingAxes(1, 2)) * 0.5
    let (places, weights) = (Self.upperPlaces(rows), Self.packingWeights(rows))
    let packed = (symmetric * weights).reshaped([count, width]).gathered(places, axis: 1)
    return DenseMeasurement(
      packed: packed.paddedRows(), count: count, size: rows, places: places, weights: weights)
  }

  /// 𝒜*𝒜 / m as a matrix that acts on the coordinates of X: its entries, or its packed upper triangle.
  func meanGram() -> Tensor<Scalar> {
    padded[.all, 0..<width].dense.multipliedByOwnTranspose(transposing: true) / Scalar(count)
  }

  /// (1/m) 𝒜*(𝒜(X)) by that matrix.
  func meanProduct(_ gram: Tensor<Scalar>, _ matrix: Tensor<Scalar>) -> Tensor<Scalar> {
    unpacked(gram.matmul(coordinates(matrix)))
  }

  private static func upperPlaces(_ size: Int) -> Tensor<Int> {
    Tensor((0..<size).flatMap { i in (i..<size).map { i * size + $0 } })
  }

  /// √2 off the diagonal, so that inner products of packed matrices are those of whole ones.
  private static func packingWeights(_ size: Int) -> Tensor<Scalar> {
    let root = Scalar.sqrt(2)
    return Tensor(repeating: root, shape: [size, size]) + Tensor.identity(size) * (1 - root)
  }

  private func coordinates(_ matrix: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(
      matrix.shape == [rows, columns], "measurements of [\(rows), \(columns)] of a matrix of shape \(matrix.shape)")
    return isPacked ? (matrix * weights).flattened.gathered(places) : matrix.flattened
  }

  private func unpacked(_ sum: Tensor<Scalar>) -> Tensor<Scalar> {
    guard isPacked else { return sum[0..<width].copied().reshaped([rows, columns]) }
    // Half of a weighted upper triangle on each side.
    let half = Tensor<Scalar>.zeros([rows * rows]).scatterAdded(sum[0..<width].dense, at: places)
    let weighted = half.reshaped([rows, rows]) / weights
    return (weighted + weighted.transposed) - Tensor(diagonal: weighted.diagonal)
  }

  /// One pass: chunks of a fixed number of measurements, whose sums are added in order.
  private func pass(
    _ matrix: Tensor<Scalar>, observed: Tensor<Scalar>, loss: ResidualLoss?
  ) -> (residuals: Tensor<Scalar>, sum: Tensor<Scalar>?) {
    precondition(observed.shape == [count], "\(count) measurements, but observations of shape \(observed.shape)")
    let x = coordinates(matrix).padded([(0, padded.columns - width)], with: 0).dense
    let stride = padded.columns
    let chunk = max(64, (1 << 17) / stride)
    let chunks = (count + chunk - 1) / chunk
    var residuals = Tensor<Scalar>.zeros([count])
    var sums = Tensor<Scalar>.zeros([chunks, stride])
    let kernel = recoveryKernels(Scalar.self).residuals_and_adjoint
    var kind = APUS_LOSS_SQUARE
    var threshold = 0.0
    switch loss {
    case .absolute: kind = APUS_LOSS_ABSOLUTE
    case .huber(let corner): (kind, threshold) = (APUS_LOSS_HUBER, corner)
    case .squares, nil: break
    }
    let (fixedKind, fixedThreshold) = (kind, threshold)
    padded.withUnsafeBuffer { a in
      x.withUnsafeBuffer { x in
        observed.withUnsafeBuffer { y in
          residuals.withUnsafeMutableBuffer { r in
            sums.withUnsafeMutableBuffer { sums in
              parallelTasks(chunks) { i in
                kernel(
                  a.baseAddress!, i * chunk, min((i + 1) * chunk, count), stride, x.baseAddress!, y.baseAddress!,
                  fixedKind, fixedThreshold, r.baseAddress!, loss == nil ? nil : sums.baseAddress! + i * stride)
              }
            }
          }
        }
      }
    }
    return (residuals, loss == nil ? nil : sums.sum(axis: 0))
  }
}

/// Single entries of a matrix, each times a common factor.
public struct EntryMeasurement<Scalar: LinearScalar>: LinearMeasurement {
  public let rows: Int, columns: Int
  /// What entries are multiplied by; √(rows columns) gives measurements of unit second moment.
  public let scale: Scalar
  private let places: Tensor<Int>

  public var count: Int { places.count }
  public var seesSingleEntries: Bool { true }

  /// - Parameters: rowIndices and columnIndices, of one shape [m].
  /// - Throws: `InvalidArgument` for shapes that differ, no entry, or indices out of range.
  public init(
    rows: Int, columns: Int, rowIndices: Tensor<Int>, columnIndices: Tensor<Int>, scale: Scalar = 1
  ) throws {
    guard rowIndices.rank == 1, rowIndices.shape == columnIndices.shape, rowIndices.count > 0 else {
      throw InvalidArgument(
        "entries", found: "shapes \(rowIndices.shape) and \(columnIndices.shape)", wanted: "two vectors of one length")
    }
    for (name, indices, limit) in [("rowIndices", rowIndices, rows), ("columnIndices", columnIndices, columns)] {
      guard indices.minimum().scalar >= 0, indices.maximum().scalar < limit else {
        throw InvalidArgument(
          name, found: "\(indices.minimum().scalar) through \(indices.maximum().scalar)", wanted: "0..<\(limit)")
      }
    }
    (self.rows, self.columns, self.scale) = (rows, columns, scale)
    places = rowIndices * columns + columnIndices
  }

  public func apply(_ matrix: Tensor<Scalar>) -> Tensor<Scalar> { matrix.flattened.gathered(places) * scale }

  public func adjoint(_ vector: Tensor<Scalar>) -> Tensor<Scalar> {
    Tensor<Scalar>.zeros([rows * columns]).scatterAdded(vector * scale, at: places).reshaped([rows, columns])
  }
}

/// Quadratic forms: ⟨a_i a_iᵀ, X⟩ = a_iᵀ X a_i, as in phase retrieval.
public struct RankOneMeasurement<Scalar: LinearScalar>: LinearMeasurement {
  private let vectors: Tensor<Scalar>

  public var count: Int { vectors.rows }
  public var rows: Int { vectors.columns }
  public var columns: Int { vectors.columns }

  /// - Parameter vectors: a, of shape [m, n].
  /// - Throws: `InvalidArgument` unless that is a finite matrix.
  public init(_ vectors: Tensor<Scalar>) throws {
    try vectors.requireMatrix("vectors")
    self.vectors = vectors.dense
  }

  public func apply(_ matrix: Tensor<Scalar>) -> Tensor<Scalar> {
    (vectors.matmul(matrix) * vectors).sum(axis: 1)
  }

  public func adjoint(_ vector: Tensor<Scalar>) -> Tensor<Scalar> {
    vectors.matmul(vectors * vector.expanded(axis: 1), transposingA: true)
  }
}
