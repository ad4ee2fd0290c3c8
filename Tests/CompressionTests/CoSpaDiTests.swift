import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct CoSpaDiTests {
  private func problem(_ outputs: Int, _ inputs: Int, _ seed: UInt64) -> (
    weight: Tensor<Double>, x: Tensor<Double>, moment: Tensor<Double>
  ) {
    var generator = TestGenerator(seed: seed)
    let mix: Tensor<Double> = generator.tensor([inputs, inputs])
    let x = (generator.tensor([5 * inputs, inputs]) as Tensor<Double>).matmul(mix)
    return (generator.tensor([outputs, inputs]), x, x.multipliedByOwnTranspose(transposing: true))
  }

  @Test(arguments: 0..<6)
  func errorIsThatOfTheOutputs(seed: UInt64) throws {
    let (weight, x, moment) = problem(60, 12, seed)
    let method = CoSpaDi(keep: 0.5, ratio: 2, sweeps: 6, damping: 0, seed: seed)
    let (found, report) = try { ($0.weight, $0.report) }(method.compress(weight, secondMoment: moment))
    let wanted = x.matmul(weight, transposingB: true)
    let rest = wanted - x.matmul(found.dense(), transposingB: true)
    let relative = rest.frobeniusNorm() / wanted.frobeniusNorm()
    #expect(abs(relative - report.relativeError) < 1e-9, "seed \(seed)")
    #expect(abs(relative - (report.errors.last ?? .nan)) < 1e-9, "learned and applied errors are one; seed \(seed)")
    #expect(zip(report.errors, report.errors.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-12) })
    // Sparse codes act as the dense weight does.
    let outputs = found.apply(x.reshaped([5, 12, 12]))
    #expect(distance(outputs.reshaped([60, 60]), x.matmul(found.dense(), transposingB: true)) < 1e-10)
    #expect(distance(found.removingUnusedAtoms().dense(), found.dense()) < 1e-12)
    // Rotated tokens have the same second moments.
    var generator = TestGenerator(seed: seed + 100)
    let rotated = try orthogonal(60, &generator).matmul(x).multipliedByOwnTranspose(transposing: true)
    let again = try method.compress(weight, secondMoment: rotated)
    #expect(abs(again.report.relativeError - report.relativeError) < 1e-6, "seed \(seed)")
  }

  @Test func singlePrecisionIsAsGood() throws {
    let (weight, _, moment) = problem(80, 16, 3)
    let method = CoSpaDi(keep: 0.5, ratio: 3, sweeps: 5)
    let double = try method.compress(weight, secondMoment: moment).report.relativeError
    let single = try method.compress(Tensor<Float>(weight), secondMoment: moment).report.relativeError
    #expect(abs(double - single) < 0.02 * double)
  }

  @Test(arguments: [1.0, 1.5, 2, 4, 8])
  func budgetIsKeptAndUsed(ratio: Double) throws {
    let (weight, _, moment) = problem(200, 24, 1)
    for keep in [0.3, 0.5, 0.8] {
      let report = try CoSpaDi(keep: keep, ratio: ratio, sweeps: 1).compress(weight, secondMoment: moment).report
      #expect(report.atoms == max(report.sparsity, Int((ratio * Double(report.sparsity)).rounded())))
      let indexBits = report.sparsity * Int(Double.log2(Double(report.atoms)).rounded(.up))
      func bits(_ k: Int, _ s: Int) -> Int { 16 * k * 24 + 200 * (16 * s + min(k, indexBits)) }
      #expect(report.storedBits == bits(report.atoms, report.sparsity))
      #expect(report.keptFraction <= keep)
      // One more entry an output would not fit, even with the same places.
      let next = report.sparsity + 1
      let more = bits(Int((ratio * Double(next)).rounded()), next)
      #expect(Double(more) > keep * 16 * 200 * 24 || report.sparsity == 24, "keep \(keep), ratio \(ratio)")
    }
  }

  @Test func sharedDictionaryIsStoredOnce() throws {
    let (a, _, moment) = problem(90, 16, 5)
    let (b, _, other) = problem(40, 16, 6)
    let method = CoSpaDi(keep: 0.5, ratio: 3, sweeps: 4)
    let shared = try method.compressShared([a, b], secondMoments: [moment, other])
    #expect(shared.weights.map(\.outputs) == [90, 40])
    #expect(shared.weights[0].dictionary == shared.weights[1].dictionary)
    let bits = shared.weights[0].dictionaryBits + shared.weights[0].codeBits + shared.weights[1].codeBits
    #expect(shared.report.storedBits == bits)
    #expect(shared.report.keptFraction <= 0.5)
    // Together they are one tall weight on the sum of the moments.
    let whole = try method.compress(.concatenated([a, b]), secondMoment: moment + other)
    #expect(abs(whole.report.relativeError - shared.report.relativeError) < 1e-12)
    let parts = Tensor.concatenated(shared.weights.map { $0.dense() })
    #expect(distance(parts, whole.weight.dense()) < 1e-12)
  }

  @Test func roundedNumbersAreCloseAndCounted() throws {
    let (weight, _, moment) = problem(100, 16, 2)
    func report(_ precision: CodePrecision) throws -> (DictionaryReport, SparseDictionary<Double>) {
      let found = try CoSpaDi(keep: 0.5, ratio: 2, sweeps: 6, precision: precision).compress(
        weight, secondMoment: moment)
      #expect(found.report.keptFraction <= 0.5 && found.weight.storedBits == found.report.storedBits)
      return (found.report, found.weight)
    }
    let exact = try report(.unrounded)
    let half = try report(.half(droppedBits: 0))
    #expect(half.0.sparsity == exact.0.sparsity)
    #expect(abs(half.0.relativeError - exact.0.relativeError) < 2e-3 * exact.0.relativeError)
    for value in half.1.dictionary.scalars { #expect(value == Double(Float(value))) }
    // Narrower codes leave room for more of them, which is worth more than their last bits.
    let dropped = try report(.half(droppedBits: 6))
    let integer = try report(.integer8)
    #expect(dropped.0.sparsity > exact.0.sparsity && integer.0.sparsity > exact.0.sparsity)
    #expect(integer.0.relativeError < exact.0.relativeError)
    let starts = integer.1.codes.starts.scalars
    for row in 0..<100 {
      let values = integer.1.codes.values.scalars[Int(starts[row])..<Int(starts[row + 1])]
      let scale = (values.map(\.magnitude).max() ?? .nan) / 127
      for value in values where scale != 0 { #expect(abs(value / scale - (value / scale).rounded()) < 1e-9) }
    }
  }

  @Test func fewTokensAreDamped() throws {
    var generator = TestGenerator(seed: 9)
    let weight: Tensor<Double> = generator.tensor([50, 20])
    let x: Tensor<Double> = generator.tensor([6, 20])
    let moment = x.multipliedByOwnTranspose(transposing: true)
    let found = try CoSpaDi(keep: 0.5, ratio: 1, sweeps: 5, damping: 0).compress(weight, secondMoment: moment)
    #expect(found.report.damping > 0 && found.report.damping < 1e-6)
    #expect(found.weight.dense().isFinite)
    #expect(try CoSpaDi(keep: 0.5, sweeps: 5).compress(weight, secondMoment: moment).report.damping == 1e-6)
    #expect(found.report.relativeError < 1e-4, "six directions need six atoms")
    let zero = try CoSpaDi(keep: 0.5).compress(Tensor<Double>.zeros([30, 8]), secondMoment: .identity(8))
    #expect(zero.weight.codes.entryCount == 0 && zero.weight.dense() == .zeros([30, 8]))
    #expect(zero.report.relativeError == 0)
  }

  @Test func badInput() throws {
    let weight = Tensor<Double>.ones([40, 8])
    func refuses(_ method: CoSpaDi, _ weight: Tensor<Double>, _ moment: Tensor<Double>? = nil) {
      #expect(throws: InvalidArgument.self) { try method.compress(weight, secondMoment: moment) }
    }
    for keep in [0, -1, 1.5, .nan] { refuses(CoSpaDi(keep: keep), weight) }
    for ratio in [0.5, .infinity, .nan] { refuses(CoSpaDi(ratio: ratio), weight) }
    refuses(CoSpaDi(damping: -1), weight)
    refuses(CoSpaDi(sweeps: -1), weight)
    refuses(CoSpaDi(precision: .half(droppedBits: 10)), weight)
    refuses(CoSpaDi(), Tensor([[1, .nan]]))
    refuses(CoSpaDi(), weight, .identity(7))
    refuses(CoSpaDi(), weight, .zeros([8, 8]))
    refuses(CoSpaDi(), weight, Tensor(diagonal: Tensor([1, 1, 1, 1, 1, 1, 1, -1])))
    #expect(throws: InvalidArgument.self) { try CoSpaDi().compressShared([Tensor<Double>]()) }
    #expect(throws: InvalidArgument.self) { try CoSpaDi().compressShared([weight, .ones([4, 9])]) }
    do {
      _ = try CoSpaDi(keep: 0.05).compress(weight)
      Issue.record("a budget for no entry at all was accepted")
    } catch let error as InvalidArgument {
      // The fraction that the message names works.
      let named = try #require(
        error.wanted.split(separator: " ").compactMap { Double($0.replacing(",", with: "")) }.first)
      #expect(throws: Never.self) { try CoSpaDi(keep: named * 1.01).compress(weight) }
    }
  }
}
