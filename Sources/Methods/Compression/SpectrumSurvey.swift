public import LinearAlgebra
public import Tensors

/// The singular values of the matrices of a network, and what else the choice of ranks looks at.
public struct SpectrumSurvey: Sendable {
  /// One matrix, without its numbers.
  public struct Entry: Sendable, Hashable {
    public var shape: MatrixShape
    /// Singular values, decreasing, in double precision.
    public var singularValues: [Double]
    /// The share of elements more than five times as large as the mean magnitude.
    public var outlierShare: Double
    /// The unit roundoff of the numbers that the matrix was stored in.
    var precision: Double

    public var name: String { shape.name }
    /// sigma_i / sigma_1. A flat curve, with a heavy tail, is hard to compress. All zero for the zero matrix.
    public var normalizedValues: [Double] {
      let largest = singularValues.first ?? 0
      return singularValues.map { largest > 0 ? $0 / largest : 0 }
    }

    /// - Parameter precision: of the numbers behind the values; what lies below it, relative to the first, is noise.
    public init(
      shape: MatrixShape, singularValues: [Double], outlierShare: Double = 0, precision: Double = .ulpOfOne
    ) throws {
      let isSpectrum =
        singularValues.count == shape.shortSide && singularValues.allSatisfy { $0 >= 0 && $0.isFinite }
        && zip(singularValues, singularValues.dropFirst()).allSatisfy { $0 >= $1 }
      guard isSpectrum else {
        throw InvalidArgument(
          shape.name, found: "\(singularValues.count) singular values",
          wanted: "\(shape.shortSide) finite values, decreasing and not negative")
      }
      (self.shape, self.singularValues, self.outlierShare) = (shape, singularValues, outlierShare)
      self.precision = precision
    }

    init<Scalar: LinearScalar>(name: String, matrix: Tensor<Scalar>) throws {
      guard matrix.rank == 2, matrix.count > 0 else {
        throw InvalidArgument(name, found: "shape \(matrix.shape)", wanted: "a matrix with at least one row and column")
      }
      try matrix.requireFinite(name)
      shape = MatrixShape(name: name, rows: matrix.rows, columns: matrix.columns)
      singularValues = try singularSpectrum(of: matrix)
      let magnitudes = matrix.absolute()
      outlierShare = Double((magnitudes .> magnitudes.mean() * 5).trueCount) / Double(matrix.count)
      precision = Double(Scalar.ulpOfOne)
    }
  }

  /// One for each matrix, in the order they were given.
  public let entries: [Entry]

  /// Spectra that are known already.
  public init(entries: [Entry]) throws {
    try validate(entries.map(\.name))
    self.entries = entries
  }

  /// Computes the singular values of matrices in memory.
  ///
  /// - Throws: `InvalidArgument` for an empty list, two equal names, something that is no matrix, or numbers that are not
  ///   finite.
  /// - Complexity: O(m n min(m, n)) time for each matrix, several at a time.
  public init<Scalar: LinearScalar>(
    named matrices: [(name: String, matrix: Tensor<Scalar>)], progress: WorkProgress = .silent
  ) throws {
    try validate(matrices.map(\.name))
    try progress.report(0, of: matrices.count)
    entries = try parallelMap(matrices.count) { try Entry(name: matrices[$0].name, matrix: matrices[$0].matrix) }
    try progress.report(matrices.count, of: matrices.count)
  }

  /// Computes the singular values of matrices that are read one after another.
  public init(_ sources: [MatrixSource], progress: WorkProgress = .silent) throws {
    try validate(sources.map(\.name))
    entries = try parallelSurvey(sources, progress: progress)
  }

  public var parameterCount: Int { entries.reduce(0) { $0 + $1.shape.count } }
  /// The sum of all short sides: the total rank of full matrices.
  public var fullRank: Int { entries.reduce(0) { $0 + $1.shape.shortSide } }
}

private func parallelSurvey(_ sources: [MatrixSource], progress: WorkProgress) throws -> [SpectrumSurvey.Entry] {
  let names = sources.map(\.name)
  let entries = try survey(sources, progress: progress) { try SpectrumSurvey.Entry(name: "", matrix: $0) }
  return zip(names, entries).map { name, entry in
    var entry = entry
    entry.shape.name = name
    return entry
  }
}
