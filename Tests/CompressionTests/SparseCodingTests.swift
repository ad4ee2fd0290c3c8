import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Unit vectors, one a row.
func unitRows(_ rows: Int, _ columns: Int, _ generator: inout TestGenerator) -> Tensor<Double> {
  let x: Tensor<Double> = generator.tensor([rows, columns])
  return x / x.norm(axis: 1, keepingAxis: true)
}

/// Orthogonal matching pursuit as it is defined: a least-squares fit to the chosen atoms after each choice.
private func plainPursuit(_ y: Tensor<Double>, _ dictionary: Tensor<Double>, sparsity: Int) throws -> (
  atoms: [Int], coefficients: Tensor<Double>
) {
  var chosen: [Int] = []
  var coefficients = Tensor<Double>.zeros([0])
  var residual = y
  for _ in 0..<sparsity {
    let correlations = dictionary.matmul(residual).absolute().scalars
    guard
      let best = correlations.indices.filter({ !chosen.contains($0) }).max(by: { correlations[$0] < correlations[$1] })
    else { break }
    chosen.append(best)
    let atoms = dictionary.gathered(Tensor(chosen))
    coefficients = try atoms.multipliedByOwnTranspose().solve(atoms.matmul(y))
    residual = y - coefficients.matmul(atoms)
  }
  return (chosen, coefficients)
}

@Suite struct SparseCodingTests {
  @Test(arguments: 0..<12)
  func agreesWithLeastSquaresAfterEachChoice(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (k, d) = (Int.random(in: 2...90, using: &generator), Int.random(in: 6...20, using: &generator))
    let sparsity = Int.random(in: 1...min(k, 5), using: &generator)
    let dictionary = unitRows(k, d, &generator)
    let signals: Tensor<Double> = generator.tensor([7, d])
    let codes = try OrthogonalMatchingPursuit(sparsity: sparsity).encode(signals, over: dictionary)
    let dense = codes.matrix.dense
    for i in 0..<7 {
      let direct = try plainPursuit(signals[i], dictionary, sparsity: sparsity)
      var wanted = Tensor<Double>.zeros([k])
      for (atom, value) in zip(direct.atoms, direct.coefficients.scalars) { wanted[at: atom] = value }
      #expect(distance(dense[i], wanted) < 1e-8, "seed \(seed), signal \(i)")
      let residual = signals[i] - dense[i].matmul(dictionary)
      let chosen = dictionary.gathered(Tensor(direct.atoms))
      #expect(chosen.matmul(residual).largestMagnitude < 1e-10, "the residual is orthogonal to the chosen atoms")
      #expect(abs(residual.sumOfSquares().scalar - codes.squaredErrors[at: i]) < 1e-10)
    }
    let gram = dictionary.multipliedByOwnTranspose()
    let again = try OrthogonalMatchingPursuit(sparsity: sparsity).encode(
      correlations: signals.matmul(dictionary, transposingB: true), gram: gram,
      squaredNorms: signals.sumOfSquares(axes: [1]))
    #expect(again.matrix == codes.matrix)
    let single = try OrthogonalMatchingPursuit(sparsity: 1).encode(
      Tensor<Float>(signals), over: Tensor<Float>(dictionary))
    let first = try OrthogonalMatchingPursuit(sparsity: 1).encode(signals, over: dictionary)
    #expect(distance(Tensor<Double>(single.matrix.dense), first.matrix.dense) < 1e-5)
  }

  /// Over an orthonormal dictionary the best s atoms are those of the largest correlations.
  @Test(arguments: 0..<4)
  func isExhaustiveSearchOverOrthonormalAtoms(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let dictionary = try orthogonal(6, &generator)
    let signals: Tensor<Double> = generator.tensor([5, 6])
    for sparsity in 1...6 {
      let codes = try OrthogonalMatchingPursuit(sparsity: sparsity).encode(signals, over: dictionary)
      for i in 0..<5 {
        var best = Double.infinity
        for mask in 0..<64 where mask.nonzeroBitCount == sparsity {
          let subset = (0..<6).filter { mask >> $0 & 1 == 1 }
          let fit = dictionary.gathered(Tensor(subset)).matmul(signals[i])
          best = min(best, signals[i].sumOfSquares().scalar - fit.sumOfSquares().scalar)
        }
        #expect(abs(codes.squaredErrors[at: i] - best) < 1e-12, "seed \(seed)")
      }
    }
  }

