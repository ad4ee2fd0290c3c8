// The von Mises–Fisher law on the unit sphere, in any number of dimensions.

import Numerics
public import Tensors

/// The density C_p(k) exp(k mu · x) of unit vectors x in p dimensions: concentrated about mu the more, the larger k.
///
/// Source: Mardia and Jupp, "Directional Statistics", 2000, ch. 9.3; the normalising constant through log I_{p/2-1}
/// (Plesner, Sørensen and Hauberg, ICS 2024), so that thousands of dimensions do not underflow.
public struct VonMisesFisher: Sendable {
  /// mu, of shape [p] and length one.
  public let meanDirection: Tensor<Double>
  /// k >= 0; zero is the uniform law.
  public let concentration: Double

  /// - Throws: `InvalidArgument` when the direction is not of length one (within 1e-6) or the concentration is negative.
  public init(meanDirection: Tensor<Double>, concentration: Double) throws {
    guard meanDirection.rank == 1, meanDirection.count >= 2 else {
      throw InvalidArgument("meanDirection", found: "shape \(meanDirection.shape)", wanted: "[p] with p >= 2")
    }
    let length = meanDirection.sumOfSquares().scalar.squareRoot()
    guard abs(length - 1) < 1e-6 else {
      throw InvalidArgument("meanDirection", found: "length \(length)", wanted: "a unit vector")
    }
    guard concentration >= 0, concentration.isFinite else {
      throw InvalidArgument("concentration", found: "\(concentration)", wanted: "a finite number >= 0")
    }
    self.meanDirection = meanDirection / length
    self.concentration = concentration
  }

  public var dimension: Int { meanDirection.count }

  /// log C_p(k) = (p/2 - 1) log k - (p/2) log 2 pi - log I_{p/2-1}(k).
  public static func logNormalizer(dimension: Int, concentration: Double) -> Double {
    let half = Double(dimension) / 2
    guard concentration > 0 else { return Double.logGamma(half) - Double.log(2) - half * Double.log(.pi) }
    let logarithm = Double.log(concentration)
    return (half - 1) * logarithm - half * Double.log(2 * .pi) - Double.logBesselI(half - 1, concentration)
  }

  public var logNormalizer: Double { Self.logNormalizer(dimension: dimension, concentration: concentration) }

  /// The length of the mean vector of the law, A_p(k) = I_{p/2}(k) / I_{p/2-1}(k).
  public var meanResultantLength: Double { Double.besselRatio(Double(dimension) / 2 - 1, concentration) }

  /// The differential entropy, -log C_p(k) - k A_p(k), in nats.
  public var entropy: Double { -logNormalizer - concentration * meanResultantLength }

  /// The log-density of each row.
  ///
  /// - Parameter x: unit vectors, of shape [..., p].
  public func logProbability(_ x: Tensor<Double>) -> Tensor<Double> {
    x.matmul(meanDirection) * concentration + logNormalizer
  }

  /// Draws unit vectors, of shape [count, p].
  ///
  /// Source: Wood, "Simulation of the von Mises Fisher distribution", 1994: rejection for the component along the mean,
  /// and a uniform direction across it.
  public func sample(_ count: Int, from random: inout RandomStream) -> Tensor<Double> {
    let gaps = self.gaps(count, &random).expanded(axis: 1)
    let normal: Tensor<Double> = random.normal([count, dimension])
    // Twice, for the first rest may be small and mostly rounding.
    let unit = across(across(normal))
    return (1 - gaps) * meanDirection + (gaps * (2 - gaps)).sqrt() * unit
  }

  /// What the rows have across the mean direction, scaled to length one.
  private func across(_ x: Tensor<Double>) -> Tensor<Double> {
    let rest = x - x.matmul(meanDirection).expanded(axis: 1) * meanDirection
    return rest / rest.sumOfSquares(axes: [1], keepingAxes: true).sqrt()
  }

