// The generalized Gaussian law, of which the normal (shape 2) and the Laplace law (shape 1) are members.

import Numerics
public import Tensors

/// The density ν / (2 α Γ(1/ν)) exp(-(|x| / α)^ν) of numbers symmetric about zero: the smaller the shape ν, the sharper
/// the peak and the heavier the tails.
///
/// Also called the exponential power or generalized normal law.
///
/// Source: Subbotin, "On the law of frequency of error", 1923; Nadarajah, "A generalized normal distribution", 2005.
public struct GeneralizedGaussian: Sendable, Hashable {
  /// ν > 0.
  public let shape: Double
  /// α > 0, in the units of the numbers.
  public let scale: Double

  /// - Throws: `InvalidArgument` unless both are positive and finite.
  public init(shape: Double, scale: Double = 1) throws {
    guard shape > 0, shape.isFinite else {
      throw InvalidArgument("shape", found: "\(shape)", wanted: "a finite number above 0")
    }
    guard scale > 0, scale.isFinite else {
      throw InvalidArgument("scale", found: "\(scale)", wanted: "a finite number above 0")
    }
    (self.shape, self.scale) = (shape, scale)
  }

  /// The law of this shape with a given standard deviation.
  ///
  /// - Throws: `InvalidArgument` unless both are positive and finite, or where the scale is beyond the range of numbers.
  public init(shape: Double, standardDeviation: Double) throws {
    let ratio = Double.exp((Double.logGamma(1 / shape) - Double.logGamma(3 / shape)) / 2)
    try self.init(shape: shape, scale: standardDeviation * ratio)
  }

  /// log Γ(1/ν) - log ν: the logarithm of half the law's mass in units of its density at zero.
  private var logHalfWidth: Double { Double.logGamma(1 / shape) - .log(shape) }

  // MARK: Moments

  /// α² Γ(3/ν) / Γ(1/ν).
  public var variance: Double {
    scale * scale * .exp(Double.logGamma(3 / shape) - Double.logGamma(1 / shape))
  }

  public var standardDeviation: Double { variance.squareRoot() }

  /// The mean of |x|, α Γ(2/ν) / Γ(1/ν).
  public var meanMagnitude: Double {
    scale * .exp(Double.logGamma(2 / shape) - Double.logGamma(1 / shape))
  }

  /// The mean of x² over the squared mean of |x|, Γ(1/ν) Γ(3/ν) / Γ(2/ν)²: a function of the shape alone, falling from
  /// infinity to 4/3; π/2 for the normal law.
  public static func momentRatio(shape: Double) -> Double {
    .exp(Double.logGamma(1 / shape) + Double.logGamma(3 / shape) - 2 * Double.logGamma(2 / shape))
  }

  /// The differential entropy in nats, 1/ν + log(2 α Γ(1/ν) / ν).
  public var entropy: Double { 1 / shape + .log(2 * scale) + logHalfWidth }

  // MARK: Functions of one number

  public func logDensity(_ x: Double) -> Double {
    -.pow(x.magnitude / scale, shape) - .log(2 * scale) - logHalfWidth
  }

  public func density(_ x: Double) -> Double { .exp(logDensity(x)) }

  /// The probability of at most `x`; far lower tails keep their relative precision.
  public func cumulative(_ x: Double) -> Double {
    if x.isNaN { return .nan }
    let (inside, outside) = Double.incompleteGamma(a: 1 / shape, x: .pow(x.magnitude / scale, shape))
    return x < 0 ? 0.5 * outside : 0.5 + 0.5 * inside
  }

  /// The x with probability `p` of at most x; infinite at 0 and 1, NaN outside.
  public func quantile(_ p: Double) -> Double {
    guard p >= 0, p <= 1 else { return .nan }
    let offset = 2 * (p - 0.5).magnitude
    let power =
      offset < 0.5
      ? Double.inverseRegularizedGammaP(a: 1 / shape, p: offset)
      : Double.inverseRegularizedGammaQ(a: 1 / shape, q: 2 * min(p, 1 - p))
    let magnitude = scale * .pow(power, 1 / shape)
    return p < 0.5 ? -magnitude : magnitude
  }

  /// The mean of |x|^k over low <= x < high only, for 0 <= low <= high, as a part of the whole law.
  ///
  /// - Parameter k: at least 0; 0 gives the probability of the interval.
  public func partialMoment(_ k: Int, from low: Double, to high: Double) -> Double {
    let a = Double(k + 1) / shape
    let lower = Double.incompleteGamma(a: a, x: .pow(low / scale, shape))
    let upper = Double.incompleteGamma(a: a, x: .pow(high / scale, shape))
    // Of the two differences, the one of the smaller numbers.
    let part = lower.lower < 0.5 ? upper.lower - lower.lower : lower.upper - upper.upper
    return 0.5 * .pow(scale, k) * .exp(Double.logGamma(a) - Double.logGamma(1 / shape)) * max(part, 0)
  }

  // MARK: Functions of tensors

