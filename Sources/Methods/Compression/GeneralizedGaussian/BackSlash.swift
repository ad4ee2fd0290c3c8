// Training under a rate constraint: weights that cost few bits.

public import Networks
import Numerics
import SpecialFunctions
public import Tensors

/// Rate-constrained training: the loss plus λ Σ |w|^ν, in proportion to the length of the weights' ideal code.
///
/// A step belongs after each step of the optimizer. It moves every weight of a matrix towards zero,
///
///     w ← w - λ ν sign(w) (|w| + ε)^(ν - 1),
///
/// and never beyond it. λ is per step and does not follow the learning rate. The shape ν is estimated from all matrices
/// together by moments, again after every `refresh` steps, unless it is given.
///
/// ```swift
/// var rate = try BackSlash(strength: 1e-4)
/// optimizer.update(&model, along: gradient)
/// try rate.step(&model)
/// ```
///
/// A few epochs with the strength 0 should follow.
///
/// - Source: Wu et al., 2025, arXiv 2506.00486 and arXiv 2504.16968; the guard ε and the stop at zero are Apus's own.
public struct BackSlash: Sendable {
  public enum Rule: String, Sendable, Hashable, CaseIterable {
    /// A step along the slope.
    case slope
    /// The exact minimum of λ |x|^ν + (x - w)² / 2.
    case proximal
  }

  /// λ: the weight of the rate, per step.
  public let strength: Double
  /// ε: keeps the slope finite at zero for shapes below one.
  public let stability: Double
  /// Steps from one estimate of the shape to the next.
  public let refresh: Int
  public let rule: Rule
  /// The shape that is kept instead of an estimate, if given.
  public let fixedShape: Double?
  /// ν as it stands; nil before the first step.
  public private(set) var shape: Double?
  private var steps = 0

  /// Estimates of the shape are kept within these bounds: those of the paper's table.
  public static let shapes = 0.1...3.0

  /// - Throws: `InvalidArgument` for a negative strength or stability, a refresh below one, or a shape that is not above
  ///   zero.
  public init(
    strength: Double, stability: Double = 1e-3, refresh: Int = 20, rule: Rule = .slope, shape: Double? = nil
  ) throws {
    guard strength >= 0, strength.isFinite else {
      throw InvalidArgument("strength", found: "\(strength)", wanted: "a finite number, at least 0")
    }
    guard stability >= 0, stability.isFinite else {
      throw InvalidArgument("stability", found: "\(stability)", wanted: "a finite number, at least 0")
    }
    guard refresh >= 1 else { throw InvalidArgument("refresh", found: "\(refresh)", wanted: "at least 1") }
    if let shape {
      guard shape > 0, shape.isFinite else {
        throw InvalidArgument("shape", found: "\(shape)", wanted: "a finite number above 0")
      }
    }
    (self.strength, self.stability, self.refresh, self.rule) = (strength, stability, refresh, rule)
    (fixedShape, self.shape) = (shape, shape)
  }

  /// Moves all parameters of `model` with two axes or more towards zero.
  public mutating func step<Scalar: RealScalar>(_ model: inout some Module<Scalar>) {
    if fixedShape == nil, steps % refresh == 0 { shape = Self.estimate(model) ?? shape }
    steps += 1
    guard strength > 0, let shape else { return }
    model.forEachParameter { _, weight in
      if weight.rank >= 2 { weight = shrunk(weight, shape: shape) }
    }
  }

  /// One matrix after a step at a given shape.
  public func shrunk<Scalar: RealScalar>(_ weight: Tensor<Scalar>, shape: Double) -> Tensor<Scalar> {
    let magnitude = weight.absolute()
    switch rule {
    case .slope:
      let slope = (magnitude + Scalar(stability)).power(Scalar(shape - 1))
      return (magnitude - slope * Scalar(strength * shape)).maximum(0).copyingSign(of: weight)
    case .proximal:
      let moved = proximalMagnitudes(Tensor<Double>(magnitude), weight: strength, shape: shape)
      return Tensor<Scalar>(moved).copyingSign(of: weight)
    }
  }

  /// The shape by moments of all matrices of a model taken together; nil while they are all zero.
  static func estimate<Scalar: RealScalar>(_ model: some Module<Scalar>) -> Double? {
    var magnitudes = 0.0
    var squares = 0.0
    var count = 0.0
    for weight in model.parameters.tensors where weight.rank >= 2 {
      let sums = ScaledMagnitudes(numbers: weight.dense).momentSums()
      magnitudes += sums.magnitudes
      squares += sums.squares
      count += Double(weight.count)
    }
    guard magnitudes > 0, magnitudes.isFinite, squares.isFinite else { return nil }
    let ratio = squares * count / (magnitudes * magnitudes)
    let shape = GeneralizedGaussianFitting.shape(momentRatio: ratio)
    return min(max(shape, shapes.lowerBound), shapes.upperBound)
  }
}

/// The minimum over x >= 0 of weight · x^shape + (x - m)² / 2 for each m >= 0.
///
/// For shapes of at least one by Newton's method on a convex function. Below one the function has a maximum and then a
/// minimum, which counts where it is better than zero (Marjanovic and Solo, IEEE Trans. Signal Process. 2012).
func proximalMagnitudes(_ magnitudes: Tensor<Double>, weight: Double, shape: Double) -> Tensor<Double> {
  var result = magnitudes
  let factor = weight * shape
  // Where the slope is least for a shape below one; under it and its neighbourhood zero is the minimum.
  let turning = shape < 1 ? Double.pow(2 * weight * (1 - shape), 1 / (2 - shape)) : 0
  let threshold = shape < 1 ? turning + factor * .pow(turning, shape - 1) : 0
  result.withUnsafeMutableBuffer { buffer in
    guard let start = buffer.baseAddress else { return }
    let values = Address(start)
    parallelRanges(buffer.count, grain: 1 << 9) { range in
      for i in range {
        let m = values.start[i]
        guard m > threshold, weight > 0 else {
          values.start[i] = weight > 0 ? 0 : m
          continue
        }
        if shape == 1 {
          values.start[i] = max(m - weight, 0)
          continue
        }
        var x = m
        for _ in 0..<60 {
          let power = Double.pow(x, shape - 2)
          let slope = x + factor * power * x - m
          let curvature = 1 + factor * (shape - 1) * power
          let next = max(x - slope / curvature, x / 16)
          if (next - x).magnitude <= 1e-15 * m { break }
          x = next
        }
        values.start[i] = x
      }
    }
  }
  return result
}
