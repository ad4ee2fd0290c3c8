public import Tensors

/// Feed-forward layers of which a router chooses a few for each token.
///
/// The chosen experts' outputs are weighted by the router's probabilities, scaled to sum to one over the chosen.
/// - Source: Shazeer et al., ICLR 2017; the balancing loss is eq. 4 of Fedus et al., "Switch transformers", JMLR 2022.
public struct MixtureOfExperts<Scalar: RealScalar>: Module {
  /// Scores the experts.
  public var router: Linear<Scalar>
  public var experts: [SwiGLU<Scalar>]
  /// How many experts each token goes to.
  public let chosen: Int

  public init(_ width: Int, hidden: Int, experts count: Int, chosen: Int = 2, random: inout RandomStream) {
    precondition(1 <= chosen && chosen <= count, "\(chosen) of \(count) experts cannot be chosen")
    router = Linear(width, count, hasBias: false, random: &random)
    experts = (0..<count).map { _ in SwiGLU(width, hidden: hidden, random: &random) }
    self.chosen = chosen
  }

  /// - Parameter x: shape [..., width].
  /// - Returns: the output, of the shape of `x`; and the balancing loss, one number that is 1 when all experts are used
  ///   alike and grows as few of them take all: add a hundredth of it to the training loss.
  public func callAsFunction(
    _ x: Tensor<Scalar>, in pass: ForwardPass = .inference
  ) -> (output: Tensor<Scalar>, balancingLoss: Tensor<Scalar>) {
    let tokens = x.reshaped([-1, router.inputs])
    let count = tokens.rows
    let probabilities = router(tokens).softmax(axis: -1)
    let (values, indices) = probabilities.topK(chosen, axis: -1)
    let shares = (values / values.sum(axis: -1, keepingAxis: true)).flattened
    let choices = indices.flattened
    var output = Tensor<Scalar>.zeros(tokens.shape)
    var load: [Scalar] = []
    for (i, expert) in experts.enumerated() {
      let places = (choices .== i).trueIndices
      load.append(Scalar(places.count) / Scalar(max(1, count * chosen)))
      guard places.count > 0 else { continue }
      let rows = places / chosen
      let result = expert(tokens.gathered(rows), in: pass) * shares.gathered(places).expanded(axis: 1)
      output = output.scatterAdded(result, at: rows)
    }
    let balance = (probabilities.mean(axis: 0) * Tensor(load)).sum() * Scalar(experts.count)
    return (output.reshaped(x.shape), balance)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("gate", &router)
    visitor.modules("experts", &experts)
  }
}
