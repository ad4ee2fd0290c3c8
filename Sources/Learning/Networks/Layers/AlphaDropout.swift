public import Tensors

/// Dropout for SELU networks: dropped elements take SELU's lower limit, and a scale and shift keep mean and variance.
///
/// Source: Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.
public struct AlphaDropout<Scalar: RealScalar>: Layer {
  public var probability: Double

  public init(_ probability: Double = 0.5) {
    precondition((0..<1).contains(probability), "a dropout probability lies in [0, 1), but is \(probability)")
    self.probability = probability
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    guard pass.isTraining, probability > 0 else { return x }
    let limit = -1.7580993408473768599
    let keep = 1 - probability
    let scale = 1 / (keep + limit * limit * keep * probability).squareRoot()
    let shift = -scale * limit * probability
    var random = pass.randomStream()
    let kept = random.bernoulli(x.shape, probability: keep)
    return kept.select(x * Scalar(scale) + Scalar(shift), Tensor(Scalar(limit * scale + shift)))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}
