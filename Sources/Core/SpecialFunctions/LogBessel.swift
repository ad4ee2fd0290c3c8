// Logarithms of the modified Bessel functions I_v and K_v of any order, and the ratio of neighbouring orders.
//
// I_v and K_v themselves overflow or vanish long before the models that need them end: a von Mises–Fisher law on a
// sphere of thousands of dimensions, a Matérn kernel, a Rice likelihood. Their logarithms do not.
//
// Source: Plesner, Sørensen and Hauberg, "Accurate computation of the logarithm of modified Bessel functions on GPUs",
// ICS 2024, arXiv 2409.08729, for the division of the plane into regions; the formulas and their borders are our own
// (bessel.c), chosen so that the error stays below 4e-15 max(1, |value|) everywhere.

import CVectorKernels
import Numerics
public import Tensors

extension Double {
  /// log I_v(x) of order v >= 0 at x >= 0; NaN for negative arguments. I_v(0) is 1 for v = 0 and otherwise 0.
  public static func logBesselI(_ order: Double, _ x: Double) -> Double { one(apus_log_bessel_i, order, x) }

  /// log K_v(x) of order v >= 0 at x >= 0; NaN for negative arguments, infinite at zero.
  public static func logBesselK(_ order: Double, _ x: Double) -> Double { one(apus_log_bessel_k, order, x) }

  /// I_{v+1}(x) / I_v(x), in [0, 1), to a few units in the last place.
  public static func besselRatio(_ order: Double, _ x: Double) -> Double { one(apus_bessel_ratio, order, x) }

  private static func one(_ kernel: BesselKernel, _ order: Double, _ x: Double) -> Double {
    var (order, x, result) = (order, x, 0.0)
    kernel(&order, 1, &x, 1, &result, 1)
    return result
  }
}

/// log I_v(x), element by element; the shapes of `order` and `x` broadcast.
///
/// Computed in f64 whatever the scalar. Differentiable in x to any order; a traced `order` traps.
///
/// - Parameters:
///   - order: v >= 0.
///   - x: x >= 0. Negative or NaN elements of either give NaN.
/// - Complexity: O(count) time, whatever the orders: every region's formula has a bounded number of terms.
public func logBesselI<Scalar: RealScalar>(order: Tensor<Scalar>, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
  differentiated(order, x, apus_log_bessel_i) { order, x, _ in
    // DLMF 10.29.2: I' = I_{v+1} + (v / x) I_v.
    besselRatio(order: order, x) + order / x
  }
}

/// log K_v(x), element by element; see `logBesselI`.
public func logBesselK<Scalar: RealScalar>(order: Tensor<Scalar>, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
  differentiated(order, x, apus_log_bessel_k) { order, x, value in
    // DLMF 10.29.2: K' = -K_{v-1} - (v / x) K_v, and K_{-v} = K_v.
    let below = (logBesselK(order: (order - 1).absolute(), x) - value).exp()
    return -below - order / x
  }
}

/// I_{v+1}(x) / I_v(x), element by element, to a few units in the last place; see `logBesselI`.
public func besselRatio<Scalar: RealScalar>(order: Tensor<Scalar>, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
  differentiated(order, x, apus_bessel_ratio) { order, x, value in
    // From the recurrences DLMF 10.29.1 and 2.
    1 - value.squared() - (order * 2 + 1) / x * value
  }
}

/// log I_v(x) of one order.
public func logBesselI<Scalar: RealScalar>(order: Scalar, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
  logBesselI(order: Tensor(order), x)
}

/// log K_v(x) of one order.
public func logBesselK<Scalar: RealScalar>(order: Scalar, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
  logBesselK(order: Tensor(order), x)
}

/// I_{v+1}(x) / I_v(x) of one order.
public func besselRatio<Scalar: RealScalar>(order: Scalar, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
  besselRatio(order: Tensor(order), x)
}

/// The formula that serves a point of the (v, x) plane.
public enum BesselRegion: Int32, Sendable, Hashable, CaseIterable {
  /// Debye's uniform expansion of the order in its name, the cheaper the farther from the origin.
  case uniform4, uniform6, uniform9, uniform13
  /// The power series of I, and the integral of K.
  case nearSeries, series
  /// The power series of I, and Temme's series of K.
  case smallArgument
  /// Zero, infinite, huge or invalid arguments.
  case exceptional

  public init(order: Double, _ x: Double) {
    self = BesselRegion(rawValue: apus_bessel_region(order, x)) ?? .exceptional
  }
}

private typealias BesselKernel = (
  UnsafePointer<Double>, Int, UnsafePointer<Double>, Int, UnsafeMutablePointer<Double>, Int
) -> Void

/// The kernel's values, with the derivative `slope(order, x, value)` in x.
private func differentiated<Scalar: RealScalar>(
  _ order: Tensor<Scalar>, _ x: Tensor<Scalar>, _ kernel: @escaping BesselKernel,
  slope: @escaping (Tensor<Scalar>, Tensor<Scalar>, Tensor<Scalar>) -> Tensor<Scalar>
) -> Tensor<Scalar> {
  precondition(!order.isDifferentiated, "Bessel functions have no derivative in their order here")
  guard x.isDifferentiated else { return values(order, x, kernel) }
  return customDerivative(at: x) { x in
    // Differentiable itself when somebody outside asks for it.
    let value = differentiated(order, x, kernel, slope: slope)
    return (value, { g in (g * slope(order, x, value)).sum(to: x.shape) })
  }
}

private func values<Scalar: RealScalar>(
  _ order: Tensor<Scalar>, _ x: Tensor<Scalar>, _ kernel: BesselKernel
) -> Tensor<Scalar> {
  let shape = x.shape == order.shape ? x.shape : (x + order).shape
  let arguments = Tensor<Double>(x.broadcast(to: shape))
  // One order for all is passed as it is, with stride zero.
  let orders = Tensor<Double>(order.count == 1 ? order.reshaped([1]) : order.broadcast(to: shape))
  let stride = orders.count == 1 ? 0 : 1
  let result = Tensor<Double>(uninitializedShape: shape) { buffer in
    guard let to = buffer.baseAddress else { return }
    nonisolated(unsafe) let target = to
    nonisolated(unsafe) let kernel = kernel
    arguments.withUnsafeBuffer { x in
      orders.withUnsafeBuffer { v in
        guard let x = x.baseAddress, let v = v.baseAddress else { return }
        nonisolated(unsafe) let from = x
        nonisolated(unsafe) let order = v
        // Pieces of fixed size: the last bits of an element depend on its neighbours.
        let piece = 1 << 12
        let count = buffer.count
        parallelTasks((count + piece - 1) / piece) { task in
          let start = task * piece
          kernel(order + start * stride, stride, from + start, 1, target + start, min(piece, count - start))
        }
      }
    }
  }
  return Tensor<Scalar>(result)
}
