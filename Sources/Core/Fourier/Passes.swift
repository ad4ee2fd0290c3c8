import CVectorKernels

/// The passes of a transform by butterflies alone: what the kernels call a transform.
///
/// Cooley and Tukey, 1965, in Stockham's self-sorting order (Van Loan, Computational Frameworks for the Fast Fourier
/// Transform, 1992, section 1.7). The twiddles are the ones CFourierKernels.h describes.
final class Passes<Scalar: FourierScalar>: @unchecked Sendable {
  let length: Int
  let kernel: UnsafeMutablePointer<apus_fft>
  private let radixTable: Table<UInt32>
  private let twiddles: Table<Scalar>

  /// Elements of scratch that the kernels want.
  var scratchCount: Int { 4 * Scalar.fourier.kernels.lanes * (length + 1) }

  init(length: Int, radices: [Int]) {
    self.length = length
    var twiddles: [Scalar] = []
    var m = length
    for radix in radices {
      m /= radix
      if radix > 8 {
        let roots = (0..<radix).map { UnitRoot($0, of: radix) }
        twiddles += roots.map { Scalar($0.real) } + roots.map { Scalar($0.imaginary) }
      }
      guard m > 1 else { continue }
      for p in 0..<m {
        for j in 1..<radix {
          let root = UnitRoot(-j * p, of: m * radix)
          twiddles.append(Scalar(root.real))
          twiddles.append(Scalar(root.imaginary))
        }
      }
    }
    self.twiddles = Table(twiddles)
    radixTable = Table(radices.map { UInt32($0) })
    kernel = .allocate(capacity: 1)
    kernel.initialize(
      to: apus_fft(
        length: length, passes: radices.count, radices: radixTable.pointer, twiddles: self.twiddles.pointer))
  }

  deinit { kernel.deallocate() }

  /// About the time of one block of lanes, in passes of one element by radix 8. `edges`: what it takes to bring an
  /// element in and out, about 1.4 for each transposition of rows.
  static func cost(length: Int, radices: [Int], edges: Double) -> Double {
    var passes = edges
    for radix in radices {
      switch radix {
      case 2, 3, 4: passes += 0.8
      case 5, 8: passes += 1
      case 7: passes += 1.3
      default: passes += 0.3 * Double(radix)
      }
    }
    // The two buffers leave the first cache, and then the second one.
    let bytes = length * 256
    let memory = bytes <= 1 << 15 ? 1.0 : bytes <= 1 << 19 ? 1.3 : 2
    let calls = 20 + 6 * Double(radices.count)
    return passes * memory * Double(length) + calls
  }
}
