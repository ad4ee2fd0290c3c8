// Maxima over windows, and the place of each: the derivative goes there.

import CVectorKernels
public import Tensors

extension Tensor where Scalar: RealScalar {
  /// The largest number in each window of a batch of shape [batch, channels, extent...]; NaN where one is in it.
  ///
  /// The derivative goes to the first of equal maxima, in row-major order.
  ///
  /// - Parameters:
  ///   - stride: places from one window to the next; the window's extents when nil.
  ///   - padding: places around the input that no maximum is at, at most half of the window.
  /// - Returns: shape [batch, channels, (extent + 2 padding - dilation (window - 1) - 1) / stride + 1 ...].
  public func maximumPooled(
    window: some PerAxis, stride: (any PerAxis)? = nil, padding: some PerAxis = 0, dilation: some PerAxis = 1
  ) -> Tensor {
    let windows = poolingWindows(
      shape, window: window.perAxis, stride: stride?.perAxis, padding: padding.perAxis, dilation: dilation.perAxis,
      name: "maximum pooling")
    return pooled(windows)
  }

  /// The largest number in each of `extents` windows along each spatial axis, placed as
  /// in ``adaptiveAveragePooled(to:)``.
  public func adaptiveMaximumPooled(to extents: some PerAxis) -> Tensor {
    let (input, output) = adaptiveExtents(shape, to: extents.perAxis, name: "adaptive maximum pooling")
    let zeros = input.map { _ in 0 }
    let ones = input.map { _ in 1 }
    // To the kernel a stride of zero means windows that share the axis.
    return pooled(Windows(input: input, output: output, window: ones, stride: zeros, padding: zeros, dilation: ones))
  }

  private func pooled(_ windows: Windows) -> Tensor {
    let (maxima, places) = maxima(of: windows)
    let selection = PlaceSelection(places: places, extents: windows.input)
    return selection.values(of: self, known: maxima)
  }

  /// The maximum under each window and its place in its plane; no derivative is recorded.
  private func maxima(of windows: Windows) -> (maxima: Tensor, places: Tensor<Int32>) {
    let shape = Array(self.shape[..<2]) + windows.output
    let planes = shape[0] * shape[1]
    let inputCount = windows.inputCount
    let outputCount = windows.outputCount
    precondition(inputCount <= Int(Int32.max), "maximum pooling: a plane of extents \(windows.input) is too large")
    let form = windows.kernelForm
    let (z, y, x) = form.axes
    let candidates = z.input * (y.input + y.output) * x.output
    let bytes = candidates * (MemoryLayout<Scalar>.stride + MemoryLayout<Int32>.stride)
    let kernel = windowKernels(Scalar.self).maximum_pool
    var maxima: Tensor?
    let places = Tensor<Int32>(uninitializedShape: shape) { places in
      maxima = Tensor(uninitializedShape: shape) { result in
        guard let result = result.baseAddress, let places = places.baseAddress, planes * outputCount > 0 else { return }
        withoutDerivative.withUnsafeBuffer { source in
          guard let source = source.baseAddress else { return }
          parallelRanges(planes, planesAtLeast: max(1, (1 << 14) / inputCount)) { range in
            withScratch((bytes + MemoryLayout<Scalar>.stride - 1) / MemoryLayout<Scalar>.stride) {
              (scratch: UnsafeMutablePointer<Scalar>) in
              withUnsafePointer(to: form) { form in
                for plane in range {
                  kernel(
                    form, source + plane * inputCount, result + plane * outputCount, places + plane * outputCount,
                    scratch)
                }
              }
            }
          }
        }
      }
    }
    return (maxima ?? .zeros(shape), places)
  }
}

/// Places of the planes of a batch: reading them, and adding to them, are each other's derivatives.
private struct PlaceSelection {
  /// Shape [batch, channels, ...]: places in the plane of the same image and channel.
  let places: Tensor<Int32>
  let extents: [Int]

  private var planes: Int { places.shape[0] * places.shape[1] }
  private var count: Int { places.shape[2...].reduce(1, *) }

  /// The numbers of `x` at the places; `known` are they if somebody has read them before.
  func values<Scalar: RealScalar>(of x: Tensor<Scalar>, known: Tensor<Scalar>? = nil) -> Tensor<Scalar> {
    customDerivative(at: x) { x in
      (x.isDifferentiated ? values(of: x, known: known) : known ?? gathered(x), { spread($0) })
    }
  }

  /// Planes of zeros with the numbers of `g` added at the places.
  private func spread<Scalar: RealScalar>(_ g: Tensor<Scalar>) -> Tensor<Scalar> {
    customDerivative(at: g) { g in (g.isDifferentiated ? spread(g) : scattered(g), { values(of: $0) }) }
  }

  private func gathered<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let kernel = windowKernels(Scalar.self).gather
    let size = extents.reduce(1, *)
    return Tensor(uninitializedShape: places.shape) { result in
      guard let result = result.baseAddress else { return }
      forEachPlane(of: x) { plane, source, places in
        kernel(source + plane * size, places, result + plane * count, count)
      }
    }
  }

  private func scattered<Scalar: RealScalar>(_ g: Tensor<Scalar>) -> Tensor<Scalar> {
    let kernel = windowKernels(Scalar.self).scatter
    let size = extents.reduce(1, *)
    return Tensor(uninitializedShape: places.shape[..<2] + extents) { result in
      guard let result = result.baseAddress else { return }
      forEachPlane(of: g) { plane, values, places in
        let target = result + plane * size
        UnsafeMutableRawPointer(target).initializeMemory(
          as: UInt8.self, repeating: 0, count: size * MemoryLayout<Scalar>.stride)
        kernel(values + plane * count, places, target, count)
      }
    }
  }

  private func forEachPlane<Scalar: RealScalar>(
    of x: Tensor<Scalar>, _ body: (Int, UnsafePointer<Scalar>, UnsafePointer<Int32>) -> Void
  ) {
    places.withUnsafeBuffer { places in
      x.withUnsafeBuffer { x in
        guard let places = places.baseAddress, let x = x.baseAddress else { return }
        parallelRanges(planes, planesAtLeast: max(1, (1 << 13) / max(count, 1))) { range in
          for plane in range { body(plane, x, places + plane * count) }
        }
      }
    }
  }
}

/// Splits the planes over the threads, at least `planesAtLeast` together.
func parallelRanges(_ planes: Int, planesAtLeast: Int, _ body: (Range<Int>) -> Void) {
  let pieces = max(1, min(planes / planesAtLeast, 4 * threadCount))
  guard pieces > 1 else { return body(0..<planes) }
  parallelTasks(pieces) { piece in body(piece * planes / pieces..<(piece + 1) * planes / pieces) }
}
