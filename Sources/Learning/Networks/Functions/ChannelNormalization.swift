// Normalisation over groups of channel planes: one rule behind batch, group and instance normalisation.
//
// Where nothing but a first derivative is asked for, one pass of a C kernel per group computes statistics, value and
// what follows the normalisation; the group is then still in the cache. At higher orders the same formula runs as
// tensor operations.

import CVectorKernels
import Tensors

/// Which elements of a tensor of shape [examples, channels, ...] share a mean and a variance.
enum NormalizationGroups: Sendable, Hashable {
  /// A channel over all examples.
  case channelsOfBatch
  /// Each of so many equal parts of an example's channels.
  case partsOfExample(Int)
}

/// The statistics of each group: their number of values is the number of groups.
struct GroupStatistics<Scalar: RealScalar> {
  var mean: Tensor<Scalar>
  /// The mean squared distance from the mean.
  var variance: Tensor<Scalar>
}

/// A normalised tensor, what it was normalised by, and from kernels the way back.
private struct Normalized<Scalar: RealScalar> {
  let value: Tensor<Scalar>
  let statistics: GroupStatistics<Scalar>
  /// The cotangents of the arguments from the dense cotangent of the value; by example, each example has its own for the
  /// weight and the bias.
  var pullback: ((_ g: Tensor<Scalar>, _ byExample: Bool) -> [Tensor<Scalar>?])?
}

/// A normalisation of the channels of one shape.
struct ChannelNormalization<Scalar: RealScalar>: Sendable {
  let groups: NormalizationGroups
  let epsilon: Double
  /// What is applied to the result; rectified and sigmoid-weighted units cost no pass of their own.
  let activation: Activation

  /// activation((x - mean) / √(variance + ε) · weight + bias + residual) and the statistics that were used.
  ///
  /// - Parameters: x, shape [examples, channels, ...]; weight and bias, shape [channels]; residual, of the shape of x.
  func callAsFunction(
    _ x: Tensor<Scalar>, weight: Tensor<Scalar>?, bias: Tensor<Scalar>?, adding residual: Tensor<Scalar>? = nil
  ) -> (value: Tensor<Scalar>, statistics: GroupStatistics<Scalar>) {
    let channels = requireChannels(x, weight, bias, residual)
    var arguments = [x, weight ?? .ones([channels]), bias ?? .zeros([channels])]
    if let residual { arguments.append(residual) }
    // Planes of a few elements are no work for a kernel by planes.
    guard x.count >= 8 * x.shape[0] * channels else {
      let result = evaluated(arguments)
      return (result.value, result.statistics)
    }
    guard let kernel = activation.kernel(hasResidual: residual != nil) else {
      let plain = ChannelNormalization(groups: groups, epsilon: epsilon, activation: .identity)
      let (value, statistics) = plain(x, weight: weight, bias: bias, adding: residual)
      return (activation(value), statistics)
    }
    var statistics: GroupStatistics<Scalar>?
    func rule(_ arguments: [Tensor<Scalar>]) -> ([Tensor<Scalar>], (_ byExample: Bool) -> Pullback<Scalar, Scalar>) {
      let isFirstOrder = !arguments.contains(where: \.isDifferentiated)
      let result = isFirstOrder ? fused(arguments, kernel) : evaluated(arguments)
      statistics = result.statistics
      let kernelPullback = result.pullback
      return (
        [result.value],
        { byExample in
          { cotangents, _ in
            guard let g = cotangents[0] else { return [] }
            if let kernelPullback, !g.isDifferentiated { return kernelPullback(g.dense, byExample) }
            return differentiated(arguments, g, byExample: byExample)
          }
        }
      )
    }
    let value: [Tensor<Scalar>]
    switch groups {
    case .channelsOfBatch:
      value = customDerivatives(at: arguments) { arguments in
        let (values, pullback) = rule(arguments)
        return (values, pullback(false))
      }
    case .partsOfExample:
      value = customDerivatives(
        at: arguments,
        perExample: { arguments in
          let (values, pullback) = rule(arguments)
          return (values, pullback(false), pullback(true))
        })
    }
    guard let statistics else { preconditionFailure("a rule sets its statistics") }
    return (value[0], statistics)
  }

  private func requireChannels(
    _ x: Tensor<Scalar>, _ weight: Tensor<Scalar>?, _ bias: Tensor<Scalar>?, _ residual: Tensor<Scalar>?
  ) -> Int {
    precondition(
      x.rank >= 2 && !x.isEmpty, "a normalisation needs shape [examples, channels, ...], but is given \(x.shape)")
    let channels = x.shape[1]
    for parameter in [weight, bias] {
      precondition(
        parameter.map { $0.shape == [channels] } ?? true,
        "a weight or bias of shape \(parameter?.shape ?? []) for \(channels) channels")
    }
    precondition(
      residual.map { $0.shape == x.shape } ?? true,
      "a residual of shape \(residual?.shape ?? []) for an input of shape \(x.shape)")
    if case .partsOfExample(let parts) = groups {
      precondition(parts > 0 && channels % parts == 0, "\(channels) channels do not split into \(parts) groups")
    }
    return channels
  }

  // MARK: In tensor operations

