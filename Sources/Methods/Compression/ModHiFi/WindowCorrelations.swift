import Fourier
import Tensors

/// What the taps of filters of stride one see of images: for taps a and b and channels c and d the sum over the places o
/// of the output of x_c(o + a) x_d(o + b).
///
/// Over the whole image such a sum depends on the displacement b - a alone, and a Fourier transform gives it for all
/// pairs of channels: as many products of [channels, images] as there are frequencies, instead of one of windows, which
/// hold each pixel once for each tap. What a shifted filter leaves out at the border is taken off: rows, columns, and
/// the corners of both, which were taken off twice.
struct WindowCorrelations {
  private struct Tap: Hashable {
    var row: Int
    var column: Int
  }
  private struct Pair: Hashable {
    var first: Tap
    var second: Tap
    var displacement: Tap { Tap(row: second.row - first.row, column: second.column - first.column) }
  }

  private let kernel: [Int]
  private let padding: [Int]
  private let taps: [Tap]
  /// Taps a <= b, row after row.
  private let pairs: [Pair]
  /// Those of the pairs, each once.
  private let displacements: [Tap]
  /// For each pair, shape [C, C].
  private var products: [Tensor<Double>]
  /// For each tap, shape [C].
  private var sums: [Tensor<Double>]

  init(channels: Int, kernel: [Int], padding: [Int]) {
    (self.kernel, self.padding) = (kernel, padding)
    let taps = (0..<kernel[0] * kernel[1]).map { Tap(row: $0 / kernel[1], column: $0 % kernel[1]) }
    self.taps = taps
    pairs = taps.indices.flatMap { i in taps[i...].map { Pair(first: taps[i], second: $0) } }
    displacements = Array(Set(pairs.map(\.displacement))).sorted { ($0.row, $0.column) < ($1.row, $1.column) }
    products = pairs.map { _ in .zeros([channels, channels]) }
    sums = taps.map { _ in .zeros([channels]) }
  }

  /// Places of the output along each axis of images of these extents.
  func outputs(of extents: [Int]) -> [Int] { (0..<2).map { extents[$0] + 2 * padding[$0] - kernel[$0] + 1 } }

  /// Takes images of shape [N, C, H, W].
  ///
  /// - Complexity: O(H W C (N (log H W + C) + taps C)) time, and O(taps² C²) for the sums.
  mutating func add(_ images: Tensor<Double>) {
    let extents = Array(images.shape[2...])
    let x = images.permuted([1, 0, 2, 3]).dense
    let whole = correlations(x)
    var strips: [[Int]: Tensor<Double>] = [:]
    /// Σ x_c(first) x_d(second) over images and the places of these ranges.
    func product(_ first: [Range<Int>], _ second: [Range<Int>]) -> Tensor<Double> {
      let key = (first + second).flatMap { [$0.lowerBound, $0.upperBound] }
      if let known = strips[key] { return known }
      func rows(_ part: [Range<Int>]) -> Tensor<Double> {
        x[.all, .all, part[0], part[1]].reshaped([x.shape[0], -1])
      }
      let value = rows(first).matmul(rows(second), transposingB: true)
      strips[key] = value
      return value
    }
    func single(_ at: Int) -> Range<Int> { at..<(at + 1) }
    for (number, pair) in pairs.enumerated() {
      let shift = pair.displacement
      let rows = left(pair.first.row, pair.second.row, axis: 0, extents)
      let columns = left(pair.first.column, pair.second.column, axis: 1, extents)
      if let place = displacements.firstIndex(of: shift) { products[number] += whole[place] }
      let (down, downTo) = overlap(extents[0], shift.row)
      let (across, acrossTo) = overlap(extents[1], shift.column)
      for (i, j) in rows { products[number] -= product([single(i), across], [single(j), acrossTo]) }
      for (i, j) in columns { products[number] -= product([down, single(i)], [downTo, single(j)]) }
      for (i, j) in rows {
        for (k, l) in columns { products[number] += product([single(i), single(k)], [single(j), single(l)]) }
      }
    }
    let total = x.sum(axis: 1)
    let outputs = outputs(of: extents)
    for (number, tap) in taps.enumerated() {
      func seen(_ at: Int, _ axis: Int) -> Range<Int> {
        let start = at - padding[axis]
        let first = min(max(0, start), extents[axis])
        return first..<max(first, min(extents[axis], start + outputs[axis]))
      }
      sums[number] += total[.all, seen(tap.row, 0), seen(tap.column, 1)].sum(axes: [1, 2])
    }
  }

