// Inputs changed a little, so that a classifier is as wrong about them as possible.

public import Tensors

extension Layer {
  /// Inputs moved by `radius` in every coordinate along the sign of the loss's slope.
  ///
  /// - Parameters:
  ///   - x: shape [examples, ...]; labels, shape [examples].
  ///   - range: where inputs stay, such as 0...1 for pixels.
  /// - Source: Goodfellow et al., "Explaining and harnessing adversarial examples", ICLR 2015, section 4.
  public func fastGradientSign(
    _ x: Tensor<Scalar>, labels: Tensor<Int>, radius: Scalar, in range: ClosedRange<Scalar>? = nil
  ) -> Tensor<Scalar> {
    projectedGradientAttack(x, labels: labels, radius: radius, steps: 1, stepSize: radius, in: range)
  }

  /// Inputs within `radius` of `x` in every coordinate, after `steps` steps along the sign of the loss's slope.
  ///
  /// - Parameter stepSize: 2.5 radius / steps by default.
  /// - Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, section 2.1.
  public func projectedGradientAttack(
    _ x: Tensor<Scalar>, labels: Tensor<Int>, radius: Scalar, steps: Int = 10, stepSize: Scalar? = nil,
    in range: ClosedRange<Scalar>? = nil
  ) -> Tensor<Scalar> {
    precondition(radius >= 0 && steps >= 1, "an attack of \(steps) steps within \(radius)")
    let stepSize = stepSize ?? Scalar(2.5) * radius / Scalar(steps)
    let (lower, upper) = (x - radius, x + radius)
    var attacked = x
    for _ in 0..<steps {
      let (_, slopes) = valueAndGradients(at: [attacked]) { inputs in
        crossEntropy(self(inputs[0]), labels: labels, reduction: .sum)
      }
      attacked = (attacked + slopes[0].sign() * stepSize).maximum(lower).minimum(upper)
      if let range { attacked = attacked.clamped(to: range) }
    }
    return attacked
  }
}
