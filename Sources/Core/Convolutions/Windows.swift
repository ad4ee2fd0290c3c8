// Windows over one to three spatial axes, checked and in the form that the C kernels want.

import CVectorKernels
import Tensors

/// Windows that slide along the spatial axes of an input.
struct Windows: Hashable, Sendable {
  let input, output, window, stride, padding, dilation: [Int]

  var axes: Int { input.count }
  var taps: Int { window.reduce(1, *) }
  var inputCount: Int { input.reduce(1, *) }
  var outputCount: Int { output.reduce(1, *) }

  /// The places of the input from a window's first to its last tap.
  var spans: [Int] { zip(window, dilation).map { ($0 - 1) * $1 + 1 } }

  /// Whether each window is one place and they are all places in order.
  var isIdentity: Bool {
    taps == 1 && input == output && stride == padding.map { _ in 1 } && padding.allSatisfy { $0 == 0 }
  }

  /// Traps unless the numbers make sense for `input`, calling the operation `name`.
  init(
    over input: [Int], window: [Int], stride: [Int], padding: [Int], paddingBehind: [Int]? = nil, dilation: [Int],
    name: String
  ) {
    let axes = input.count
    precondition(1...3 ~= axes, "\(name): 1 to 3 spatial axes behind batch and channels, but the extents are \(input)")
    self.input = input
    self.window = spread(window, axes, "\(name): window")
    self.stride = spread(stride, axes, "\(name): stride")
    self.padding = spread(padding, axes, "\(name): padding")
    self.dilation = spread(dilation, axes, "\(name): dilation")
    let behind = paddingBehind.map { spread($0, axes, "\(name): padding") } ?? self.padding
    precondition(
      self.window.allSatisfy { $0 >= 1 } && self.stride.allSatisfy { $0 >= 1 } && self.dilation.allSatisfy { $0 >= 1 }
        && self.padding.allSatisfy { $0 >= 0 } && behind.allSatisfy { $0 >= 0 },
      "\(name): window \(self.window), stride \(self.stride) and dilation \(self.dilation) are at least 1, and padding "
        + "\(self.padding) at least 0")
    var output: [Int] = []
    for axis in 0..<axes {
      let span = (self.window[axis] - 1) * self.dilation[axis] + 1
      let room = input[axis] + self.padding[axis] + behind[axis] - span
      precondition(
        room >= 0,
        "\(name): windows \(self.window) with dilation \(self.dilation) do not fit into extents \(input) "
          + "with padding \(self.padding)")
      output.append(room / self.stride[axis] + 1)
    }
    self.output = output
  }

  /// Windows with `output` places, taken from `input`, whose extents are known to fit.
  init(input: [Int], output: [Int], window: [Int], stride: [Int], padding: [Int], dilation: [Int]) {
    (self.input, self.output, self.window) = (input, output, window)
    (self.stride, self.padding, self.dilation) = (stride, padding, dilation)
  }

  /// The same as the kernels know it: leading axes of extent one make it three.
  var kernelForm: apus_windows {
    func axis(_ i: Int) -> apus_window_axis {
      guard i >= 0 else {
        return apus_window_axis(input: 1, output: 1, window: 1, stride: 1, padding: 0, dilation: 1)
      }
      return apus_window_axis(
        input: input[i], output: output[i], window: window[i], stride: stride[i], padding: padding[i],
        dilation: dilation[i])
    }
    return apus_windows(axes: (axis(axes - 3), axis(axes - 2), axis(axes - 1)))
  }
}

/// The loops for one scalar type; what each does stands in CConvolutionKernels.h.
func windowKernels<Scalar: RealScalar>(_: Scalar.Type) -> apus_window_kernels {
  Scalar.self == Float.self ? apus_windows_f32().pointee : apus_windows_f64().pointee
}

/// Calls `body` with memory for `count` numbers.
func withScratch<Scalar: RealScalar>(_ count: Int, _ body: (UnsafeMutablePointer<Scalar>) -> Void) {
  withScratchMemory(byteCount: count * MemoryLayout<Scalar>.stride) { body($0.assumingMemoryBound(to: Scalar.self)) }
}

/// The spatial extents of a batch of images; traps when there are none.
func spatialExtents(_ shape: [Int], _ name: String) -> [Int] {
  precondition(
    3...5 ~= shape.count, "\(name): [batch, channels] and 1 to 3 spatial axes were expected, but the shape is \(shape)")
  return Array(shape[2...])
}
