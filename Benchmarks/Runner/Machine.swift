// What this machine can do at best: what floors are reckoned with.

import LinearAlgebra
import Tensors

struct Machine {
  /// Floating-point operations a second of a large product, in each precision.
  var flopsSingle = 0.0, flopsDouble = 0.0, flopsBFloat16 = 0.0
  /// Bytes read plus written a second by a large copy.
  var bytes = 0.0

  /// The fastest of many rounds: a processor that has been idle needs some to reach its speed, and any may be disturbed.
  static func measured() -> Machine {
    func fastest(_ body: () -> Void) -> Double {
      let end = now() + 1.5
      var best = Double.infinity
      while now() < end {
        let start = now()
        body()
        best = min(best, now() - start)
      }
      return best
    }
    var random = RandomStream(seed: 1)
    let n = 1_536
    let single: Tensor<Float> = random.normal([n, n])
    let double: Tensor<Double> = random.normal([n, n])
    let flops = 2 * Double(n * n * n)
    let large = Tensor<Float>.zeros([50_000_000])
    defer { releaseRecycledMemory() }
    return Machine(
      flopsSingle: flops / fastest { keep(single.matmul(single)) },
      flopsDouble: flops / fastest { keep(double.matmul(double)) },
      flopsBFloat16: flops / fastest { keep(single.matmul(single, precision: .bfloat16)) },
      bytes: 400e6 / fastest { keep(large + Float(0)) })
  }

  /// The better of each rate.
  func best(with other: Machine) -> Machine {
    Machine(
      flopsSingle: max(flopsSingle, other.flopsSingle), flopsDouble: max(flopsDouble, other.flopsDouble),
      flopsBFloat16: max(flopsBFloat16, other.flopsBFloat16), bytes: max(bytes, other.bytes))
  }
}
