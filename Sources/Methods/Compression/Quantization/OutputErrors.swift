public import LinearAlgebra
public import Tensors

extension ActivationMoments {
  /// Moments of which no more is known than E[x xᵀ].
  ///
  /// Magnitudes are taken as those of the second moments: |x_i| counts as (E x_i²)^(1/2) throughout.
  /// - Throws: `InvalidArgument` unless it is a square matrix of finite numbers with nothing negative on its diagonal.
  public init(secondMoment: Tensor<Double>, tokens: Int = 1) throws {
    try secondMoment.requireMatrix("secondMoment")
    guard secondMoment.rows == secondMoment.columns else {
      throw InvalidArgument("secondMoment", found: "shape \(secondMoment.shape)", wanted: "a square matrix")
    }
    let squares = secondMoment.diagonal
    guard squares.minimum().scalar >= 0 else {
      throw InvalidArgument(
        "secondMoment", found: "\(squares.minimum().scalar) on the diagonal", wanted: "mean squares, none negative")
    }
    let (magnitudes, count) = (squares.sqrt(), Double(max(tokens, 0)))
    try self.init(
      tokens: tokens, gram: secondMoment * count, sums: .zeros(squares.shape), absoluteSums: magnitudes * count,
      maxima: magnitudes, largestMeans: magnitudes)
  }

  /// E ‖D x‖² for a change D of the layer's weight, shape [outputs, inputs].
  public func meanSquaredOutput<Scalar: LinearScalar>(of change: Tensor<Scalar>) -> Double {
    let change = Tensor<Double>(change)
    return (change * change.matmul(secondMoment)).sum().scalar
  }
}
