// Convolutions as matrix products: the windows of a few output places become the columns of a matrix that stays in the
// cache, and the filters its left factor. Serves f64, and f32 where there is no library for it.

import BLAS
import CVectorKernels
import Tensors

struct UnfoldedConvolution<Scalar: RealScalar> {
  private let shape: ConvolutionShape
  private let windows: apus_windows
  private let kernels = windowKernels(Scalar.self)
  /// The numbers of one group of channels of one image, of its output, and of its filters.
  private let inputSize, outputSize, filterSize: Int
  private let channels, outputs, places, terms: Int
  /// Output places whose columns are made at a time.
  private let tile: Int

  init(_ shape: ConvolutionShape) {
    self.shape = shape
    windows = shape.windows.kernelForm
    channels = shape.inputChannels / shape.groups
    outputs = shape.outputChannels / shape.groups
    places = shape.windows.outputCount
    terms = shape.terms
    inputSize = channels * shape.windows.inputCount
    outputSize = outputs * places
    filterSize = outputs * terms
    // Columns of 256 KiB lie in the second cache beside the filters; below 64 places the products become slow.
    let fitting = (1 << 18) / (terms * MemoryLayout<Scalar>.stride) / 16 * 16
    tile = min(max(fitting, 64), places)
  }

  private var images: Int { shape.batch * shape.groups }
  private var tiles: Int { (places + tile - 1) / tile }
  private func range(ofTile i: Int) -> Range<Int> { i * tile..<min((i + 1) * tile, places) }
  private func group(ofImage i: Int) -> Int { i % shape.groups }

  /// The columns of `range` of one image, or the image itself where windows are single places, and their row stride.
  private func withColumns(
    _ image: UnsafePointer<Scalar>, _ range: Range<Int>, _ scratch: UnsafeMutablePointer<Scalar>,
    _ body: (UnsafePointer<Scalar>, Int) -> Void
  ) {
    if shape.windows.isIdentity { return body(image + range.lowerBound, places) }
    withUnsafePointer(to: windows) {
      kernels.unfold($0, channels, range.lowerBound, range.upperBound, image, scratch)
    }
    body(scratch, range.count)
  }

  private var columnCount: Int { shape.windows.isIdentity ? 0 : terms * tile }

  /// y = W columns + bias, tile by tile.
  func output(_ x: Tensor<Scalar>, _ w: Tensor<Scalar>, bias: Tensor<Scalar>?) -> Tensor<Scalar> {
    let bias = bias?.dense
    return Tensor(uninitializedShape: shape.outputShape) { y in
      let y = y.baseAddress!
      read(x, w) { x, w in
        func work(_ task: Int, bias: UnsafePointer<Scalar>?) {
          let image = task / tiles
          let range = range(ofTile: task % tiles)
          let result = y + image * outputSize + range.lowerBound
          let filters = w + group(ofImage: image) * filterSize
          withScratch(columnCount) { scratch in
            withColumns(x + image * inputSize, range, scratch) { columns, stride in
              Scalar.multiply(
                transposingA: false, transposingB: false, rows: outputs, columns: range.count, inner: terms, alpha: 1,
                filters, leadingA: terms, columns, leadingB: stride, beta: 0, result, leadingC: places)
            }
          }
          guard let bias else { return }
          let first = bias + group(ofImage: image) * outputs
          for o in 0..<outputs {
            let row = result + o * places
            Scalar.apply(.add, row, strideA: 1, first + o, strideB: 0, row, count: range.count)
          }
        }
        if let bias {
          bias.withUnsafeBuffer { bias in parallelTasks(images * tiles) { work($0, bias: bias.baseAddress) } }
        } else {
          parallelTasks(images * tiles) { work($0, bias: nil) }
        }
      }
    }
  }

  /// columns = Wᵀ g, each added to the places that it stands for.
  func inputGradient(_ g: Tensor<Scalar>, _ w: Tensor<Scalar>) -> Tensor<Scalar> {
    // Tasks are images, or parts of their channels where images are few; the parts depend on the shape alone.
    let parts = min(channels, max(1, 8 / images))
    let isIdentity = shape.windows.isIdentity
    let places = self.places
    return Tensor(uninitializedShape: shape.inputShape) { result in
      let result = result.baseAddress!
      read(g, w) { g, w in
        parallelTasks(images * parts) { task in
          let image = task / parts
          let part = task % parts
          let channelRange = part * channels / parts..<(part + 1) * channels / parts
          let rows = channelRange.count * shape.windows.taps
          let target = result + image * inputSize + channelRange.lowerBound * shape.windows.inputCount
          let filters = w + group(ofImage: image) * filterSize + channelRange.lowerBound * shape.windows.taps
          if !isIdentity { clear(target, channelRange.count * shape.windows.inputCount) }
          withScratch(columnCount) { scratch in
            for tile in 0..<tiles {
              let range = range(ofTile: tile)
              Scalar.multiply(
                transposingA: true, transposingB: false, rows: rows, columns: range.count, inner: outputs, alpha: 1,
                filters, leadingA: terms, g + image * outputSize + range.lowerBound, leadingB: places, beta: 0,
                isIdentity ? target + range.lowerBound : scratch, leadingC: isIdentity ? places : range.count)
              if isIdentity { continue }
              withUnsafePointer(to: windows) {
                kernels.fold($0, channelRange.count, range.lowerBound, range.upperBound, scratch, target)
              }
            }
          }
        }
      }
    }
  }

  /// W = the sum over images and tiles of g columnsᵀ.
  func filterGradient(_ x: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar> {
    // Each task sums its share of a group's tiles; the shares, which depend on the shape alone, are then added.
    let pieces = shape.batch * tiles
    let shares = min(pieces, max(1, 16 / shape.groups))
    let partial = Tensor<Scalar>(uninitializedShape: [shares] + shape.filterShape) { result in
      let result = result.baseAddress!
      read(x, g) { x, g in
        parallelTasks(shares * shape.groups) { task in
          let group = task % shape.groups
          let share = task / shape.groups
          let target = result + (share * shape.groups + group) * filterSize
          let own = share * pieces / shares..<(share + 1) * pieces / shares
          withScratch(columnCount) { scratch in
            for piece in own {
              let image = piece / tiles * shape.groups + group
              let range = range(ofTile: piece % tiles)
              withColumns(x + image * inputSize, range, scratch) { columns, stride in
                Scalar.multiply(
                  transposingA: false, transposingB: true, rows: outputs, columns: terms, inner: range.count, alpha: 1,
                  g + image * outputSize + range.lowerBound, leadingA: places, columns, leadingB: stride,
                  beta: piece == own.lowerBound ? 0 : 1, target, leadingC: terms)
              }
            }
          }
        }
      }
    }
    return shares == 1 ? partial.reshaped(shape.filterShape) : partial.sum(axis: 0)
  }

  private func clear(_ numbers: UnsafeMutablePointer<Scalar>, _ count: Int) {
    UnsafeMutableRawPointer(numbers).initializeMemory(
      as: UInt8.self, repeating: 0, count: count * MemoryLayout<Scalar>.stride)
  }

  private func read(
    _ a: Tensor<Scalar>, _ b: Tensor<Scalar>, _ body: (UnsafePointer<Scalar>, UnsafePointer<Scalar>) -> Void
  ) {
    a.withUnsafeBuffer { a in b.withUnsafeBuffer { b in body(a.baseAddress!, b.baseAddress!) } }
  }
}
