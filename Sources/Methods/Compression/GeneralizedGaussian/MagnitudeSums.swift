// Sums over the magnitudes of many numbers, by vector kernels on pieces that fit into the cache.

import CVectorKernels
import Tensors

/// The numbers of a tensor about a centre and in units of a scale, read piece by piece in double precision.
struct ScaledMagnitudes<Scalar: RealScalar> {
  /// Of type `Float` or `Double`.
  let numbers: Tensor<Scalar>
  var centre = 0.0
  var scale = 1.0

  /// Σ |x|, Σ x².
  func momentSums() -> (magnitudes: Double, squares: Double) {
    let sums = sums(2) { x, _, count, sums in
      sums[0] = apus_reduce_f64(APUS_SUM, x, 1, count)
      sums[1] = apus_dot_f64(x, 1, x, 1, count)
    }
    return (sums[0], sums[1])
  }

  /// Σ |x|^ν, Σ |x|^ν log |x|, Σ |x|^ν log² |x|.
  func powerSums(_ exponent: Double) -> (powers: Double, logarithms: Double, squaredLogarithms: Double) {
    let sums = sums(3) { x, scratch, count, sums in
      var exponent = exponent
      var least = Double.leastNormalMagnitude  // the logarithm of zero times zero would not be a number
      apus_binary_f64(APUS_MAXIMUM, x, 1, &least, 0, x, count)
      apus_unary_f64(APUS_LOG, x, 1, x, count)
      apus_binary_f64(APUS_MULTIPLY, x, 1, &exponent, 0, scratch, count)
      apus_unary_f64(APUS_EXP, scratch, 1, scratch, count)
      sums[0] = apus_reduce_f64(APUS_SUM, scratch, 1, count)
      apus_binary_f64(APUS_MULTIPLY, x, 1, scratch, 1, scratch, count)
      sums[1] = apus_reduce_f64(APUS_SUM, scratch, 1, count)
      sums[2] = apus_dot_f64(x, 1, scratch, 1, count)
    }
    return (sums[0], sums[1], sums[2])
  }

  /// Σ log(1 + x² / ω).
  func studentSum(_ width: Double) -> Double {
    sums(1) { x, _, count, sums in
      var factor = 1 / width
      apus_unary_f64(APUS_SQUARE, x, 1, x, count)
      apus_binary_f64(APUS_MULTIPLY, x, 1, &factor, 0, x, count)
      apus_unary_f64(APUS_LOG1P, x, 1, x, count)
      sums[0] = apus_reduce_f64(APUS_SUM, x, 1, count)
    }[0]
  }

  private static var piece: Int { 1 << 12 }

  /// Adds up what `body` finds for each piece, always in the same order.
  ///
  /// - Parameter body: gets |x| of a piece, which it may overwrite, as much memory to work in, and zeros to fill.
  private func sums(
    _ width: Int,
    _ body: (
      UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>, Int, UnsafeMutablePointer<Double>
    ) -> Void
  ) -> [Double] {
    let pieces = (numbers.count + Self.piece - 1) / Self.piece
    var partial = [Double](repeating: 0, count: pieces * width)
    partial.withUnsafeMutableBufferPointer { partial in
      guard let start = partial.baseAddress else { return }
      let results = Address(start)
      numbers.withUnsafeBuffer { numbers in
        guard let from = numbers.baseAddress else { return }
        let source = Address(UnsafeMutablePointer(mutating: from))
        withoutActuallyEscaping(body) { body in
          parallelRanges(pieces, grain: 2) { range in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * Self.piece) { work in
              guard let x = work.baseAddress else { return }
              for piece in range {
                let first = piece * Self.piece
                let count = min(Self.piece, numbers.count - first)
                read(source.start + first, x, count)
                body(x, x + Self.piece, count, results.start + piece * width)
              }
            }
          }
        }
      }
    }
    return (0..<width).map { i in
      var sum = 0.0
      for piece in 0..<pieces { sum += partial[piece * width + i] }
      return sum
    }
  }

  private func read(_ source: UnsafePointer<Scalar>, _ x: UnsafeMutablePointer<Double>, _ count: Int) {
    if Scalar.self == Float.self {
      apus_f64_from_f32(UnsafeRawPointer(source).assumingMemoryBound(to: Float.self), x, count)
    } else {
      x.update(from: UnsafeRawPointer(source).assumingMemoryBound(to: Double.self), count: count)
    }
    if centre != 0 {
      var centre = centre
      apus_binary_f64(APUS_SUBTRACT, x, 1, &centre, 0, x, count)
    }
    if scale != 1 {
      var factor = 1 / scale
      apus_binary_f64(APUS_MULTIPLY, x, 1, &factor, 0, x, count)
    }
    apus_unary_f64(APUS_ABSOLUTE, x, 1, x, count)
  }
}

/// Memory that several threads use at different places.
struct Address<Element>: @unchecked Sendable {
  let start: UnsafeMutablePointer<Element>
  init(_ start: UnsafeMutablePointer<Element>) { self.start = start }
}
