// What is done to a gradient before a step: bounding it, and looking whether it is a number at all.

public import Networks
import Tensors

extension NamedTensors {
  /// Scales all tensors together so that their common Euclidean norm is at most `limit`, in place.
  ///
  /// As in PyTorch the factor is limit / (norm + 1e-6) where that is below one. After a NaN anywhere every element is
  /// NaN; after an infinite element it is NaN and the finite ones are zero. See `firstNonFinite`.
  /// - Parameter norm: the norm, where it is known already.
  /// - Returns: the norm before.
  /// - Source: Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.
  @discardableResult
  public mutating func clip(toNorm limit: Double, from norm: Double? = nil) -> Double {
    let norm = norm ?? self.norm
    let factor = limit / (norm + 1e-6)
    // Not `factor < 1`, which would let a NaN pass.
    if !(factor >= 1) { for i in tensors.indices { tensors[i] *= Scalar(factor) } }
    return norm
  }

  /// Replaces every element outside -limit ... limit by the nearer end, in place of its tensor.
  public mutating func clip(toValue limit: Double) {
    precondition(limit >= 0, "a limit is not negative, but is \(limit)")
    for i in tensors.indices { tensors[i] = tensors[i].clamped(to: Scalar(-limit)...Scalar(limit)) }
  }

  /// The name of the first tensor that has a NaN or an infinity in it; nil when all numbers are finite.
  public var firstNonFinite: String? { zip(names, tensors).first { !$1.isFinite }?.0 }
}
