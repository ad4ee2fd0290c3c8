public import Tensors

/// Sets each element to zero with a probability while training, and scales the others so that the mean stays.
///
/// Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
public struct Dropout<Scalar: RealScalar>: Layer {
  public var probability: Double

  public init(_ probability: Double = 0.5) {
    precondition((0..<1).contains(probability), "a dropout probability lies in [0, 1), but is \(probability)")
    self.probability = probability
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    guard pass.isTraining, probability > 0 else { return x }
    var random = pass.randomStream()
    let kept = random.bernoulli(x.shape, probability: 1 - probability)
    let scale = Tensor<Scalar>(Scalar(1 / (1 - probability)))
    return x * kept.select(scale, Tensor(0))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}
