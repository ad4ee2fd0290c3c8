// Special functions of every element of a tensor. Derivatives flow through all of them, to any order, with respect to the
// argument; parameters are constants. Single precision is computed in double precision and rounded.

import Numerics
public import Tensors

extension Tensor where Scalar: RealScalar {
  /// log |Γ(x)|.
  public func logGamma() -> Tensor { function({ Double.logGamma($0) }, slope: { x, _ in x.digamma() }) }

  /// The logarithmic derivative of the gamma function.
  public func digamma() -> Tensor { function({ Double.digamma($0) }, slope: { x, _ in x.polygamma(order: 1) }) }

  /// The derivative of ``digamma()`` of an order of at least one; ``polygamma(order:)`` of order one is the trigamma
  /// function.
  public func polygamma(order: Int) -> Tensor {
    function({ Double.polygamma(order: order, $0) }, slope: { x, _ in x.polygamma(order: order + 1) })
  }

  /// The x at which erf(x) is this; infinite at -1 and 1, NaN outside.
  public func inverseErf() -> Tensor {
    function({ Double.inverseErf($0) }, slope: { _, y in y.squared().exp() * Scalar(0.5 * Double.pi.squareRoot()) })
  }

  /// The x at which erfc(x) is this; infinite at 0 and 2, NaN outside.
  public func inverseErfc() -> Tensor {
    function({ Double.inverseErfc($0) }, slope: { _, y in y.squared().exp() * Scalar(-0.5 * Double.pi.squareRoot()) })
  }

  /// exp(x²) erfc(x), without overflow or underflow for positive x.
  public func scaledErfc() -> Tensor {
    function({ Double.scaledErfc($0) }, slope: { x, y in (x + x) * y - Scalar(2 / Double.pi.squareRoot()) })
  }

  /// The standard normal distribution function.
  public func normalCDF() -> Tensor {
    function(
      { Double.normalCDF($0) },
      slope: { x, _ in
        (x.squared() * -0.5).exp() * Scalar(1 / (2 * Double.pi).squareRoot())
      })
  }

  /// The x at which the standard normal distribution function is this; infinite at 0 and 1, NaN outside.
  public func normalQuantile() -> Tensor {
    function(
      { Double.normalQuantile($0) },
      slope: { _, y in
        (y.squared() * 0.5).exp() * Scalar((2 * Double.pi).squareRoot())
      })
  }

  /// The regularized incomplete gamma function P(a, x), from zero to one.
  public func regularizedGammaP(a: Double) -> Tensor {
    function({ Double.regularizedGammaP(a: a, x: $0) }, slope: { x, _ in x.gammaDensity(a: a) })
  }

  /// Its complement Q(a, x) = 1 - P(a, x), precise where it is small.
  public func regularizedGammaQ(a: Double) -> Tensor {
    function({ Double.regularizedGammaQ(a: a, x: $0) }, slope: { x, _ in -x.gammaDensity(a: a) })
  }

  /// The regularized incomplete beta function I_x(a, b), from zero to one.
  public func regularizedBeta(a: Double, b: Double) -> Tensor {
    let logBeta = Double.logGamma(a) + Double.logGamma(b) - Double.logGamma(a + b)
    return function(
      { Double.regularizedBeta(a: a, b: b, x: $0) },
      slope: { x, _ in
        x.power(Scalar(a - 1)) * (1 - x).power(Scalar(b - 1)) * Scalar(Double.exp(-logBeta))
      })
  }

  /// x^(a - 1) e^(-x) / Γ(a).
  private func gammaDensity(a: Double) -> Tensor {
    let logarithm = Double.logGamma(a)
    // Together in the exponent where the parts would overflow; as a power where x may be zero.
    if a > 20 { return (log() * Scalar(a - 1) - self - Scalar(logarithm)).exp() }
    return power(Scalar(a - 1)) * (-self).exp() * Scalar(Double.exp(-logarithm))
  }

  /// A function of each element, and its slope as a function of x and y, which may be differentiated again.
  private func function(
    _ value: @escaping @Sendable (Double) -> Double, slope: @escaping (_ x: Tensor, _ y: Tensor) -> Tensor
  ) -> Tensor {
    guard isDifferentiated else { return Tensor(mapped(Tensor<Double>(self), value)) }
    return customDerivative(at: self) { x in
      let y = x.function(value, slope: slope)
      return (y, { g in g * slope(x, y) })
    }
  }
}

private func mapped(_ x: Tensor<Double>, _ function: @Sendable (Double) -> Double) -> Tensor<Double> {
  Tensor(uninitializedShape: x.shape) { result in
    x.withUnsafeBuffer { x in
      guard let from = x.baseAddress, let to = result.baseAddress else { return }
      parallelRanges(x.count, grain: 256) { range in
        for i in range { to[i] = function(from[i]) }
      }
    }
  }
}
