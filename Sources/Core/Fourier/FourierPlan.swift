import Tensors

/// How sequences of one length are transformed.
///
/// Lengths of small prime factors go through butterflies, several transforms side by side or, where that is cheaper, one
/// by one as a matrix; others go through a convolution. The choice depends on the length and the number of transforms,
/// never on the number of threads.
final class FourierPlan<Scalar: FourierScalar>: Sendable {
  let length: Int
  private let passes: Passes<Scalar>?
  private let passesCost: Double
  private let long: LongTransform<Scalar>?
  private let rader: RaderTransform<Scalar>?
  private let bluestein: BluesteinTransform<Scalar>?

  private static var lanes: Int { Scalar.fourier.kernels.lanes }
  /// Beyond it, blocks of lanes fill the second cache.
  private static var longestPasses: Int { 2048 }

  init(length: Int) {
    self.length = length
    let radices = Length.radices(length)
    long = radices == nil || length < 16 ? nil : LongTransform(length: length)
    passes =
      length <= Self.longestPasses || long == nil ? radices.map { Passes(length: length, radices: $0) } : nil
    passesCost = radices.map { Passes<Scalar>.cost(length: length, radices: $0, edges: 2.8) } ?? .infinity
    rader = radices == nil ? RaderTransform(length: length) : nil
    bluestein = radices == nil && rader == nil ? BluesteinTransform(length: length) : nil
  }

  /// The passes, if `count` transforms had best go through them side by side.
  func lanePasses(_ count: Int) -> Passes<Scalar>? {
    guard let passes else { return nil }
    guard let long else { return passes }
    let groups = (count + Self.lanes - 1) / Self.lanes
    return Double(groups) * passesCost <= Double(count) * long.cost ? passes : nil
  }

  /// The passes, if transforms that lie side by side in memory had best go through them.
  var columnPasses: Passes<Scalar>? { passes }

  // MARK: One transform

  var rowScratchCount: Int {
    let shortest = lanePasses(1)?.scratchCount ?? long?.scratchCount
    return shortest ?? rader?.scratchCount ?? bluestein?.scratchCount ?? 0
  }

  /// Transforms one sequence, in place if wanted; `scratch` has `rowScratchCount` elements.
  func transformRow(
    _ x: PlanePointers<Scalar>, to y: PlanePointers<Scalar>, scale: Scalar, scratch: UnsafeMutablePointer<Scalar>
  ) {
    if let passes = lanePasses(1) {
      Scalar.fourier.kernels.transforms(
        passes.kernel, x.re, x.im, 1, length, y.re, y.im, 1, length, 1, scale, scratch)
    } else if let long {
      long.transform(x, to: y, scale: scale, scratch: scratch)
    } else if let rader {
      rader.transform(x, to: y, scale: scale, scratch: scratch)
    } else {
      bluestein?.transform(x, to: y, scale: scale, scratch: scratch)
    }
  }

  // MARK: Many transforms

  /// Transforms `count` sequences, one behind the other in memory; in place if wanted.
  func transformRows(_ x: PlanePointers<Scalar>, to y: PlanePointers<Scalar>, count: Int, scale: Scalar) {
    let lanes = Self.lanes
    let kernels = Scalar.fourier.kernels
    if let passes = lanePasses(count) {
      parallelParts((count + lanes - 1) / lanes, work: count * length) { groups in
        let first = groups.lowerBound * lanes
        let part = min(groups.upperBound * lanes, count) - first
        let from = x + first * length
        let to = y + first * length
        withScratch(passes.scratchCount) { scratch in
          kernels.transforms(
            passes.kernel, from.re, from.im, 1, length, to.re, to.im, 1, length, part, scale, scratch)
        }
      }
    } else {
      // A single one may be split itself.
      parallelParts(count, work: count > 1 ? count * length : 0) { rows in
        withScratch(rowScratchCount) { scratch in
          for row in rows {
            transformRow(x + row * length, to: y + row * length, scale: scale, scratch: scratch)
          }
        }
      }
    }
  }

  /// Transforms the columns of `planes` matrices of shape [length, width]; in place if wanted.
  func transformColumns(
    _ x: PlanePointers<Scalar>, to y: PlanePointers<Scalar>, matrices: Int, width: Int, scale: Scalar
  ) {
    let lanes = Self.lanes
    let kernels = Scalar.fourier.kernels
    let groups = (width + lanes - 1) / lanes
    let rowsCount = 2 * lanes * length
    parallelParts(matrices * groups, work: matrices * width * length) { part in
      withScratch(columnPasses?.scratchCount ?? rowsCount + rowScratchCount) { scratch in
        for group in part {
          let left = group % groups * lanes
          let count = min(lanes, width - left)
          let shift = group / groups * length * width + left
          let from = x + shift
          let to = y + shift
          if let passes = columnPasses {
            kernels.transforms(
              passes.kernel, from.re, from.im, width, 1, to.re, to.im, width, 1, count, scale, scratch)
            continue
          }
          let rows = PlanePointers(scratch, count: lanes * length)
          kernels.gatherColumns(from.re, width, count, length, rows.re, length)
          kernels.gatherColumns(from.im, width, count, length, rows.im, length)
          for row in 0..<count {
            let at = rows + row * length
            transformRow(at, to: at, scale: scale, scratch: scratch + rowsCount)
          }
          kernels.scatterColumns(rows.re, length, count, length, to.re, width)
          kernels.scatterColumns(rows.im, length, count, length, to.im, width)
        }
      }
    }
  }
}
