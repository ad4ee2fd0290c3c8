import SpecialFunctions
public import Tensors

/// Starts weights where training ends: from a generalized Gaussian law of variance gain² / fan-in.
///
/// The shape 2 is the usual normal initialisation. The paper scales by a parameter ξ whose convention is not known: here
/// it is the gain, 1 by default and √2 before rectified units.
///
/// - Source: Wu et al., 2025, arXiv 2506.00486.
public struct GeneralizedGaussianInitializer: Sendable, Hashable {
  public let shape: Double
  public let gain: Double

  /// - Throws: `InvalidArgument` unless both are positive and finite.
  public init(shape: Double = 1.2, gain: Double = 1) throws {
    guard shape > 0, shape.isFinite else {
      throw InvalidArgument("shape", found: "\(shape)", wanted: "a finite number above 0")
    }
    guard gain > 0, gain.isFinite else {
      throw InvalidArgument("gain", found: "\(gain)", wanted: "a finite number above 0")
    }
    (self.shape, self.gain) = (shape, gain)
  }

  /// A weight of this shape.
  ///
  /// - Parameter fanIn: how many inputs a unit sums over; of a shape [out, in, kernel...] in · kernel unless given.
  /// - Throws: `InvalidArgument` for a fan-in below one.
  public func callAsFunction<Scalar: RealScalar>(
    _ weightShape: [Int], fanIn: Int? = nil, from random: inout RandomStream, of type: Scalar.Type = Scalar.self
  ) throws -> Tensor<Scalar> {
    let inputs = fanIn ?? weightShape.dropFirst().reduce(1, *)
    guard inputs >= 1 else { throw InvalidArgument("fanIn", found: "\(inputs)", wanted: "at least 1") }
    let law = try GeneralizedGaussian(shape: shape, standardDeviation: gain / Double(inputs).squareRoot())
    return law.sample(weightShape, from: &random)
  }
}
