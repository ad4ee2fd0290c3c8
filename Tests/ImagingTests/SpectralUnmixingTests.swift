import Imaging
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Smooth spectra and mixtures of them, with noise and channels of garbage.
private struct Scene {
  var data, spectra, abundances: Tensor<Double>

  init(channels: Int = 30, pixels: Int = 200, count: Int = 3, noise: Double = 0.01, garbage: [Int] = [], seed: UInt64) {
    var random = RandomStream(seed: seed)
    let x = Tensor((0..<channels).map { Double($0) / Double(channels) }).expanded(axis: 1)
    let places = Tensor((0..<count).map { (Double($0) + 0.5) / Double(count) })
    let centres = (places + random.uniform([count], of: Double.self) * 0.1).expanded(axis: 0)
    spectra = (-(x - centres).squared() * 30).exp() * 0.6 + random.uniform([1, count], of: Double.self) * 0.2 + 0.1
    let raw = random.gamma([count, pixels], shapeParameter: 0.5) as Tensor<Double>
    abundances = raw / raw.sum(axis: 0)
    data = (spectra.matmul(abundances) + random.normal([channels, pixels]) * noise).maximum(0)
    if !garbage.isEmpty {
      let bad = random.normal([channels, pixels], of: Double.self) * 0.5
      let rows = Tensor((0..<channels).map { garbage.contains($0) ? 1.0 : 0.0 }).expanded(axis: 1)
      data = (data + bad * rows).maximum(0)
    }
  }

  func start(_ seed: UInt64) -> SpectralUnmixing.Start<Double> {
    var random = RandomStream(seed: seed)
    let factors = random.uniform(spectra.shape, in: 0.8..<1.2, of: Double.self)
    let a = abundances.maximum(0.01) * random.uniform(abundances.shape, in: 0.7..<1.3, of: Double.self)
    return .init(endmembers: spectra * factors, abundances: a)
  }
}

@Suite struct SpectralUnmixingTests {
  @Test(arguments: 0..<6)
  func objectivesFallOnceWeightsAreFrozen(seed: UInt64) throws {
    let scene = Scene(noise: 0.05, garbage: [4, 17], seed: seed)
    let methods: [SpectralUnmixing] = [
      SpectralUnmixing(endmembers: 3), .nonNegativeFactorization(endmembers: 3), .halfSparse(endmembers: 3),
      SpectralUnmixing(endmembers: 3, sparsity: .none), SpectralUnmixing(endmembers: 3, spatialShape: [10, 20]),
    ]
    for var method in methods {
      method.guidanceUpdates = 2
      method.tolerance = 0
      method.iterationLimit = 80
      let found = try method.fit(scene.data, startingFrom: scene.start(seed))
      let tail = found.objectiveHistory.dropFirst(2)
      for (before, after) in zip(tail, tail.dropFirst()) {
        #expect(after <= before * (1 + 1e-9), "seed \(seed), \(method.sparsity)")
      }
      #expect(found.endmembers.minimum().scalar >= 0 && found.abundances.minimum().scalar >= 0)
    }
  }

  @Test func withoutWeightsItIsTheFactorizationOfLeeAndSeung() throws {
    let scene = Scene(seed: 3)
    let start = scene.start(1)
    var method = SpectralUnmixing.nonNegativeFactorization(endmembers: 3)
    method.tolerance = 0
    method.iterationLimit = 6
    let found = try method.fit(scene.data, startingFrom: start)
    // The same on data with a row of ones below them, which M keeps.
    let scale = scene.data.flattened.quantile(0.99).scalar
    let y = scene.data / scale
    let count = scene.data.columns
    var (m, a) = (start.endmembers / scale, start.abundances)
    for _ in 0..<found.objectiveHistory.count - 1 {
      m = m * y.matmul(a, transposingB: true) / m.matmul(a.matmul(a, transposingB: true))
      let below = Tensor.concatenated([m, Tensor<Double>.ones([1, 3])])
      let right = Tensor.concatenated([y, Tensor<Double>.ones([1, count])])
      a =
        a * below.matmul(right, transposingA: true)
        / below.matmul(below.matmul(a), transposingA: true)
    }
    #expect(distance(found.abundances, a) < 1e-12)
    #expect(distance(found.endmembers, m * scale) < 1e-12)
  }