  @Test func stopsWhenNothingIsLeft() throws {
    var generator = TestGenerator(seed: 1)
    let dictionary = unitRows(40, 12, &generator)
    var signals: Tensor<Double> = .zeros([3, 12])
    signals[1] = dictionary[7] * 2.5
    signals[2] = dictionary[3] - dictionary[30]
    let codes = try OrthogonalMatchingPursuit(sparsity: 8).encode(signals, over: dictionary)
    #expect(codes.matrix.starts.scalars[0...1].elementsEqual([0, 0]), "a signal of zeros has no code")
    #expect(codes.matrix.starts[at: 2] == 1)
    #expect(abs(codes.matrix.dense[at: 1, 7] - 2.5) < 1e-12)
    #expect(codes.squaredErrors.largestMagnitude < 1e-13)
    // A tolerance stops earlier; equal atoms are passed over; of equal correlations the first is taken.
    let noisy: Tensor<Double> = generator.tensor([9, 12])
    let within = try OrthogonalMatchingPursuit(sparsity: 12, tolerance: 0.5).encode(noisy, over: dictionary)
    let fewer = within.matrix.entryCount
    #expect(within.squaredErrors.maximum().scalar <= 0.5)
    #expect(fewer < 9 * 12)
    let doubled = Tensor.concatenated([dictionary, dictionary])
    let same = try OrthogonalMatchingPursuit(sparsity: 6).encode(noisy, over: doubled)
    let original = try OrthogonalMatchingPursuit(sparsity: 6).encode(noisy, over: dictionary)
    #expect(distance(same.matrix.dense[.all, 0..<40], original.matrix.dense) < 1e-9)
    #expect(same.matrix.dense[.all, 40...].largestMagnitude == 0)
  }

  @Test func badInput() {
    let (signals, dictionary) = (Tensor<Double>.ones([2, 3]), Tensor<Double>.ones([4, 3]))
    for sparsity in [0, -1, 5] {
      #expect(throws: InvalidArgument.self) {
        try OrthogonalMatchingPursuit(sparsity: sparsity).encode(signals, over: dictionary)
      }
      #expect(throws: InvalidArgument.self) { try KSVD(atoms: 4, sparsity: sparsity).fit(signals) }
    }
    let pursuit = OrthogonalMatchingPursuit(sparsity: 1)
    #expect(throws: InvalidArgument.self) { try pursuit.encode(.ones([2, 4]), over: dictionary) }
    #expect(throws: InvalidArgument.self) { try pursuit.encode(Tensor<Double>([[1, .nan, 0]]), over: dictionary) }
    #expect(throws: InvalidArgument.self) {
      try pursuit.encode(
        correlations: Tensor<Double>.ones([2, 4]), gram: .ones([3, 3]), squaredNorms: .ones([2]))
    }
    #expect(throws: InvalidArgument.self) { try KSVD(atoms: 0, sparsity: 1).fit(signals) }
    #expect(throws: InvalidArgument.self) { try KSVD(atoms: 2, sparsity: 1).fit(Tensor([[Double.nan]])) }
    #expect(throws: InvalidArgument.self) { try KSVD(atoms: 2, sparsity: 1, sweeps: -1).fit(signals) }
    #expect(throws: InvalidArgument.self) { try KSVD(atoms: 2, sparsity: 1, powerIterations: 0).fit(signals) }
  }
}

@Suite struct KSVDTests {
  @Test(arguments: 0..<8)
  func errorNeverGrows(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (n, d) = (Int.random(in: 20...120, using: &generator), Int.random(in: 4...40, using: &generator))
    let k = Int.random(in: 2...70, using: &generator)
    let sparsity = Int.random(in: 1...min(k, d, 6), using: &generator)
    let signals: Tensor<Double> = generator.tensor([n, d])
    for powerIterations in [1, 2, nil] {
      for initialization in [KSVD.Initialization.signals, .spectral] {
        let method = KSVD(
          atoms: k, sparsity: sparsity, sweeps: 8, tolerance: 0, powerIterations: powerIterations,
          initialization: initialization, seed: seed)
        let learned = try method.fit(signals)
        #expect(learned.dictionary.shape == [k, d] && learned.codes.shape == [n, k])
        #expect(learned.errors.count == 9 || learned.errors.last ?? .nan < 1e-12)
        #expect(zip(learned.errors, learned.errors.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-12) }, "seed \(seed)")
        let rest = (signals - learned.reconstructed()).frobeniusNorm() / signals.frobeniusNorm()
        #expect(abs(rest - (learned.errors.last ?? .nan)) < 1e-9, "residuals are kept up to date; seed \(seed)")
        let starts = learned.codes.starts.scalars
        #expect(zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 <= Int32(sparsity) })
        #expect(distance(learned.dictionary.norm(axis: 1), .ones([k])) < 1e-9, "seed \(seed)")
        #expect(try method.fit(signals).codes == learned.codes)
      }
    }
  }

