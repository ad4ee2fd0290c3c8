// Means over windows. The mean over a box is one mean after the other along its axes.

public import Tensors

extension Tensor where Scalar: RealScalar {
  /// The mean over each window of a batch of shape [batch, channels, extent...].
  ///
  /// - Parameters:
  ///   - stride: places from one window to the next; the window's extents when nil.
  ///   - padding: zeros around the input, at most half of the window.
  ///   - countingPadding: whether these zeros count as places of their window, or the mean is over the input's own.
  /// - Returns: shape [batch, channels, (extent + 2 padding - window) / stride + 1 ...].
  public func averagePooled(
    window: some PerAxis, stride: (any PerAxis)? = nil, padding: some PerAxis = 0, countingPadding: Bool = true
  ) -> Tensor {
    let windows = poolingWindows(
      shape, window: window.perAxis, stride: stride?.perAxis, padding: padding.perAxis, dilation: [1],
      name: "average pooling")
    return mapped(
      (0..<windows.axes).map { axis in
        AxisMap(to: windows.output[axis], from: windows.input[axis]) { o in
          let start = o * windows.stride[axis] - windows.padding[axis]
          let places = Swift.max(start, 0)..<Swift.min(start + windows.window[axis], windows.input[axis])
          let weight = 1 / Double(countingPadding ? windows.window[axis] : places.count)
          return places.map { ($0, weight) }
        }
      })
  }

  /// The means over `extents` windows along each spatial axis, which together cover it: window i of n has the places
  /// from i extent / n rounded down, to (i + 1) extent / n rounded up.
  public func adaptiveAveragePooled(to extents: some PerAxis) -> Tensor {
    let (input, output) = adaptiveExtents(shape, to: extents.perAxis, name: "adaptive average pooling")
    return mapped(
      zip(input, output).map { input, output in
        AxisMap(to: output, from: input) { o in
          let places = o * input / output..<((o + 1) * input + output - 1) / output
          return places.map { ($0, 1 / Double(places.count)) }
        }
      })
  }
}

/// The windows of a pooling; traps unless each of them holds a place of the input.
func poolingWindows(
  _ shape: [Int], window: [Int], stride: [Int]?, padding: [Int], dilation: [Int], name: String
) -> Windows {
  let windows = Windows(
    over: spatialExtents(shape, name), window: window, stride: stride ?? window, padding: padding, dilation: dilation,
    name: name)
  precondition(
    zip(windows.padding, windows.spans).allSatisfy { 2 * $0 <= $1 },
    "\(name): padding \(windows.padding) is more than half of the windows \(windows.window)")
  // With dilation, or without any place, a window may miss the input all the same.
  for axis in 0..<windows.axes {
    let places = 0..<windows.input[axis]
    for start in (0..<windows.output[axis]).map({ $0 * windows.stride[axis] - windows.padding[axis] }) {
      let holdsOne = (0..<windows.window[axis]).contains { places.contains(start + $0 * windows.dilation[axis]) }
      precondition(
        holdsOne,
        "\(name): a window of \(windows.window) with dilation \(windows.dilation) and padding \(windows.padding) holds no "
          + "place of extents \(windows.input)")
    }
  }
  return windows
}

func adaptiveExtents(_ shape: [Int], to extents: [Int], name: String) -> (input: [Int], output: [Int]) {
  let input = spatialExtents(shape, name)
  let output = spread(extents, input.count, name)
  precondition(
    output.allSatisfy { $0 >= 1 } && input.allSatisfy { $0 >= 1 },
    "\(name): extents \(input) cannot be pooled to \(output)")
  return (input, output)
}
