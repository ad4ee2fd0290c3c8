// Proximal operators: prox(v) = argmin over x of penalty(x) + ‖x - v‖² / 2.
//
// Source: Parikh and Boyd, "Proximal algorithms", Found. Trends Optim. 1 (2014), chapter 6.

public import Tensors

/// Proximal operators of usual penalties. Those without `throws` are differentiable almost everywhere, and derivatives
/// flow through them.
extension Tensor where Scalar: LinearScalar {
  /// Of `threshold` ‖x‖₁: every entry moves towards zero by the threshold, and stops there.
  public func softThresholded(by threshold: Scalar) -> Tensor {
    requireNotNegative(threshold, "threshold")
    return (self - threshold).relu() - (-self - threshold).relu()
  }

  /// The same with a threshold for each entry; it broadcasts.
  public func softThresholded(by threshold: Tensor) -> Tensor {
    (self - threshold).relu() - (-self - threshold).relu()
  }

  /// Of `threshold` times the number of entries that are not zero: entries up to sqrt(2 threshold) become zero, the others
  /// stay.
  public func hardThresholded(by threshold: Scalar) -> Tensor {
    requireNotNegative(threshold, "threshold")
    return (absolute() .> Scalar.sqrt(2 * threshold)).select(self, .zeros(shape))
  }

  /// Of `threshold` times the sum of the lengths of the rows (the last axis): each row becomes shorter by the threshold.
  public func groupSoftThresholded(by threshold: Scalar) -> Tensor {
    requireNotNegative(threshold, "threshold")
    precondition(rank > 0, "groups lie along the last axis, but the shape is \(shape)")
    // Rows of length zero have the factor zero, whatever is divided by.
    let lengths = norm(axes: [rank - 1], keepingAxes: true)
    let shortened = (lengths - threshold).relu()
    return self * (shortened / lengths.maximum(.leastNormalMagnitude))
  }

  /// Of `threshold` ‖x‖₁ + `quadratic` ‖x‖² / 2, the elastic net.
  public func elasticNetThresholded(by threshold: Scalar, quadratic: Scalar) -> Tensor {
    requireNotNegative(quadratic, "quadratic")
    return softThresholded(by: threshold) / (1 + quadratic)
  }

  /// Of `weight` times the sum of Huber's function, x² / 2 up to `corner` and corner (|x| - corner / 2) beyond: entries
  /// shrink by the factor 1 / (1 + weight) near zero, and by weight corner far away.
  public func huberProximal(weight: Scalar, corner: Scalar) -> Tensor {
    requireNotNegative(weight, "weight")
    requireNotNegative(corner, "corner")
    let limit = corner * weight
    return self - (self * (weight / (1 + weight))).clamped(to: -limit...limit)
  }

  /// Of `threshold` times the sum of the singular values: each moves towards zero by the threshold.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers and the threshold not negative.
  /// - Complexity: that of the singular value decomposition.
  /// - Source: Cai, Candès and Shen, "A singular value thresholding algorithm for matrix completion", SIAM J. Optim. 20
  ///   (2010).
  public func singularValueThresholded(by threshold: Scalar) throws -> Tensor {
    guard threshold >= 0 else {
      throw InvalidArgument("threshold", found: "\(threshold)", wanted: "a number that is not negative")
    }
    let svd = try SingularValueDecomposition(of: self)
    let kept = svd.values.scalars.count { $0 > threshold }
    let part = svd.truncated(rank: kept)
    return (part.left * (part.values - threshold)).matmul(part.right, transposingB: true)
  }
}

private func requireNotNegative<Scalar: LinearScalar>(_ value: Scalar, _ name: String) {
  precondition(value >= 0, "\(name) is not negative, but is \(value)")
}