  /// The specification's other order of the atoms: another dictionary, which is as good and repeats with its seed.
  @Test func shuffledAtomsLearnAsWell() throws {
    var generator = TestGenerator(seed: 21)
    let signals: Tensor<Double> = generator.tensor([200, 16])
    var method = KSVD(atoms: 32, sparsity: 3, sweeps: 12, tolerance: 0, seed: 5)
    let plain = try method.fit(signals)
    method.shufflesAtoms = true
    let shuffled = try method.fit(signals)
    #expect(zip(shuffled.errors, shuffled.errors.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-12) })
    #expect(try method.fit(signals).dictionary == shuffled.dictionary)
    #expect(shuffled.dictionary != plain.dictionary)
    let (own, other) = (try #require(shuffled.errors.last), try #require(plain.errors.last))
    #expect(abs(own / other - 1) < 0.05)
  }

  @Test func resultsDoNotDependOnThreads() throws {
    var generator = TestGenerator(seed: 3)
    let signals: Tensor<Double> = generator.tensor([400, 130])
    let method = KSVD(atoms: 100, sparsity: 40, sweeps: 2)
    let threads = threadCount
    defer { threadCount = threads }
    var results: [LearnedDictionary<Double>] = []
    for count in [1, 2, 3] {
      threadCount = count
      results.append(try method.fit(signals))
    }
    for other in results {
      #expect(other.dictionary == results[0].dictionary && other.codes == results[0].codes)
    }
  }

  @Test func trivialSizes() throws {
    var generator = TestGenerator(seed: 5)
    let signals: Tensor<Double> = generator.tensor([30, 9])
    // An atom for each signal; a basis.
    #expect(try KSVD(atoms: 30, sparsity: 1).fit(signals).errors.last ?? .nan < 1e-12)
    #expect(try KSVD(atoms: 9, sparsity: 9).fit(signals).errors.last ?? .nan < 1e-12)
    // More atoms than signals.
    let few = try KSVD(atoms: 40, sparsity: 2).fit(signals)
    #expect(few.errors.last ?? .nan < 1e-12 && few.dictionary.isFinite)
    let zero = try KSVD(atoms: 4, sparsity: 2).fit(Tensor<Double>.zeros([6, 5]))
    #expect(zero.codes.entryCount == 0 && zero.errors == [0])
    #expect(distance(zero.dictionary.norm(axis: 1), .ones([4])) < 1e-12)
  }

  /// With as many entries as atoms the codes are projections onto a subspace: nothing can beat the leading singular
  /// vectors, and from them nothing is lost.
  @Test(arguments: 0..<4)
  func denseCodesReachTheTruncatedSVD(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let signals = try matrix(40, 16, values: (1...16).map { 1 / Double($0) }, &generator)
    let energies = try signals.singularValues().scalars.map { $0 * $0 }
    for rank in [1, 4, 9] {
      let least = (energies.dropFirst(rank).reduce(0, +) / energies.reduce(0, +)).squareRoot()
      let spectral = try KSVD(atoms: rank, sparsity: rank, initialization: .spectral).fit(signals)
      #expect(abs((spectral.errors.last ?? .nan) - least) < 1e-9, "seed \(seed)")
      let drawn = try KSVD(atoms: rank, sparsity: rank, sweeps: 200, tolerance: 1e-12, seed: seed).fit(signals)
      let reached = drawn.errors.last ?? .nan
      #expect(
        reached >= least * (1 - 1e-9) && reached <= least * 1.01, "seed \(seed), rank \(rank): \(reached), \(least)")
    }
  }

  /// The protocol of Aharon et al., section V-A: a dictionary of 50 atoms of 20 numbers is found again; as there, what
  /// counts is the mean over trials.
  @Test func plantedDictionariesAreRecovered() throws {
    let found = try (0..<6).map { try recovered(seed: $0) }
    #expect(found.reduce(0, +) >= 45 * found.count, "\(found) of 50 atoms")
  }

  private func recovered(seed: UInt64) throws -> Int {
    var generator = TestGenerator(seed: seed)
    var random = RandomStream(seed: seed)
    let truth: Tensor<Double> = random.sphere([50, 20])
    var codes = Tensor<Double>.zeros([1_500, 50])
    for i in 0..<1_500 {
      for atom in random.sample(3, below: 50).scalars {
        codes[at: i, atom] = Double.random(in: -1...1, using: &generator)
      }
    }
    let signals = codes.matmul(truth)
    var method = KSVD(atoms: 50, sparsity: 3, sweeps: 80, tolerance: 0, seed: seed)
    method.restarts = true
    let learned = try method.fit(signals)
    #expect(zip(learned.errors, learned.errors.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-12) })
    let rest = (signals - learned.reconstructed()).frobeniusNorm() / signals.frobeniusNorm()
    #expect(abs(rest - (learned.errors.last ?? .nan)) < 1e-9)
    let agreement = truth.matmul(learned.dictionary, transposingB: true).absolute().maximum(axis: 1)
    return agreement.scalars.count { $0 > 0.99 }
  }
}
