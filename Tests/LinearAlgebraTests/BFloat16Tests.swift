import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Products in bfloat16, and the orthogonalization made of them. Where the processor has none, they are those in f32.
struct BFloat16Tests {
  /// The nearest bfloat16, ties to even; on other processors nothing is rounded.
  private func rounded(_ x: Tensor<Double>) -> Tensor<Double> {
    guard ProductPrecision.hasBFloat16 else { return x }
    let numbers = x.scalars.map { value in
      let bits = Float(value).bitPattern
      return Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
    }
    return Tensor(shape: x.shape, scalars: numbers)
  }

  /// Sums are in f32: the error against exact sums of rounded terms is that of f32.
  @Test(arguments: 0..<6 as Range<UInt64>) func productsOfRoundedTerms(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    for (m, n, k) in [(128, 128, 128), (130, 257, 300), (391, 150, 129), (128, 1_000, 133)] {
      let a: Tensor<Float> = generator.tensor([m, k])
      let b: Tensor<Float> = generator.tensor([k, n])
      let expected = rounded(Tensor(a)).matmul(rounded(Tensor(b)))
      let found = a.matmul(b, precision: .bfloat16)
      #expect(distance(Tensor<Double>(found), expected) < 2e-5, "seed \(seed): \(m) x \(n), \(k) terms")
      let turned = a.matmul(b.transposed.copied(), transposingB: true, precision: .bfloat16)
      #expect(distance(Tensor<Double>(turned), expected) < 2e-5, "seed \(seed), transposed")
    }
  }

  @Test func smallAndDifferentiatedProductsAreFull() {
    var generator = TestGenerator(seed: 1)
    let small: Tensor<Float> = generator.tensor([127, 200])
    #expect(small.matmul(small, transposingB: true, precision: .bfloat16) == small.matmul(small, transposingB: true))
    let large: Tensor<Float> = generator.tensor([200, 200])
    #expect(large.matmul(large, precision: .full) == large.matmul(large))
    let slope = gradient(at: large) { $0.matmul(large, precision: .bfloat16).sum() }
    #expect(slope == gradient(at: large) { $0.matmul(large).sum() })
    let wide: Tensor<Double> = generator.tensor([200, 300])
    let full = NewtonSchulz(steps: NewtonSchulz.muon.steps)
    #expect(NewtonSchulz.muon.orthogonalize(wide) == full.orthogonalize(wide))
    #expect(full.orthogonalize(large) != NewtonSchulz.muon.orthogonalize(large) || !ProductPrecision.hasBFloat16)
  }

  /// The iteration in f64 with values rounded where ours are: between the products, and before the first.
  private func reference(_ matrix: Tensor<Double>, _ steps: [NewtonSchulz.Step]) -> Tensor<Double> {
    var x = rounded(matrix / matrix.sumOfSquares().sqrt())
    for step in steps {
      let gram = rounded(x.multipliedByOwnTranspose())
      let polynomial = rounded(gram.multipliedByOwnTranspose() * step.c + gram * step.b)
      x = rounded(polynomial.matmul(x) + x * step.a)
    }
    return x
  }

  @Test(arguments: [[256, 256], [200, 333], [333, 200], [129, 700]]) func orthogonalization(shape: [Int]) throws {
    var generator = TestGenerator(seed: UInt64(shape[0]))
    let a: Tensor<Float> = generator.tensor(shape)
    let isTall = shape[0] > shape[1]
    let found = Tensor<Double>(NewtonSchulz.muon.orthogonalize(a))
    let wide = Tensor<Double>(isTall ? a.transposed.copied() : a)
    let expected = reference(wide, NewtonSchulz.muon.steps)
    // Sums that differ in their last bit are now and then rounded to the neighbour: 2^-9 of an element, 3.4 times as
    // much a step where a singular value is small.
    let difference = (isTall ? found.transposed.copied() : found) - expected
    let relative = difference.frobeniusNorm() / expected.frobeniusNorm()
    #expect(relative < 1e-2, "\(relative)")
    // What PyTorch promises of its own: singular values of about 0.5...1.5. A square matrix has some too small for five
    // steps.
    let values = try found.singularValues().scalars
    #expect(values.max()! < 1.3 && (values.min()! > 0.5 || shape[0] == shape[1]), "\(values.min()!)...\(values.max()!)")
    let full = NewtonSchulz(steps: NewtonSchulz.muon.steps).orthogonalize(Tensor<Double>(a))
    #expect((found - full).frobeniusNorm() < 0.05 * full.frobeniusNorm())
  }

  @Test func symmetryZeroAndNotANumber() throws {
    var generator = TestGenerator(seed: 5)
    let a: Tensor<Float> = generator.tensor([150, 150])
    // The iteration commutes with transposition but for the rounding.
    let turned = NewtonSchulz.muon.orthogonalize(a.transposed).transposed
    let straight = NewtonSchulz.muon.orthogonalize(a)
    #expect((straight - turned).frobeniusNorm() < 0.05 * straight.frobeniusNorm())
    #expect(NewtonSchulz.muon.orthogonalize(Tensor<Float>.zeros([150, 150])) == .zeros([150, 150]))
    var broken = a
    broken[at: 3, 4] = .nan
    #expect(NewtonSchulz.muon.orthogonalize(broken).scalars.contains { $0.isNaN })
    let tiny = NewtonSchulz.muon.orthogonalize(a * Float(1e-15))
    #expect((straight - tiny).frobeniusNorm() < 0.05 * straight.frobeniusNorm())
  }
}
