import LinearAlgebra
public import Tensors

/// A linear layer of low rank, y = B (A x) + bias.
///
/// - Source: Wei et al., "Building on efficient foundations", NeurIPS 2024, arXiv 2406.16450.
public struct LowRankLinear<Scalar: RealScalar>: StructuredLinear {
  /// A, of shape [rank, inputs].
  public var down: Tensor<Scalar>
  /// B, of shape [outputs, rank].
  public var up: Tensor<Scalar>
  public var bias: Tensor<Scalar>?

  public init(down: Tensor<Scalar>, up: Tensor<Scalar>, bias: Tensor<Scalar>? = nil) {
    precondition(
      down.rank == 2 && up.rank == 2 && up.columns == down.rows,
      "factors of shapes \(up.shape) and \(down.shape) do not fit")
    (self.down, self.up, self.bias) = (down, up, bias)
  }

  /// Spectral initialisation: the leading singular directions of a random dense weight, each factor with the root of the
  /// singular values.
  ///
  /// - Parameter initializer: of the dense weight; deviation 1 / √inputs unless given.
  /// - Throws: `InvalidArgument` for a rank below one or above the smaller extent.
  public init(
    _ inputs: Int, _ outputs: Int, rank: Int, hasBias: Bool = true, initializer: Initializer = .leCunNormal,
    random: inout RandomStream
  ) throws {
    try LinearStructure.lowRank(rank).validate(inputs: inputs, outputs: outputs)
    try self.init(
      approximating: initializer([outputs, inputs], from: &random, of: Double.self), rank: rank,
      bias: hasBias ? .zeros([outputs]) : nil)
  }

  /// The best approximation of a dense weight, of shape [outputs, inputs].
  ///
  /// - Throws: `InvalidArgument` for a rank out of range or numbers that are not finite.
  public init(approximating weight: Tensor<Double>, rank: Int, bias: Tensor<Scalar>? = nil) throws {
    try weight.requireMatrix("weight")
    try LinearStructure.lowRank(rank).validate(inputs: weight.columns, outputs: weight.rows)
    let svd = try SingularValueDecomposition(of: weight).truncated(rank: rank)
    let roots = svd.values.sqrt()
    self.init(
      down: Tensor<Scalar>((svd.right * roots).transposed.dense), up: Tensor<Scalar>(svd.left * roots), bias: bias)
  }

  public var inputs: Int { down.columns }
  public var outputs: Int { up.rows }
  public var weightCount: Int { down.count + up.count }

  public func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    x.matmul(down, transposingB: true).matmul(up, transposingB: true)
  }

  public func dense() -> Tensor<Scalar> { up.matmul(down) }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("down", &down)
    visitor.parameter("up", &up)
    visitor.parameter("bias", &bias)
  }
}
