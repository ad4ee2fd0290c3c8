// The kernels of channel normalisation on all groups of a tensor.

import CVectorKernels
import Tensors

/// Where the groups of a dense tensor lie.
struct ChannelGroupLayout: Sendable {
  let count: Int
  let group: apus_norm_group
  let groupStride: Int
  let channels: Int
  /// Groups in one example, when they belong to one.
  let parts: Int?

  init(_ shape: [Int], _ groups: NormalizationGroups) {
    let size = shape.dropFirst(2).reduce(1, *)
    channels = shape[1]
    switch groups {
    case .channelsOfBatch:
      count = channels
      parts = nil
      groupStride = size
      group = apus_norm_group(planes: shape[0], size: size, stride: channels * size, affine: 0)
    case .partsOfExample(let number):
      count = shape[0] * number
      parts = number
      groupStride = channels / number * size
      group = apus_norm_group(planes: channels / number, size: size, stride: size, affine: 1)
    }
  }

  /// The first channel of a group.
  func channel(of index: Int) -> Int { parts.map { index % $0 * group.planes } ?? index }

  /// Adds up what each plane says of its channel.
  func perChannel(_ sums: ArraySlice<Double>) -> [Double] {
    var result = [Double](repeating: 0, count: channels)
    for index in 0..<count {
      let first = channel(of: index)
      for plane in 0..<group.planes {
        result[first + plane * group.affine] += sums[sums.startIndex + index * group.planes + plane]
      }
    }
    return result
  }

  func withPointers<Scalar: RealScalar, Result>(
    _ x: Tensor<Scalar>, _ weight: Tensor<Scalar>, _ bias: Tensor<Scalar>, _ other: Tensor<Scalar>?,
    _ body: (
      UnsafePointer<Scalar>, UnsafePointer<Scalar>, UnsafePointer<Scalar>, UnsafePointer<Scalar>?
    ) -> Result
  ) -> Result {
    x.withUnsafeBuffer { x in
      weight.withUnsafeBuffer { weight in
        bias.withUnsafeBuffer { bias in
          guard let other else { return body(x.baseAddress!, weight.baseAddress!, bias.baseAddress!, nil) }
          return other.withUnsafeBuffer {
            body(x.baseAddress!, weight.baseAddress!, bias.baseAddress!, $0.baseAddress!)
          }
        }
      }
    }
  }
}

/// The kernels on the groups of one tensor, split over the threads group by group.
struct ChannelKernelRun<Scalar: RealScalar>: @unchecked Sendable {
  let layout: ChannelGroupLayout
  let activation: apus_norm_activation
  let epsilon: Double
  let x: UnsafePointer<Scalar>
  let weight: UnsafePointer<Scalar>
  let bias: UnsafePointer<Scalar>
  let kernels = MemoryLayout<Scalar>.size == 4 ? apus_norm_f32().pointee : apus_norm_f64().pointee

  init(
    _ layout: ChannelGroupLayout, _ activation: apus_norm_activation, _ epsilon: Double, x: UnsafePointer<Scalar>,
    weight: UnsafePointer<Scalar>, bias: UnsafePointer<Scalar>
  ) {
    self.layout = layout
    self.activation = activation
    self.epsilon = epsilon
    self.x = x
    self.weight = weight
    self.bias = bias
  }

  func forward(
    _ residual: UnsafePointer<Scalar>?, to y: UnsafeMutablePointer<Scalar>, _ mean: UnsafeMutablePointer<Double>,
    _ variance: UnsafeMutablePointer<Double>
  ) {
    forEachGroup { index, start, channel in
      var group = layout.group
      kernels.statistics(&group, x + start, mean + index, variance + index)
      let factor = 1 / (variance[index] + epsilon).squareRoot()
      kernels.apply(
        &group, activation, mean[index], factor, weight + channel, bias + channel, residual.map { $0 + start },
        x + start, y + start)
    }
  }

  func backward(
    _ g: UnsafePointer<Scalar>, _ y: UnsafePointer<Scalar>?, _ moments: [Double], dx: UnsafeMutablePointer<Scalar>,
    _ dresidual: UnsafeMutablePointer<Scalar>?, _ dweight: UnsafeMutablePointer<Double>,
    _ dbias: UnsafeMutablePointer<Double>
  ) {
    forEachGroup { index, start, channel in
      var group = layout.group
      let factor = 1 / (moments[layout.count + index] + epsilon).squareRoot()
      let plane = index * group.planes
      kernels.backward(
        &group, activation, moments[index], factor, weight + channel, bias + channel, x + start, y.map { $0 + start },
        g + start, dx + start, dresidual.map { $0 + start }, dweight + plane, dbias + plane)
    }
  }

  private func forEachGroup(_ body: (_ index: Int, _ start: Int, _ channel: Int) -> Void) {
    let elements = layout.group.planes * layout.group.size
    let grain = max(1, (1 << 13) / elements)
    let pieces = (layout.count + grain - 1) / grain
    parallelTasks(pieces) { piece in
      for index in piece * grain..<min(layout.count, (piece + 1) * grain) {
        body(index, index * layout.groupStride, layout.channel(of: index))
      }
    }
  }
}
