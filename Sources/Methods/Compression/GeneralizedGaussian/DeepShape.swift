// Weights that are there already, reshaped to another law.

import Numerics
import SpecialFunctions
public import Tensors

/// Gives a matrix the distribution of a generalized Gaussian of smaller shape, so that its code is shorter; the order of
/// the weights stays.
///
/// Weight number i in rank becomes the quantile at (i - 1/2) / n of the target law about the median; equal weights share
/// the quantile at their mean rank. The scale keeps the mean square (or the mean magnitude) about the median exactly, so
/// that reshaping again changes nothing. A strength t below one goes only part of the way, w ← (1 - t) w + t w'.
///
/// - Complexity: a sort, O(n) memory; quantiles are interpolated.
/// - Source: Wu et al., 2025, arXiv 2506.00486; ranks, ties and the median are Apus's reading.
public struct DeepShape: Sendable, Hashable {
  public enum Target: Sendable, Hashable {
    case shape(Double)
    /// A part of the shape that the weights have by moments.
    case fraction(Double)
  }
  public enum Preserved: String, Sendable, Hashable, CaseIterable {
    case variance
    case magnitude
  }

  public var target: Target
  public var strength: Double
  public var preserving: Preserved

  public init(target: Target = .fraction(0.7), strength: Double = 1, preserving: Preserved = .variance) {
    (self.target, self.strength, self.preserving) = (target, strength, preserving)
  }

  /// - Throws: `InvalidArgument` for a target that is not above zero, a strength outside 0...1, and weights that are
  ///   fewer than two, all equal or not finite.
  public func reshape<Scalar: RealScalar>(
    _ weights: Tensor<Scalar>, name: String = "weights"
  ) throws -> Tensor<Scalar> {
    guard strength >= 0, strength <= 1 else {
      throw InvalidArgument("strength", found: "\(strength)", wanted: "a number from 0 to 1")
    }
    let shape: Double
    switch target {
    case .shape(let given): shape = given
    case .fraction(let part): shape = try part * GeneralizedGaussianFitting().fit(weights, name: name).shape
    }
    let law = try GeneralizedGaussian(shape: shape)
    try weights.requireFinite(name)
    guard weights.count > 1 else {
      throw InvalidArgument(name, found: "\(weights.count) numbers", wanted: "at least two")
    }
    if strength == 0 { return weights }
    let flat = weights.flattened
    let order = flat.argsort()
    var sorted = Tensor<Double>(flat.gathered(order))
    let n = sorted.count
    let median = (sorted[at: (n - 1) / 2] + sorted[at: n / 2]) / 2
    sorted -= median
    var quantiles = midRankQuantiles(of: law, count: n)
    shareTies(&quantiles, of: sorted, law)
    quantiles -= (quantiles[at: (n - 1) / 2] + quantiles[at: n / 2]) / 2
    let ratio =
      switch preserving {
      case .variance: (sorted.sumOfSquares().scalar / quantiles.sumOfSquares().scalar).squareRoot()
      case .magnitude: sorted.absolute().sum().scalar / quantiles.absolute().sum().scalar
      }
    guard ratio > 0, ratio.isFinite else {
      throw InvalidArgument(name, found: "\(n) numbers that are all equal", wanted: "numbers that differ")
    }
    let mixed = sorted * (1 - strength) + quantiles * (strength * ratio) + median
    let result = Tensor<Scalar>(uninitializedShape: [n]) { result in
      mixed.withUnsafeBuffer { mixed in
        order.withUnsafeBuffer { order in
          guard let values = mixed.baseAddress, let places = order.baseAddress, let to = result.baseAddress else {
            return
          }
          place(values, places, to, n)
        }
      }
    }
    return result.reshaped(weights.shape)
  }

  /// F⁻¹((i + 1/2) / n) for i = 0 ..< n: one half computed, the other by symmetry.
  private func midRankQuantiles(of law: GeneralizedGaussian, count n: Int) -> Tensor<Double> {
    let half = (n + 1) / 2
    let levels = (Tensor<Double>((0..<half).map { Double($0) }) + 0.5) / Double(n)
    let lower = law.quantile(levels)
    return .concatenated([lower, -lower[0..<(n / 2)].reversed(axis: 0)])
  }

  /// Runs of equal weights get the quantile at their mean rank.
  private func shareTies(_ quantiles: inout Tensor<Double>, of sorted: Tensor<Double>, _ law: GeneralizedGaussian) {
    let n = sorted.count
    quantiles.withUnsafeMutableBuffer { quantiles in
      sorted.withUnsafeBuffer { sorted in
        var first = 0
        while first < n {
          var last = first
          while last + 1 < n, sorted[last + 1] == sorted[first] { last += 1 }
          if last > first {
            let level = (Double(first + last) / 2 + 0.5) / Double(n)
            let shared = law.quantile(level)
            for i in first...last { quantiles[i] = shared }
          }
          first = last + 1
        }
      }
    }
  }
}

@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func place<Scalar: RealScalar>(
  _ values: UnsafePointer<Double>, _ places: UnsafePointer<Int>, _ result: UnsafeMutablePointer<Scalar>, _ count: Int
) {
  for i in 0..<count { result[places[i]] = Scalar(values[i]) }
}