  @Test func exactDataAreAFixedPoint() throws {
    let scene = Scene(noise: 0, seed: 5)
    let start = SpectralUnmixing.Start(endmembers: scene.spectra, abundances: scene.abundances)
    for method in [SpectralUnmixing(endmembers: 3, sparsity: .none), .nonNegativeFactorization(endmembers: 3)] {
      let found = try method.fit(scene.data, startingFrom: start)
      #expect(distance(found.endmembers, scene.spectra) < 1e-10)
      #expect(distance(found.abundances, scene.abundances) < 1e-10)
      var once = method
      once.iterationLimit = 1
      #expect(distance(try once.fit(scene.data, startingFrom: start).abundances, scene.abundances) < 1e-13)
    }
  }

  @Test func permutationsPermuteTheResult() throws {
    let scene = Scene(garbage: [3], seed: 6)
    let start = scene.start(2)
    var method = SpectralUnmixing(endmembers: 3)
    method.iterationLimit = 40
    let found = try method.fit(scene.data, startingFrom: start)
    var random = RandomStream(seed: 1)
    let pixels = random.permutation(200)
    let moved = try method.fit(
      scene.data.gathered(pixels, axis: 1),
      startingFrom: .init(endmembers: start.endmembers, abundances: start.abundances.gathered(pixels, axis: 1)))
    #expect(distance(moved.abundances, found.abundances.gathered(pixels, axis: 1)) < 1e-8)
    let channels = random.permutation(30)
    let mixed = try method.fit(
      scene.data.gathered(channels, axis: 0),
      startingFrom: .init(endmembers: start.endmembers.gathered(channels, axis: 0), abundances: start.abundances))
    #expect(distance(mixed.endmembers, found.endmembers.gathered(channels, axis: 0)) < 1e-8)
    #expect(distance(mixed.abundances, found.abundances) < 1e-8)
  }

  @Test func garbageCountsLittle() throws {
    let scene = Scene(channels: 40, pixels: 400, garbage: [7, 20], seed: 7)
    let method = SpectralUnmixing(endmembers: 3)
    let found = try method.fit(scene.data)
    let weights = found.channelWeights
    let median = weights.median().scalar
    #expect(weights[at: 7] < median / 4 && weights[at: 20] < median / 4)
    let sums = found.abundances.sum(axis: 0)
    #expect((sums - 1).largestMagnitude < 0.05 && abs(sums.mean().scalar - 1) < 0.02)
    // The same garbage once more hardly moves the good channels.
    var fixed = method
    fixed.tolerance = 0
    fixed.iterationLimit = 100
    let start = try method.start(for: scene.data)
    let doubled = Tensor.concatenated([scene.data, scene.data[7..<8]])
    let doubledStart = SpectralUnmixing.Start(
      endmembers: Tensor.concatenated([start.endmembers, start.endmembers[7..<8]]), abundances: start.abundances)
    let once = try fixed.fit(scene.data, startingFrom: start)
    let again = try fixed.fit(doubled, startingFrom: doubledStart)
    let good = Tensor((0..<40).filter { $0 != 7 && $0 != 20 })
    let a = once.endmembers.gathered(good, axis: 0)
    let b = again.endmembers.gathered(good, axis: 0)
    #expect((a - b).frobeniusNorm() < 0.01 * a.frobeniusNorm())
    // What is known is recovered.
    let match = try matchEndmembers(found.endmembers.gathered(good, axis: 0), to: scene.spectra.gathered(good, axis: 0))
    let error = found.abundances.gathered(Tensor(match), axis: 0) - scene.abundances
    #expect(error.squared().mean().scalar.squareRoot() < 0.12)
  }

