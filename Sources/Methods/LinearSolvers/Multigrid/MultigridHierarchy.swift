public import LinearAlgebra
public import Tensors

/// Matrices from fine to coarse, each the Galerkin product of the one before with its prolongator.
public struct MultigridHierarchy: Sendable {
  /// One matrix, and how it is reached from the next coarser one.
  public struct Level: Sendable {
    let rows: CompressedRows
    /// The inverse of what relaxation divides by.
    let inverseDiagonal: WorkVectorBox
    /// The unsmoothed prolongator; nil on the coarsest level.
    let aggregation: Aggregation?
    /// The smoothed prolongator and its transpose, if prolongators are smoothed.
    let smoothed: (prolongator: CompressedRows, restrictor: CompressedRows)?
    let smooth: [Double]

    /// The unknowns of this level.
    public var size: Int { rows.rows }
    public var entryCount: Int { rows.entryCount }
    /// The matrix of this level.
    public func matrix() throws -> SparseMatrix<Double> { try rows.sparseMatrix() }
    /// w on this level, of shape [size].
    public var smoothVector: Tensor<Double> { Tensor(smooth) }
    /// The aggregate of each unknown; nil on the coarsest level.
    public var aggregates: [Int]? { aggregation?.aggregates.map(Int.init) }

    /// P, of shape [size, size of the next level], before smoothing; nil on the coarsest level.
    public func prolongator() throws -> SparseMatrix<Double>? {
      guard let aggregation else { return nil }
      return try SparseMatrix(
        rows: size, columns: aggregation.count, rowIndices: Tensor(Array(0..<size)),
        columnIndices: Tensor(aggregation.aggregates.map(Int.init)), values: Tensor(aggregation.weights))
    }
  }

  public let levels: [Level]
  /// The inverse of the coarsest matrix, row-major; nil where that is too large and relaxation stands in for it.
  let coarsestInverse: [Double]?

  /// The entries of all levels over those of the finest: what one cycle costs, in sweeps over the matrix.
  public var operatorComplexity: Double {
    Double(levels.reduce(0) { $0 + $1.entryCount }) / Double(max(levels[0].entryCount, 1))
  }

  init(matrix: CompressedRows, smooth: [Double], settings: BootstrapAMG) throws {
    var levels: [Level] = []
    var rows = matrix
    var smooth = smooth
    while true {
      let diagonal = rows.diagonal()
      if let bad = diagonal.firstIndex(where: { !($0 > 0) }) {
        throw DecompositionError.notPositiveDefinite(leadingMinor: bad + 1)
      }
      let inverse = WorkVectorBox(settings.relaxation.inverseDiagonal(of: rows, diagonal))
      let isCoarsest = rows.rows <= settings.coarsestSize || levels.count + 1 >= settings.levelLimit
      var step: (aggregation: Aggregation, coarse: CompressedRows)?
      if !isCoarsest { step = Self.coarsened(rows, diagonal, smooth, sweeps: settings.sweepsPerLevel) }
      if let found = step, Double(rows.rows) <= 1.2 * Double(found.aggregation.count) { step = nil }
      guard let step else {
        levels.append(
          Level(rows: rows, inverseDiagonal: inverse, aggregation: nil, smoothed: nil, smooth: smooth))
        break
      }
      var coarse = step.coarse
      var smoothed: (CompressedRows, CompressedRows)?
      if settings.smoothsProlongators {
        (smoothed, coarse) = try Self.smoothed(rows, diagonal, step.aggregation)
      }
      levels.append(
        Level(
          rows: rows, inverseDiagonal: inverse, aggregation: step.aggregation, smoothed: smoothed, smooth: smooth))
      smooth = step.aggregation.restricted(smooth)
      rows = coarse
    }
    self.levels = levels
    if rows.rows <= 1_500 {
      let factor = try CholeskyDecomposition(of: rows.sparseMatrix().dense)
      coarsestInverse = factor.inverse().scalars
    } else {
      coarsestInverse = nil
    }
  }

  /// Several pairings, one after another: aggregates of up to 2^sweeps unknowns.
  private static func coarsened(
    _ matrix: CompressedRows, _ diagonal: [Double], _ smooth: [Double], sweeps: Int
  ) -> (aggregation: Aggregation, coarse: CompressedRows) {
    var aggregation = Aggregation(pairing: matrix, diagonal: diagonal, smooth: smooth)
    var coarse = aggregation.galerkinProduct(matrix)
    var smooth = aggregation.restricted(smooth)
    for _ in 1..<max(sweeps, 1) {
      let pairing = Aggregation(pairing: coarse, diagonal: coarse.diagonal(), smooth: smooth)
      if pairing.count == coarse.rows { break }
      coarse = pairing.galerkinProduct(coarse)
      smooth = pairing.restricted(smooth)
      aggregation = aggregation.followed(by: pairing)
    }
    return (aggregation, coarse)
  }

  /// (I - ω D⁻¹ A) P and the Galerkin product with it, where ω is 4/3 over a bound of the spectral radius of D⁻¹ A.
  private static func smoothed(
    _ matrix: CompressedRows, _ diagonal: [Double], _ aggregation: Aggregation
  ) throws -> ((CompressedRows, CompressedRows), CompressedRows) {
    let a = try matrix.sparseMatrix()
    let scaled = a.scalingRows(by: Tensor(diagonal).reciprocal())
    let omega = 4 / 3 / max(scaled.infinityNorm(), .leastNormalMagnitude)
    let tentative = try SparseMatrix(
      rows: matrix.rows, columns: aggregation.count, rowIndices: Tensor(Array(0..<matrix.rows)),
      columnIndices: Tensor(aggregation.aggregates.map(Int.init)), values: Tensor(aggregation.weights))
    let prolongator = tentative.combined(with: try scaled.matmul(tentative), -omega)
    let restrictor = prolongator.transposed.stored(by: .rows)
    let coarse = try restrictor.matmul(try a.matmul(prolongator))
    return ((CompressedRows(prolongator), CompressedRows(restrictor)), CompressedRows(coarse))
  }
}

/// A vector that does not change any more.
final class WorkVectorBox: @unchecked Sendable {
  let start: UnsafeMutablePointer<Double>

  init(_ values: [Double]) {
    start = .allocate(capacity: max(values.count, 1))
    values.withUnsafeBufferPointer { if let base = $0.baseAddress { start.update(from: base, count: values.count) } }
  }

  deinit { start.deallocate() }
}

extension BootstrapAMG.Relaxation {
  /// The inverses of what a relaxation divides by.
  func inverseDiagonal(of rows: CompressedRows, _ diagonal: [Double]) -> [Double] {
    switch self {
    case .gaussSeidel: return diagonal.map { 1 / $0 }
    case .jacobi(let damping): return diagonal.map { damping / $0 }
    case .l1Jacobi:
      return (0..<rows.rows).map { i in
        var sum = 0.0
        for k in Int(rows.starts[i])..<Int(rows.starts[i + 1]) { sum += rows.values[k].magnitude }
        return 1 / sum
      }
    }
  }
}
