import Tensors

/// How real sequences of one even length n are transformed: as complex ones of length n / 2 whose real parts are the
/// elements of even and whose imaginary parts those of odd place (Cooley, Lewis and Welch, 1970).
final class RealFourierPlan<Scalar: FourierScalar>: Sendable {
  let length: Int
  private let half: FourierPlan<Scalar>
  private let roots: Table<Scalar>

  private var halfLength: Int { length / 2 }
  /// Elements of a spectrum: n / 2 + 1.
  private var spectrumLength: Int { length / 2 + 1 }
  private static var lanes: Int { Scalar.fourier.kernels.lanes }

  init(length: Int) {
    self.length = length
    half = Scalar.fourier.plan(length / 2)
    roots = Table(
      (0...length / 4).flatMap { k -> [Scalar] in
        let root = UnitRoot(-k, of: length)
        return [Scalar(root.real), Scalar(root.imaginary)]
      })
  }

  /// Whether matrices' columns can be transformed where they lie.
  var transformsColumns: Bool { half.columnPasses != nil }

  // MARK: Rows

  /// `count` sequences, one behind the other, to their half spectra.
  func transformRows(_ x: UnsafeMutablePointer<Scalar>, to y: PlanePointers<Scalar>, count: Int, scale: Scalar) {
    let kernels = Scalar.fourier.kernels
    let from = PlanePointers(x, x)
    inRows(count) { first, part, scratch in
      let x = from.re + first * length
      let y = y + first * spectrumLength
      if let passes = half.lanePasses(count) {
        kernels.realTransforms(
          passes.kernel, roots.pointer, x, 1, length, y.re, y.im, 1, spectrumLength, part, scale, scratch)
        return
      }
      for row in 0..<part {
        let z = PlanePointers(scratch, count: halfLength)
        kernels.split(x + row * length, z.re, z.im, halfLength)
        half.transformRow(z, to: z, scale: 1, scratch: scratch + length)
        let to = y + row * spectrumLength
        kernels.untangle(roots.pointer, halfLength, z.re, z.im, scale, to.re, to.im)
      }
    }
  }

  /// `count` half spectra to real sequences, without the factor 1 / n.
  func invertRows(_ x: PlanePointers<Scalar>, to y: UnsafeMutablePointer<Scalar>, count: Int, scale: Scalar) {
    let kernels = Scalar.fourier.kernels
    let to = PlanePointers(y, y)
    inRows(count) { first, part, scratch in
      let x = x + first * spectrumLength
      let y = to.re + first * length
      if let passes = half.lanePasses(count) {
        kernels.realInverses(
          passes.kernel, roots.pointer, x.re, x.im, 1, spectrumLength, y, 1, length, part, scale, scratch)
        return
      }
      for row in 0..<part {
        let z = PlanePointers(scratch, count: halfLength)
        let from = x + row * spectrumLength
        kernels.tangle(roots.pointer, halfLength, from.re, from.im, z.re, z.im)
        half.transformRow(z.exchanged, to: z.exchanged, scale: scale, scratch: scratch + length)
        kernels.join(z.re, z.im, y + row * length, halfLength)
      }
    }
  }

  /// Calls `body` with the first of several rows, their number, and scratch memory.
  private func inRows(_ count: Int, _ body: (Int, Int, UnsafeMutablePointer<Scalar>) -> Void) {
    let passes = half.lanePasses(count)
    let size = passes == nil ? 1 : Self.lanes
    let scratchCount = passes?.scratchCount ?? length + half.rowScratchCount
    parallelParts((count + size - 1) / size, work: count > 1 ? count * length / 2 : 0) { groups in
      let first = groups.lowerBound * size
      withScratch(scratchCount) { body(first, min(groups.upperBound * size, count) - first, $0) }
    }
  }

  // MARK: Columns

  /// The columns of matrices of shape [length, width]; only where `transformsColumns`.
  func transformColumns(
    _ x: UnsafeMutablePointer<Scalar>, to y: PlanePointers<Scalar>, matrices: Int, width: Int, scale: Scalar
  ) {
    let from = PlanePointers(x, x)
    inColumns(matrices, width) { passes, matrix, left, count, scratch in
      let y = y + matrix * spectrumLength * width + left
      Scalar.fourier.kernels.realTransforms(
        passes.kernel, roots.pointer, from.re + matrix * length * width + left, width, 1, y.re, y.im, width, 1, count,
        scale, scratch)
    }
  }

  func invertColumns(
    _ x: PlanePointers<Scalar>, to y: UnsafeMutablePointer<Scalar>, matrices: Int, width: Int, scale: Scalar
  ) {
    let to = PlanePointers(y, y)
    inColumns(matrices, width) { passes, matrix, left, count, scratch in
      let x = x + matrix * spectrumLength * width + left
      Scalar.fourier.kernels.realInverses(
        passes.kernel, roots.pointer, x.re, x.im, width, 1, to.re + matrix * length * width + left, width, 1, count,
        scale, scratch)
    }
  }

  private func inColumns(
    _ matrices: Int, _ width: Int, _ body: (Passes<Scalar>, Int, Int, Int, UnsafeMutablePointer<Scalar>) -> Void
  ) {
    guard let passes = half.columnPasses else { preconditionFailure("columns of length \(length) want a copy") }
    let lanes = Self.lanes
    let groups = (width + lanes - 1) / lanes
    parallelParts(matrices * groups, work: matrices * width * length / 2) { part in
      withScratch(passes.scratchCount) { scratch in
        for group in part {
          let left = group % groups * lanes
          body(passes, group / groups, left, min(lanes, width - left), scratch)
        }
      }
    }
  }
}