  /// The places i, and i + shift beside them, that both lie within an extent.
  private func overlap(_ extent: Int, _ shift: Int) -> (Range<Int>, Range<Int>) {
    let length = max(0, extent - abs(shift))
    let (first, second) = (max(0, -shift), max(0, shift))
    return length > 0 ? (first..<first + length, second..<second + length) : (0..<0, 0..<0)
  }

  /// Pairs of places within the image that taps `a` and `b` would see from places outside the output.
  private func left(_ a: Int, _ b: Int, axis: Int, _ extents: [Int]) -> [(Int, Int)] {
    let (extent, padding) = (extents[axis], padding[axis])
    let (first, last) = (padding - min(a, b), extent - 1 + padding - max(a, b))
    guard first <= last else { return [] }
    let outputs = outputs(of: extents)[axis]
    return (first...last).filter { !(0..<outputs).contains($0) }.map { ($0 + a - padding, $0 + b - padding) }
  }

  /// Σ x_c(q) x_d(q + displacement) over images and all q, shape [displacements, C, C], for x of shape [C, N, H, W].
  ///
  /// With the transforms X = R + i I, the Hermitian product of two channels is R R + I I + i (R I - I R).
  private func correlations(_ x: Tensor<Double>) -> Tensor<Double> {
    let (channels, images) = (x.shape[0], x.shape[1])
    // So long that no displacement comes round to the other side.
    let size = (0..<2).map { x.shape[2 + $0] + kernel[$0] - 1 }
    let spectrum = x.padded([(0, 0), (0, 0), (0, kernel[0] - 1), (0, kernel[1] - 1)]).realFourierTransform(axes: [2, 3])
    let half = size[1] / 2 + 1
    func byFrequency(_ part: Tensor<Double>) -> Tensor<Double> {
      part.permuted([2, 3, 0, 1]).reshaped([size[0] * half, channels, images])
    }
    let (real, imaginary) = (byFrequency(spectrum.real), byFrequency(spectrum.imaginary))
    let (cosines, sines) = waves(size)
    var even = Tensor<Double>.zeros([displacements.count, channels * channels])
    var odd = even
    // Some frequencies at a time: about 64 MB of products.
    let count = max(1, (1 << 22) / (channels * channels))
    for first in stride(from: 0, to: size[0] * half, by: count) {
      let range = first..<min(first + count, size[0] * half)
      let (r, i) = (real[range], imaginary[range])
      let both = Tensor.concatenated([r, i], axis: 2)
      let squares = both.matmul(both, transposingB: true).reshaped([range.count, -1])
      let mixed = r.matmul(i, transposingB: true).reshaped([range.count, -1])
      even += cosines[.all, range].matmul(squares)
      odd += sines[.all, range].matmul(mixed)
    }
    let shape = [displacements.count, channels, channels]
    let mixed = odd.reshaped(shape)
    return even.reshaped(shape) - (mixed - mixed.permuted([0, 2, 1]))
  }

  /// Cosines and sines of 2 pi (frequency · displacement / size) over the number of places, shape [displacements,
  /// frequencies]; a frequency whose conjugate is not among them counts twice.
  private func waves(_ size: [Int]) -> (cosines: Tensor<Double>, sines: Tensor<Double>) {
    let half = size[1] / 2 + 1
    let (height, width) = (Double(size[0]), Double(size[1]))
    var (cosines, sines): ([Double], [Double]) = ([], [])
    for shift in displacements {
      for u in 0..<size[0] {
        for v in 0..<half {
          let angle = 2 * Double.pi * (Double(u * shift.row) / height + Double(v * shift.column) / width)
          let isAlone = v == 0 || 2 * v == size[1]
          let weight = (isAlone ? 1 : 2) / (height * width)
          cosines.append(weight * .cos(angle))
          sines.append(weight * .sin(angle))
        }
      }
    }
    let shape = [displacements.count, size[0] * half]
    return (Tensor(shape: shape, scalars: cosines), Tensor(shape: shape, scalars: sines))
  }

  /// The sums over all images so far, shape [C · taps, C · taps], a channel's taps together.
  var secondMoment: Tensor<Double> {
    let (channels, count) = (sums[0].count, taps.count)
    let numbers = Dictionary(uniqueKeysWithValues: zip(pairs, products))
    let blocks = taps.flatMap { a in
      taps.map { b in
        numbers[Pair(first: a, second: b)] ?? numbers[Pair(first: b, second: a)].map(\.transposed)
          ?? .zeros([channels, channels])
      }
    }
    return Tensor.stacked(blocks).reshaped([count, count, channels, channels]).permuted([2, 0, 3, 1])
      .reshaped([channels * count, channels * count])
  }

  /// Of the inputs, shape [C · taps].
  var sum: Tensor<Double> { Tensor.stacked(sums, axis: 1).flattened }
}
