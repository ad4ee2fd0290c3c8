// Activation functions.

import CVectorKernels
public import Tensors

/// A function applied to every element of a layer's output.
public enum Activation: Sendable, Hashable {
  case identity, relu, tanh, sigmoid, softplus, sine
  /// x Φ(x), with the normal distribution function Φ (Hendrycks and Gimpel 2016).
  case gelu
  /// The same with Φ by a hyperbolic tangent, as in GPT-2.
  case geluTanh
  /// x σ(x), also called swish.
  case silu
  /// x tanh(softplus(x)) (Misra 2019).
  case mish
  /// Self-normalising exponential unit (Klambauer et al., NeurIPS 2017); goes with `AlphaDropout` and LeCun's weights.
  case selu
  /// x, or `limit` (exp(x) - 1) below zero (Clevert et al., ICLR 2016).
  case elu(limit: Double = 1)
  /// x, or `slope` x below zero.
  case leakyReLU(slope: Double = 0.01)

  public func callAsFunction<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    guard let kernel else { return definition(x) }
    return fusedOperation(
      at: [x],
      kernel: { arguments, _ in
        let x = arguments[0].dense
        return FusedResult(value: Self.apply(kernel, x)) { g, _ in [Self.applyBack(kernel, x, g)] }
      },
      definition: { definition($0[0]) })
  }

  struct Kernel {
    var function: apus_activation
    var parameter = 0.0
  }

  /// The fused loop of this function; those without one are single tensor operations.
  var kernel: Kernel? {
    switch self {
    case .identity, .relu, .tanh, .sigmoid, .softplus, .sine: nil
    case .gelu: Kernel(function: APUS_GELU)
    case .geluTanh: Kernel(function: APUS_GELU_TANH)
    case .silu: Kernel(function: APUS_SILU)
    case .mish: Kernel(function: APUS_MISH)
    case .selu: Kernel(function: APUS_SELU)
    case .elu(let limit): Kernel(function: APUS_ELU, parameter: limit)
    case .leakyReLU(let slope): Kernel(function: APUS_LEAKY_RELU, parameter: slope)
    }
  }

  private static func apply<Scalar: RealScalar>(_ kernel: Kernel, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    written(x.shape) { result in
      withPointers([x]) { p in
        parallelRanges(x.count, grain: 1 << 12) { range in
          let start = range.lowerBound
          apus_activate(
            Scalar.precision, kernel.function, kernel.parameter, p[0] + start, result + start, range.count)
        }
      }
    }
  }

  private static func applyBack<Scalar: RealScalar>(
    _ kernel: Kernel, _ x: Tensor<Scalar>, _ g: Tensor<Scalar>
  ) -> Tensor<Scalar> {
    written(x.shape) { result in
      withPointers([x, g]) { p in
        parallelRanges(x.count, grain: 1 << 12) { range in
          let start = range.lowerBound
          apus_activate_back(
            Scalar.precision, kernel.function, kernel.parameter, p[0] + start, p[1] + start, result + start,
            range.count)
        }
      }
    }
  }

  /// The function in tensor operations.
  private func definition<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    switch self {
    case .identity: return x
    case .relu: return x.relu()
    case .tanh: return x.tanh()
    case .sigmoid: return x.sigmoid()
    case .softplus: return x.softplus()
    case .sine: return x.sin()
    case .gelu: return x * ((x * Scalar.sqrt(0.5)).erf() + 1) * Scalar(0.5)
    case .geluTanh:
      let inner = x + x * x.squared() * Scalar(0.044715)
      return x * (inner * (2 * Scalar.sqrt(2 / Scalar.pi))).sigmoid()
    case .silu: return x * x.sigmoid()
    case .mish: return x * x.softplus().tanh()
    case .selu:
      let scale = Scalar(1.0507009873554804934193)
      return exponentialUnit(x, limit: Scalar(1.6732632423543772848170)) * scale
    case .elu(let limit): return exponentialUnit(x, limit: Scalar(limit))
    case .leakyReLU(let slope): return (x .> 0).select(x, x * Scalar(slope))
    }
  }

  private func exponentialUnit<Scalar: RealScalar>(_ x: Tensor<Scalar>, limit: Scalar) -> Tensor<Scalar> {
    let isPositive = x .> 0
    // The exponential only sees what it is used for, so that it cannot overflow and turn a zero slope into NaN.
    let below = isPositive.select(Tensor(0), x).expMinusOne() * limit
    return isPositive.select(x, below)
  }
}

/// silu(gate) · up, the gated unit of LLaMA's feed-forward layers.
///
/// Source: Shazeer, "GLU variants improve transformer", 2020.
public func swiGLU<Scalar: RealScalar>(gate: Tensor<Scalar>, up: Tensor<Scalar>) -> Tensor<Scalar> {
  precondition(gate.shape == up.shape, "a gate of shape \(gate.shape) for values of shape \(up.shape)")
  return fusedOperation(
    at: [gate, up],
    kernel: { arguments, _ in
      let (gate, up) = (arguments[0].dense, arguments[1].dense)
      let value: Tensor<Scalar> = written(gate.shape) { result in
        withPointers([gate, up]) { p in
          parallelRanges(gate.count, grain: 1 << 12) { range in
            let start = range.lowerBound
            apus_swiglu(Scalar.precision, p[0] + start, p[1] + start, result + start, range.count)
          }
        }
      }
      return FusedResult(value: value) { g, _ in swiGLUBack(gate, up, g) }
    },
    definition: { $0[0] * $0[0].sigmoid() * $0[1] })
}

private func swiGLUBack<Scalar: RealScalar>(
  _ gate: Tensor<Scalar>, _ up: Tensor<Scalar>, _ g: Tensor<Scalar>
) -> [Tensor<Scalar>?] {
  var toUp = Tensor<Scalar>(uninitializedShape: gate.shape) { _ in }
  let toGate: Tensor<Scalar> = written(gate.shape) { toGate in
    toUp.withUnsafeMutableBuffer { toUp in
      guard let toUp = toUp.baseAddress else { return }
      withPointers([gate, up, g]) { p in
        parallelRanges(gate.count, grain: 1 << 12) { range in
          let start = range.lowerBound
          apus_swiglu_back(
            Scalar.precision, p[0] + start, p[1] + start, p[2] + start, toGate + start, toUp + start, range.count)
        }
      }
    }
  }
  return [toGate, toUp]
}