  /// The logarithm of the density of every element; derivatives flow to `x`.
  public func logDensity<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    -(x.absolute() * Scalar(1 / scale)).power(Scalar(shape)) - Scalar(.log(2 * scale) + logHalfWidth)
  }

  public func density<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> { logDensity(x).exp() }

  /// The distribution function at every element; derivatives flow to `x`.
  public func cumulative<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let inside = (x.absolute() * Scalar(1 / scale)).power(Scalar(shape)).regularizedGammaP(a: 1 / shape)
    return inside.copyingSign(of: x) * Scalar(0.5) + Scalar(0.5)
  }

  /// The quantile of every element: to rounding for few, and for many by interpolation within 2e-9 relative
  /// (single precision rounds more), in about twenty nanoseconds each.
  public func quantile<Scalar: RealScalar>(_ p: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(!p.isDifferentiated, "quantiles are constants: take the derivative of the distribution function")
    let levels = Tensor<Double>(p)
    var result = levels
    let table = levels.count >= 1 << 13 ? GeneralizedGaussianTable(self) : nil
    result.withUnsafeMutableBuffer { buffer in
      guard let start = buffer.baseAddress else { return }
      let values = Values(start: start)
      parallelRanges(buffer.count, grain: table == nil ? 64 : 1 << 11) { range in
        if let table {
          table.replaceLevels(values.start + range.lowerBound, count: range.count)
        } else {
          for i in range { values.start[i] = quantile(values.start[i]) }
        }
      }
    }
    return Tensor<Scalar>(result)
  }

  /// Independent numbers of this law.
  ///
  /// |x| = α G^(1/ν) for a gamma variable G of shape 1/ν, with a random sign.
  public func sample<Scalar: RealScalar>(
    _ shape: [Int], from random: inout RandomStream, of type: Scalar.Type = Scalar.self
  ) -> Tensor<Scalar> {
    let inverse = 1 / self.shape
    let logarithms = logGammaSample(shape, &random)
    let magnitudes = (logarithms * inverse).exp() * scale
    let signs: Tensor<Double> = random.uniform(shape)
    return Tensor<Scalar>(magnitudes.copyingSign(of: signs - 0.5))
  }

  /// log G for gamma variables G of shape a = 1/ν. Below one by log G = log G' + log U / a with G' of shape a + 1,
  /// which cannot underflow.
  private func logGammaSample(_ shape: [Int], _ random: inout RandomStream) -> Tensor<Double> {
    let a = 1 / self.shape
    guard a < 1 else {
      let gamma: Tensor<Double> = random.gamma(shape, shapeParameter: a)
      return gamma.log()
    }
    let gamma: Tensor<Double> = random.gamma(shape, shapeParameter: a + 1)
    let exponential: Tensor<Double> = random.exponential(shape)
    return gamma.log() - exponential * self.shape
  }
}

/// Memory that several threads write to at different places.
private struct Values: @unchecked Sendable { let start: UnsafeMutablePointer<Double> }

/// The quantile function of a generalized Gaussian law, interpolated.
///
/// With s = -log(2 min(p, 1 - p)), log(|x| / α) is a smooth function of log s, nearly straight at both ends. Cubic
/// Hermite pieces between exact values and slopes, 1/64 apart, follow it within 2e-9.
private struct GeneralizedGaussianTable: Sendable {
  private static let perUnit = 64.0
  /// Below, the straight line goes on: |x| / α = s · Γ(1/ν) / ν there, to rounding.
  private static let low = -36.0
  /// Above log(745) there is no number left between p and zero.
  private static let high = 6.65

  private let scale: Double
  /// Value and slope, times the distance of nodes, at each node.
  private let values: [Double]
  private let slopes: [Double]

  init(_ law: GeneralizedGaussian) {
    scale = law.scale
    let a = 1 / law.shape
    let logHalfWidth = Double.logGamma(a) - .log(law.shape)
    let count = Int((Self.high - Self.low) * Self.perUnit) + 2
    var values = [Double](repeating: 0, count: count)
    var slopes = values
    values.withUnsafeMutableBufferPointer { values in
      slopes.withUnsafeMutableBufferPointer { slopes in
        guard let value = values.baseAddress, let slope = slopes.baseAddress else { return }
        let (valueAt, slopeAt) = (Values(start: value), Values(start: slope))
        parallelRanges(count, grain: 64) { range in
          for i in range {
            let logExponent = Self.low + Double(i) / Self.perUnit
            let s = Double.exp(logExponent)
            let power =
              s < 0.7
              ? Double.inverseRegularizedGammaP(a: a, p: -.expMinusOne(-s))
              : Double.inverseRegularizedGammaQ(a: a, q: .exp(-s))
            let logMagnitude = power > 0 ? a * .log(power) : .log(-.expMinusOne(-s)) + logHalfWidth
            valueAt.start[i] = logMagnitude
            // d log z / d log s = s e^-s / (z density(z)), with the density of |x| / α.
            slopeAt.start[i] = .exp(logExponent - s + power + logHalfWidth - logMagnitude) / Self.perUnit
          }
        }
      }
    }
    (self.values, self.slopes) = (values, slopes)
  }

  /// Probabilities become quantiles, in place.
  func replaceLevels(_ p: UnsafeMutablePointer<Double>, count: Int) {
    let last = values.count - 2
    values.withUnsafeBufferPointer { values in
      slopes.withUnsafeBufferPointer { slopes in
        for i in 0..<count {
          let level = p[i]
          guard level > 0, level < 1 else {
            p[i] = level == 0 ? -.infinity : level == 1 ? .infinity : .nan
            continue
          }
          let distance = level - 0.5
          let tail = 2 * min(level, 1 - level)
          let s = tail > 0.5 ? -Double.log(onePlus: -2 * distance.magnitude) : -Double.log(tail)
          guard s > 0 else {
            p[i] = 0
            continue
          }
          let place = (Double.log(s) - Self.low) * Self.perUnit
          let node = max(0, min(last, Int(place)))
          let t = place - Double(node)
          let logMagnitude: Double
          if t < 0 {
            logMagnitude = values[0] + t * slopes[0]
          } else {
            let rise = values[node + 1] - values[node]
            let bend = (slopes[node] - rise) * (1 - t) - (slopes[node + 1] - rise) * t
            logMagnitude = values[node] + t * (rise + (1 - t) * bend)
          }
          let magnitude = scale * .exp(logMagnitude)
          p[i] = distance < 0 ? -magnitude : magnitude
        }
      }
    }
  }
}