  @Test func guidanceIsHoyersSparseness() throws {
    let scene = Scene(seed: 8)
    let pure = Tensor<Double>.identity(3)
    let even = Tensor<Double>(repeating: 1 / 3.0, shape: [3, 197])
    var method = SpectralUnmixing(endmembers: 3)
    method.iterationLimit = 1
    method.guidanceUpdates = 0
    let found = try method.fit(
      scene.data,
      startingFrom: .init(endmembers: scene.spectra, abundances: Tensor.concatenated([pure, even], axis: 1)))
    #expect((found.guidance[..<3] - 0.9).largestMagnitude < 1e-12)
    #expect(found.guidance[3...].largestMagnitude < 1e-7)
  }

  @Test(arguments: 0..<5)
  func fractionsOfKnownSpectra(seed: UInt64) throws {
    let scene = Scene(noise: 0, seed: seed)
    let exact = try fullyConstrainedLeastSquares(scene.data, endmembers: scene.spectra)
    #expect(distance(exact, scene.abundances) < 1e-5, "seed \(seed)")
    // Against non-negative least squares with the sum as a row of its own.
    let noisy = Scene(noise: 0.2, seed: seed)
    let found = try fullyConstrainedLeastSquares(noisy.data, endmembers: noisy.spectra, sumToOneWeight: 3)
    let rows = Tensor.concatenated([noisy.spectra, Tensor(repeating: 3, shape: [1, 3])])
    for pixel in 0..<20 {
      let right = Tensor.concatenated([noisy.data[.all, pixel].copied(), Tensor([3.0])])
      let wanted = try NonNegativeLeastSquares().solve(rows, right).solution
      #expect(distance(found[.all, pixel].copied(), wanted) < 1e-9, "seed \(seed), pixel \(pixel)")
    }
    let single = try fullyConstrainedLeastSquares(Tensor<Float>(scene.data), endmembers: Tensor<Float>(scene.spectra))
    #expect(distance(Tensor<Double>(single), scene.abundances) < 2e-2)
  }

  @Test func cornersAreFound() throws {
    var scene = Scene(noise: 0, seed: 9)
    var random = RandomStream(seed: 1)
    // Three pure pixels among mixtures.
    let a = Tensor.concatenated([scene.abundances[.all, ..<150], Tensor.identity(3)], axis: 1)
    scene.data = scene.spectra.matmul(a)
    let found = try vertexComponents(scene.data, count: 3, random: &random)
    #expect(Set(found.pixels) == [150, 151, 152])
    let order = try matchEndmembers(found.spectra, to: scene.spectra)
    #expect(distance(found.spectra.gathered(Tensor(order), axis: 1), scene.spectra) < 1e-8)
    #expect(spectralAngles(scene.spectra, scene.spectra * 3).diagonal.largestMagnitude < 1e-7)
    #expect(try estimateEndmemberCount(Scene(pixels: 2_000, count: 4, noise: 0.002, seed: 3).data) == 4)
  }

  @Test func singlePrecisionAgrees() throws {
    let scene = Scene(pixels: 600, seed: 10)
    let start = scene.start(4)
    var method = SpectralUnmixing(endmembers: 3)
    method.iterationLimit = 30
    let double = try method.fit(scene.data, startingFrom: start)
    let single = try method.fit(
      Tensor<Float>(scene.data),
      startingFrom: .init(
        endmembers: Tensor<Float>(start.endmembers), abundances: Tensor<Float>(start.abundances)))
    #expect(distance(Tensor<Double>(single.abundances), double.abundances) < 1e-3)
  }

