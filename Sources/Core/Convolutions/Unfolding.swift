// Windows as columns of a matrix ("im2col"), and their sum back into images.

import CVectorKernels
public import Tensors

extension Tensor where Scalar: RealScalar {
  /// Every window of a batch of shape [batch, channels, extent...] as a column: shape [batch, channels * taps, windows],
  /// a channel's taps together, both taps and windows in row-major order.
  public func unfolded(
    window: some PerAxis, stride: some PerAxis = 1, padding: some PerAxis = 0, dilation: some PerAxis = 1
  ) -> Tensor {
    let windows = Windows(
      over: spatialExtents(shape, "unfolding"), window: window.perAxis, stride: stride.perAxis,
      padding: padding.perAxis, dilation: dilation.perAxis, name: "unfolding")
    return windows.unfold(self)
  }

  /// The sum of such columns at the places that they were taken from: an image of the given extents for each example.
  public func folded(
    to extents: [Int], window: some PerAxis, stride: some PerAxis = 1, padding: some PerAxis = 0,
    dilation: some PerAxis = 1
  ) -> Tensor {
    let windows = Windows(
      over: extents, window: window.perAxis, stride: stride.perAxis, padding: padding.perAxis,
      dilation: dilation.perAxis, name: "folding")
    precondition(
      rank == 3 && shape[1] % windows.taps == 0 && shape[2] == windows.outputCount,
      "folding: columns of shape \(shape) for \(windows.outputCount) windows \(windows.window) over \(extents)")
    return windows.fold(self)
  }
}

extension Windows {
  fileprivate func unfold<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    customDerivative(at: x) { x in
      if x.isDifferentiated { return (unfold(x), { fold($0) }) }
      let kernel = windowKernels(Scalar.self).unfold
      let columns = taps * outputCount
      let value = Tensor<Scalar>(uninitializedShape: [x.shape[0], x.shape[1] * taps, outputCount]) { result in
        forEachPlane(x, result) { plane, source, target in
          withUnsafePointer(to: kernelForm) {
            kernel($0, 1, 0, outputCount, source + plane * inputCount, target + plane * columns)
          }
        }
      }
      return (value, { fold($0) })
    }
  }

  fileprivate func fold<Scalar: RealScalar>(_ g: Tensor<Scalar>) -> Tensor<Scalar> {
    customDerivative(at: g) { g in
      if g.isDifferentiated { return (fold(g), { unfold($0) }) }
      let kernel = windowKernels(Scalar.self).fold
      let columns = taps * outputCount
      let value = Tensor<Scalar>(uninitializedShape: [g.shape[0], g.shape[1] / taps] + input) { result in
        forEachPlane(g, result) { plane, source, target in
          let image = target + plane * inputCount
          UnsafeMutableRawPointer(image).initializeMemory(
            as: UInt8.self, repeating: 0, count: inputCount * MemoryLayout<Scalar>.stride)
          withUnsafePointer(to: kernelForm) { kernel($0, 1, 0, outputCount, source + plane * columns, image) }
        }
      }
      return (value, { unfold($0) })
    }
  }

  /// Calls `body` for each channel of each image, in parallel.
  private func forEachPlane<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ result: UnsafeMutableBufferPointer<Scalar>,
    _ body: (Int, UnsafePointer<Scalar>, UnsafeMutablePointer<Scalar>) -> Void
  ) {
    let planeSize = taps * outputCount
    let isImage = x.rank == axes + 2 && Array(x.shape[2...]) == input
    let planes = isImage ? x.shape[0] * x.shape[1] : x.shape[0] * x.shape[1] / taps
    guard let target = result.baseAddress, planes > 0 else { return }
    x.withUnsafeBuffer { x in
      guard let source = x.baseAddress else { return }
      parallelRanges(planes, planesAtLeast: max(1, (1 << 14) / max(planeSize, 1))) { range in
        for plane in range { body(plane, source, target) }
      }
    }
  }
}
