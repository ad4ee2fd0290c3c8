public import LinearAlgebra
public import Tensors

extension DeepConjugateDirections {
  /// x with A x = b along directions of a network, for a sparse matrix that couples the cells of a grid.
  ///
  /// Rows without couplings are solved beforehand. Of a matrix whose rows all sum to zero, such as that of a pure Neumann
  /// problem, constants are taken out.
  /// - Parameters:
  ///   - matrix: symmetric positive definite, of shape [n, n].
  ///   - layout: how the unknowns lie on the grid; recognized from the matrix if left out.
  /// - Throws: `InvalidArgument` for a matrix that is not square, symmetric and finite, one that is no operator on a grid, a
  ///   network of other dimensions, and as ``solve(_:_:model:startingFrom:progress:)``.
  public func solve(
    _ matrix: SparseMatrix<Double>, _ rightSide: Tensor<Double>, network: DirectionNetwork<Float>,
    layout: GridLayout? = nil, progress: WorkProgress = .silent
  ) throws -> Result {
    try requireSystem(matrix, rightSide)
    guard matrix.isSymmetric(tolerance: 1e-12) else {
      throw InvalidArgument("matrix", found: "a matrix that is not symmetric", wanted: "a symmetric one")
    }
    guard let layout = layout ?? GridLayout(recognizing: matrix) else {
      throw InvalidArgument(
        "matrix", found: "entries that do not couple neighbours on a grid",
        wanted: "a two- or three-dimensional grid operator, or the layout of its unknowns")
    }
    guard layout.unknownCount == matrix.rows else {
      throw InvalidArgument(
        "matrix", found: "\(matrix.rows) unknowns", wanted: "\(layout.unknownCount), as the layout has")
    }
    let diagonal = matrix.diagonal
    var method = self
    let sums = matrix.matmul(Tensor<Double>.ones([matrix.rows]))
    if sums.absolute().maximum().scalar <= 1e-12 * diagonal.absolute().maximum().scalar {
      method.removesConstants = true
    }
    return try method.solve(
      matrix, rightSide, model: NetworkDirection(network, on: layout),
      startingFrom: uncoupledPart(matrix, diagonal, rightSide), progress: progress)
  }

  /// b_i / a_ii where row i has no other entry, zero elsewhere; nil where there is no such row.
  private func uncoupledPart(
    _ matrix: SparseMatrix<Double>, _ diagonal: Tensor<Double>, _ rightSide: Tensor<Double>
  ) -> Tensor<Double>? {
    let beside = matrix - SparseMatrix(diagonal: diagonal)
    let magnitudes = beside.withValues(beside.values.absolute()).matmul(Tensor<Double>.ones([matrix.rows]))
    let isAlone = (magnitudes .== 0) .& (diagonal .!= 0)
    guard isAlone.any else { return nil }
    return isAlone.select(rightSide / isAlone.select(diagonal, .ones(diagonal.shape)), .zeros(diagonal.shape))
  }
}
