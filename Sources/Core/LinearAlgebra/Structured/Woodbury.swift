public import Tensors

/// Systems with A + U Vᵀ, where A is easy to solve with and U, V have few columns.
///
/// Errors grow with the condition of A itself, also where A + U Vᵀ is better conditioned.
public struct WoodburySystem<Scalar: LinearScalar> {
  private let solveBase: (Tensor<Scalar>) throws -> Tensor<Scalar>
  /// A⁻¹ U, of shape [n, k].
  private let left: Tensor<Scalar>
  /// V, of shape [n, k].
  private let right: Tensor<Scalar>
  /// I + Vᵀ A⁻¹ U.
  private let capacitance: LUDecomposition<Scalar>

  /// - Parameters: left: U, and right: V, both of shape [n, k]; solve: b to A⁻¹ b, for b of shape [n] and [n, p].
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite; what `solve` throws;
  ///   `DecompositionError.singular` when A + U Vᵀ is singular.
  /// - Complexity: k solves with A, and O(n k²) time.
  /// - Source: Hager, "Updating the inverse of a matrix", SIAM Review 31 (1989).
  public init(
    left: Tensor<Scalar>, right: Tensor<Scalar>, solve: @escaping (Tensor<Scalar>) throws -> Tensor<Scalar>
  ) throws {
    let u = try left.validMatrix("left")
    try right.requireShape(u.shape, "right")
    solveBase = solve
    self.left = try solve(u)
    self.right = right.dense
    capacitance = try LUDecomposition(of: Tensor.identity(u.columns) + right.matmul(self.left, transposingA: true))
    if let pivot = capacitance.zeroPivot { throw DecompositionError.singular(pivot: pivot) }
  }

  /// x with (A + U Vᵀ) x = b, for b of shape [n] or [n, p].
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let x = try solveBase(rightSide)
    return x - left.matmul(try capacitance.solve(right.transposed.matmul(x)))
  }

  /// The sign and the logarithm of det(A + U Vᵀ) / det A, by the determinant lemma.
  public var logDeterminantChange: (sign: Scalar, logarithm: Scalar) { capacitance.logDeterminant }
}