  /// The gradient of the surrogate is what the updates balance: denominators less numerators.
  @Test func updatesBalanceTheGradient() throws {
    let scene = Scene(channels: 12, pixels: 5, noise: 0.05, seed: 11)
    var random = RandomStream(seed: 2)
    let u: Tensor<Double> = random.uniform([12, 1], in: 0.2..<1)
    let (y, m) = (scene.data, scene.spectra)
    let a = scene.abundances.maximum(0.05)
    let (strength, p, pull) = (0.3, 0.4, 0.7)
    func surrogate(_ a: Tensor<Double>) -> Double {
      let fit = ((y - m.matmul(a)).squared() * u).sum().scalar
      let sums = (Tensor(1.0) - a.sum(axis: 0)).sumOfSquares().scalar
      return fit + pull * sums + strength * a.power(p).sum().scalar
    }
    let weighted = m * u * 2
    let numerator = weighted.matmul(y, transposingA: true) + 2 * pull
    let denominator =
      weighted.matmul(m, transposingA: true).matmul(a) + a.sum(axis: 0, keepingAxis: true) * 2 * pull
      + a.power(p - 1) * strength * p
    let gradient = denominator - numerator
    for k in 0..<3 {
      for n in 0..<5 {
        var (up, down) = (a.copied(), a.copied())
        up.withUnsafeMutableBuffer { $0[k * 5 + n] += 1e-6 }
        down.withUnsafeMutableBuffer { $0[k * 5 + n] -= 1e-6 }
        #expect(abs((surrogate(up) - surrogate(down)) / 2e-6 - gradient[at: k, n]) < 1e-6)
      }
    }
  }

  @Test func badInput() throws {
    let scene = Scene(seed: 12)
    #expect(throws: InvalidArgument.self) { try SpectralUnmixing(endmembers: 3).fit(scene.data - 0.5) }
    #expect(throws: InvalidArgument.self) { try SpectralUnmixing(endmembers: 1).fit(scene.data) }
    #expect(throws: InvalidArgument.self) { try SpectralUnmixing(endmembers: 31).fit(scene.data) }
    #expect(throws: InvalidArgument.self) { try SpectralUnmixing(endmembers: 3).fit(scene.data[0]) }
    #expect(throws: InvalidArgument.self) {
      try SpectralUnmixing(endmembers: 3, sparsity: .learned(strength: -1)).fit(scene.data)
    }
    #expect(throws: InvalidArgument.self) {
      try SpectralUnmixing(endmembers: 3, sparsity: .fixed(exponent: 1.5, strength: 1)).fit(scene.data)
    }
    #expect(throws: InvalidArgument.self) {
      try SpectralUnmixing(endmembers: 3, spatialShape: [3, 3]).fit(scene.data)
    }
    var clipping = SpectralUnmixing(endmembers: 3)
    clipping.clipsNegative = true
    clipping.iterationLimit = 5
    _ = try clipping.fit(scene.data - 0.05)
    // A channel of NaN, and a pixel without signal.
    var data = scene.data.copied()
    data.withUnsafeMutableBuffer { data in
      for n in 0..<200 { data[5 * 200 + n] = .nan }
      for l in 0..<30 { data[l * 200 + 9] = 0 }
    }
    let found = try clipping.fit(data)
    #expect(found.droppedChannels == [5] && found.emptyPixels == [9] && found.warnings.count >= 2)
    #expect((found.abundances[.all, 9].copied() - 1 / 3.0).largestMagnitude < 1e-12)
    #expect(found.channelWeights[at: 5] == 0 && found.endmembers.isFinite && found.abundances.isFinite)
    // More endmembers than the data have dimensions.
    let flat = scene.spectra[.all, ..<2].matmul(scene.abundances[..<2])
    #expect(try clipping.fit(flat.copied()).warnings.contains { $0.contains("rank 2") })
    #expect(throws: InvalidArgument.self) {
      try fullyConstrainedLeastSquares(scene.data, endmembers: scene.spectra[..<4].copied())
    }
    var random = RandomStream(seed: 1)
    #expect(throws: InvalidArgument.self) { try vertexComponents(scene.data, count: 40, random: &random) }
  }
}