  /// One less the components along the mean, which for large concentrations are one but for rounding.
  ///
  /// With q = 1 - (1 - b) z for a beta variate z, the component is 1 - 2 b z / q; in this form nothing of Wood's test
  /// cancels or overflows.
  private func gaps(_ count: Int, _ random: inout RandomStream) -> Tensor<Double> {
    let degrees = Double(dimension - 1)
    let spread = degrees / (2 * concentration)
    let b = spread.isFinite ? spread / (1 + Double.hypot(1, spread)) : 1
    let concentrated = spread.isFinite ? degrees / (1 + Double.hypot(1, spread)) : 0  // 2 k b
    var accepted: [Double] = []
    accepted.reserveCapacity(count)
    while accepted.count < count {
      let wanted = count - accepted.count
      let z = random.beta([wanted + wanted / 4 + 8], degrees / 2, degrees / 2) as Tensor<Double>
      let u = random.uniform(z.shape, of: Double.self)
      let q = 1 - z * (1 - b)
      let margin = (1 / (1 + b) - z / q) * concentrated + ((1 + b) / (q * 2)).log() * degrees
      let isAccepted = margin .>= u.log()
      (z / q * (2 * b)).withUnsafeBuffer { gaps in
        isAccepted.withUnsafeBuffer { isAccepted in
          for i in gaps.indices where isAccepted[i] && accepted.count < count { accepted.append(gaps[i]) }
        }
      }
    }
    return Tensor(accepted)
  }
}

/// A fitted law, and how the fit went.
public struct VonMisesFisherFit: Sendable {
  public let distribution: VonMisesFisher
  /// The length of the mean of the data, R in (0, 1).
  public let meanResultantLength: Double
  /// Banerjee's approximation R (p - R²) / (1 - R²), where Newton's method starts.
  public let approximateConcentration: Double
  /// The residual is |A_p(k) - R|.
  public let convergence: Convergence
}

/// Maximum likelihood: mu is the direction of the mean, and k solves A_p(k) = R by Newton's method.
///
/// Source: Banerjee et al., "Clustering on the unit hypersphere using von Mises–Fisher distributions", JMLR 2005, eq. 4.4
/// for the start; Sra, Computational Statistics 2012, for the iteration.
public struct VonMisesFisherFitting: Sendable {
  public var tolerance = 1e-14
  public var maximumIterations = 50

  public init(tolerance: Double = 1e-14, maximumIterations: Int = 50) {
    self.tolerance = tolerance
    self.maximumIterations = maximumIterations
  }

  /// - Parameter x: vectors, of shape [n, p] with p >= 2; each is divided by its length.
  /// - Throws: `InvalidArgument` for a zero, NaN or infinite row, and when the law is degenerate: all rows equal
  ///   (k infinite) or without a mean direction (k zero).
  public func fit(_ x: Tensor<Double>) throws -> VonMisesFisherFit {
    try x.requireMatrix("x")
    guard x.columns >= 2 else {
      throw InvalidArgument("x", found: "shape \(x.shape)", wanted: "[n, p] with p >= 2")
    }
    let lengths = x.sumOfSquares(axes: [1], keepingAxes: true).sqrt()
    let least = lengths.flattened.argmin(axis: 0).scalar
    guard lengths[at: least, 0] > 0 else {
      throw InvalidArgument("x", found: "row \(least) of length zero", wanted: "rows with a direction")
    }
    let mean = (x / lengths).mean(axis: 0)
    let length = mean.sumOfSquares().scalar.squareRoot()
    guard length > 1e-14 else {
      throw InvalidArgument("x", found: "a mean of length \(length)", wanted: "rows with a common direction")
    }
    guard length < 1 - 1e-14 else {
      throw InvalidArgument("x", found: "rows that are all equal", wanted: "rows that spread about their mean")
    }
    let (concentration, convergence) = concentration(dimension: x.columns, meanResultantLength: length)
    return VonMisesFisherFit(
      distribution: try VonMisesFisher(meanDirection: mean / length, concentration: concentration),
      meanResultantLength: length,
      approximateConcentration: Self.approximateConcentration(dimension: x.columns, meanResultantLength: length),
      convergence: convergence)
  }

  /// Banerjee's approximation to the solution of A_p(k) = R.
  public static func approximateConcentration(dimension: Int, meanResultantLength length: Double) -> Double {
    length * (Double(dimension) - length * length) / (1 - length * length)
  }

  /// The solution k of A_p(k) = R, for R in (0, 1).
  public func concentration(
    dimension: Int, meanResultantLength length: Double
  ) -> (concentration: Double, convergence: Convergence) {
    precondition(length > 0 && length < 1, "a mean resultant length lies in (0, 1), but is \(length)")
    let order = Double(dimension) / 2 - 1
    var concentration = Self.approximateConcentration(dimension: dimension, meanResultantLength: length)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: maximumIterations)
    var ratio = Double.besselRatio(order, concentration)
    while convergence.continues(residual: abs(ratio - length)) {
      let slope = 1 - ratio * ratio - Double(dimension - 1) * ratio / concentration
      let next = concentration - (ratio - length) / slope
      // Newton's method on a concave function may overshoot to the left once.
      concentration = next > 0 ? next : concentration / 2
      ratio = Double.besselRatio(order, concentration)
    }
    return (concentration, convergence)
  }
}