  /// The way back from the cotangent g; by example, the weight and the bias count as one for each of them.
  private func differentiated(
    _ arguments: [Tensor<Scalar>], _ g: Tensor<Scalar>, byExample: Bool
  ) -> [Tensor<Scalar>?] {
    var arguments = arguments
    if byExample {
      for i in 1...2 { arguments[i] = arguments[i].broadcast(to: [g.shape[0]] + arguments[i].shape) }
    }
    return vectorJacobianProduct(at: arguments, of: { evaluated($0).value }, direction: { _ in g }).gradients
  }

  private func evaluated(_ arguments: [Tensor<Scalar>]) -> Normalized<Scalar> {
    let x = arguments[0]
    let perChannel = [-1, x.shape[1]] + [Int](repeating: 1, count: x.rank - 2)
    let grouped: Tensor<Scalar>
    let axes: [Int]
    switch groups {
    case .channelsOfBatch: (grouped, axes) = (x, [0] + Array(2..<x.rank))
    case .partsOfExample(let parts): (grouped, axes) = (x.reshaped([x.shape[0], parts, -1]), [2])
    }
    let mean = grouped.mean(axes: axes, keepingAxes: true)
    let centred = grouped - mean
    let variance = centred.squared().mean(axes: axes, keepingAxes: true)
    let normalized = (centred * (variance + Scalar(epsilon)).reciprocalSqrt()).reshaped(x.shape)
    var value = normalized * arguments[1].reshaped(perChannel) + arguments[2].reshaped(perChannel)
    if arguments.count > 3 { value = value + arguments[3] }
    let statistics = GroupStatistics(mean: mean.flattened, variance: variance.flattened)
    return Normalized(value: activation(value), statistics: statistics)
  }

  // MARK: In kernels

  private func fused(_ arguments: [Tensor<Scalar>], _ activation: apus_norm_activation) -> Normalized<Scalar> {
    let x = arguments[0].dense
    let layout = ChannelGroupLayout(x.shape, groups)
    let (weight, bias) = (arguments[1].dense, arguments[2].dense)
    let residual = arguments.count > 3 ? arguments[3].dense : nil
    let count = layout.count
    let mean = UnsafeMutablePointer<Double>.allocate(capacity: 2 * count)
    defer { mean.deallocate() }
    let variance = mean + count
    let value = Tensor<Scalar>(uninitializedShape: x.shape) { buffer in
      layout.withPointers(x, weight, bias, residual) { x, weight, bias, residual in
        let run = ChannelKernelRun(layout, activation, epsilon, x: x, weight: weight, bias: bias)
        run.forward(residual, to: buffer.baseAddress!, mean, variance)
      }
    }
    let moments = (0..<2 * count).map { mean[$0] }
    let statistics = GroupStatistics(
      mean: Tensor(moments[..<count].map { Scalar($0) }), variance: Tensor(moments[count...].map { Scalar($0) }))
    return Normalized(value: value, statistics: statistics) { g, byExample in
      // After a rectified sum its sign is read off the value; otherwise the sign is found again from x.
      let sum = residual != nil && activation == APUS_NORM_RELU ? value : nil
      return backward(
        g, x, weight, bias, sum: sum, hasResidual: residual != nil, layout, moments, activation, byExample)
    }
  }

  private func backward(
    _ g: Tensor<Scalar>, _ x: Tensor<Scalar>, _ weight: Tensor<Scalar>, _ bias: Tensor<Scalar>, sum: Tensor<Scalar>?,
    hasResidual: Bool, _ layout: ChannelGroupLayout, _ moments: [Double], _ activation: apus_norm_activation,
    _ byExample: Bool
  ) -> [Tensor<Scalar>?] {
    // One pair of sums for each plane; of a batch's channel they are added up in the order of the examples.
    let planes = layout.count * layout.group.planes
    var sums = [Double](repeating: 0, count: 2 * planes)
    var dresidual: Tensor<Scalar>?
    let dx = Tensor<Scalar>(uninitializedShape: x.shape) { dx in
      func run(_ dresidual: UnsafeMutablePointer<Scalar>?) {
        layout.withPointers(x, weight, bias, sum) { x, weight, bias, sum in
          g.withUnsafeBuffer { g in
            sums.withUnsafeMutableBufferPointer { sums in
              let run = ChannelKernelRun(layout, activation, epsilon, x: x, weight: weight, bias: bias)
              run.backward(
                g.baseAddress!, sum, moments, dx: dx.baseAddress!, dresidual, sums.baseAddress!,
                sums.baseAddress! + planes)
            }
          }
        }
      }
      if hasResidual {
        dresidual = Tensor(uninitializedShape: x.shape) { run($0.baseAddress) }
      } else {
        run(nil)
      }
    }
    let shape = byExample ? [x.shape[0], layout.channels] : [layout.channels]
    let parameters = [sums[..<planes], sums[planes...]].map { sums in
      Tensor(shape: shape, scalars: (byExample ? Array(sums) : layout.perChannel(sums)).map { Scalar($0) })
    }
    return [dx] + parameters + (hasResidual ? [dresidual] : [])
  }
}

extension Activation {
  /// The kernels' name of this function, if they have it. The way back from the SiLU of a sum would need the residual.
  fileprivate func kernel(hasResidual: Bool) -> apus_norm_activation? {
    switch self {
    case .identity: APUS_NORM_IDENTITY
    case .relu: APUS_NORM_RELU
    case .silu: hasResidual ? nil : APUS_NORM_SILU
    default: nil
    }
  }
}
