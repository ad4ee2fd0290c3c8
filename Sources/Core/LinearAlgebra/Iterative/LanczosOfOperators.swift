// Thick-restart Lanczos for operators.

public import Tensors

extension Lanczos {
  /// The wanted eigenpairs of a symmetric operator.
  ///
  /// - Throws: `InvalidArgument` unless the operator is square; as ``eigenpairs(size:random:progress:_:)``.
  public func eigenpairs<Scalar: LinearScalar>(
    of matrix: some LinearOperator<Scalar>, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> PartialEigendecomposition<Scalar> {
    try eigenpairs(size: matrix.squareSize(), random: &random, progress: progress) { try matrix.apply($0) }
  }

  /// The largest singular triplets of an operator.
  ///
  /// - Throws: as ``eigenpairs(size:random:progress:_:)``.
  public func singularTriplets<Scalar: LinearScalar>(
    of matrix: some LinearOperator<Scalar>, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> PartialSingularValueDecomposition<Scalar> {
    let extents = try matrix.matrixExtents()
    return try singularTriplets(
      rows: extents.rows, columns: extents.columns, random: &random, progress: progress,
      { try matrix.apply($0) }, transposed: { try matrix.applyTransposed($0) })
  }
}
