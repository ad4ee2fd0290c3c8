import Diagnostics
import Foundation
import LinearAlgebra
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct RandomSubspaceTests {
  private func inner(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double { (a * b).sum().scalar }

  private func columns(_ subspace: RandomSubspace<Double>) -> Tensor<Double> {
    Tensor.stacked(
      (0..<subspace.dimension).map { subspace.offset(Tensor<Double>.identity(subspace.dimension)[$0]) }, axis: 1)
  }

  @Test(arguments: SubspaceProjection.allCases) func theTwoMapsAreAdjoint(kind: SubspaceProjection) throws {
    for (parameters, dimension, seed) in [(1, 1, 1), (37, 5, 2), (64, 64, 3), (300, 17, 4), (1_000, 40, 5)]
      as [(Int, Int, UInt64)]
    {
      let subspace = try RandomSubspace<Double>(
        parameterCount: parameters, dimension: dimension, kind: kind, seed: seed)
      var random = RandomStream(seed: seed)
      let z: Tensor<Double> = random.normal([dimension])
      let u: Tensor<Double> = random.normal([parameters])
      let left = inner(subspace.offset(z), u)
      let right = inner(z, subspace.pullback(u))
      let scale = u.norm().scalar * z.norm().scalar * 4
      #expect(abs(left - right) < 1e-12 * max(scale, 1), "\(kind), \(parameters), \(dimension)")
      #expect(subspace.offset(.zeros([dimension])).scalars.allSatisfy { $0 == 0 })
      let again = try RandomSubspace<Double>(
        parameterCount: parameters, dimension: dimension, kind: kind, seed: seed)
      #expect(distance(again.offset(z), subspace.offset(z)) == 0)
    }
  }

  @Test func columnsHaveUnitLength() throws {
    for kind in [SubspaceProjection.dense, .sparse, .orthonormal] {
      let p = columns(try RandomSubspace<Double>(parameterCount: 700, dimension: 30, kind: kind, seed: 3))
      #expect(distance(p.sumOfSquares(axes: [0]), .ones([30])) < 1e-12, "\(kind)")
      if kind == .orthonormal { #expect(distance(p.matmul(p, transposingA: true), .identity(30)) < 1e-12) }
    }
    let size = 1_024 - 100
    var mean = 0.0
    for seed in 0..<20 {
      let p = columns(
        try RandomSubspace<Double>(parameterCount: size, dimension: 50, kind: .fastfood, seed: UInt64(seed)))
      mean += p.sumOfSquares(axes: [0]).mean().scalar / 20
    }
    #expect(abs(mean - 1) < 3 / Double(size).squareRoot())
  }

  @Test(arguments: [SubspaceProjection.dense, .sparse, .fastfood]) func columnsAreNearlyOrthogonal(
    kind: SubspaceProjection
  ) throws {
    let count = 2_000
    let p = columns(try RandomSubspace<Double>(parameterCount: count, dimension: 40, kind: kind, seed: 7))
    let lengths = p.sumOfSquares(axes: [0]).sqrt()
    let cosines = (p / lengths).matmul(p / lengths, transposingA: true) - .identity(40)
    let root = (cosines.sumOfSquares().scalar / (40 * 39)).squareRoot()
    // Fastfood's columns meet in a sum of squares of normal numbers with signs, whose variance is 2 instead of 1.
    let most = (kind == .fastfood ? 1.8 : 1.3) / Double(count).squareRoot()
    #expect(root > 0.7 / Double(count).squareRoot() && root < most, "\(kind): \(root)")
    #expect(cosines.absolute().maximum().scalar < 6 / Double(count).squareRoot())
  }

  /// H G Π H B written out with a dense Hadamard matrix, for one that is small.
  @Test func fastfoodIsTheProductOfItsFactors() throws {
    // Every column of M has the norm √(L) ‖G‖ over all L rows: with D = L, exactly one after the division.
    let p = columns(try RandomSubspace<Double>(parameterCount: 64, dimension: 20, kind: .fastfood, seed: 2))
    #expect(distance(p.sumOfSquares(axes: [0]), .ones([20])) < 1e-12)
    // H p = G Π H B e_j has entries ±g_i / (‖G‖ √D) · L: the same magnitudes in every column.
    let inner = p.walshHadamard(axis: 0).absolute()
    #expect(distance(inner, inner.slice(axis: 1, 0..<1).broadcast(to: [64, 20])) < 1e-12)
  }

  @Test func subspacesAreDifferentiableTwice() throws {
    for kind in SubspaceProjection.allCases {
      let subspace = try RandomSubspace<Double>(parameterCount: 50, dimension: 4, kind: kind, seed: 1)
      let z = Tensor([0.3, -0.2, 0.5, 0.1])
      func value(_ z: Tensor<Double>) -> Tensor<Double> { subspace.offset(z).sin().sum() }
      let slope = valueAndGradients(at: [z]) { value($0[0]) }.gradients[0]
      #expect(distance(slope, subspace.pullback(subspace.offset(z).cos())) < 1e-13)
      let direction = Tensor([1.0, 2, -1, 0.5])
      let product = hessianVectorProduct(at: [z], along: [direction]) { value($0[0]) }.products[0]
      let expected = subspace.pullback(-(subspace.offset(z).sin()) * subspace.offset(direction))
      #expect(distance(product, expected) < 1e-12, "\(kind)")
    }
  }

  @Test func badInputIsRefused() {
    for (parameters, dimension) in [(0, 1), (5, 0), (5, 6), (5, -1)] {
      #expect(throws: InvalidArgument.self) {
        try RandomSubspace<Float>(parameterCount: parameters, dimension: dimension, seed: 1)
      }
    }
  }
}

@Suite struct SubspaceModelTests {
  private func network(_ seed: UInt64) -> MLP<Double> {
    var random = RandomStream(seed: seed)
    return MLP([3, 5, 2], activation: .tanh, random: &random)
  }

  @Test func theOriginIsTheNetworkItself() throws {
    let base = network(1)
    for kind in SubspaceProjection.allCases {
      let model = try SubspaceModel(base, dimension: 7, kind: kind, seed: 3)
      for (a, b) in zip(model.model.parameters.tensors, base.parameters.tensors) { #expect(distance(a, b) == 0) }
      #expect(model.parameters.names == ["coordinates"] && model.parameterCount == 7)
    }
  }

  /// Plain descent does not care about a rotation of its coordinates.
  @Test func allOfAnOrthonormalSubspaceIsDirectDescent() throws {
    var direct = network(2)
    let count = direct.parameterCount
    var model = try SubspaceModel(direct, dimension: count, kind: .orthonormal, seed: 5)
    var random = RandomStream(seed: 4)
    let x: Tensor<Double> = random.normal([12, 3])
    let labels = random.integers([12], in: 0..<2)
    var optimizers = (SGD<Double>(learningRate: 0.3), SGD<Double>(learningRate: 0.3))
    for _ in 0..<15 {
      let (loss, gradient) = direct.valueAndGradient { crossEntropy($0(x), labels: labels) }
      let (same, slope) = model.valueAndGradient { crossEntropy($0(x), labels: labels) }
      #expect(abs(loss.scalar - same.scalar) < 1e-12)
      optimizers.0.update(&direct, along: gradient)
      optimizers.1.update(&model, along: slope)
    }
    for (a, b) in zip(model.model.parameters.tensors, direct.parameters.tensors) { #expect(distance(a, b) < 1e-12) }
  }

  @Test func aNetworkComesBackFromItsSeedAndCoordinates() throws {
    let folder = TemporaryFolder()
    var model = try SubspaceModel(network(6), dimension: 9, kind: .sparse, seed: 77)
    var random = RandomStream(seed: 1)
    model.coordinates = random.normal([9])
    let path = folder.file("model.safetensors")
    try CompressedModel(model, initializationSeed: 6).save(to: path)
    let read = try CompressedModel<Double>(contentsOf: path)
    #expect(read.kind == .sparse && read.seed == 77 && read.initializationSeed == 6)
    let restored = try read.restored { network($0) }
    for (a, b) in zip(restored.model.parameters.tensors, model.model.parameters.tensors) {
      #expect(distance(a, b) == 0)
    }
    #expect(throws: InvalidArgument.self) {
      var random = RandomStream(seed: 1)
      _ = try read.restored { _ in MLP<Double>([3, 4, 2], random: &random) }
    }
    try network(1).save(to: path)
    #expect(throws: InvalidArgument.self) { try CompressedModel<Double>(contentsOf: path) }
  }

  @Test func quantizationIsWithinHalfAStep() throws {
    var model = try SubspaceModel(network(1), dimension: 20, seed: 1)
    var random = RandomStream(seed: 3)
    model.coordinates = random.normal([20])
    let range = model.coordinates.maximum().scalar - model.coordinates.minimum().scalar
    for bits in [1, 4, 8] {
      let rounded = try model.quantized(bits: bits).coordinates
      #expect(distance(rounded, model.coordinates) <= 0.5 * range / Double((1 << bits) - 1) + 1e-12)
    }
    #expect(throws: InvalidArgument.self) { try model.quantized(bits: 0) }
    #expect(model.descriptionBits(bitsPerCoordinate: 8) == 20 * 8 + 128)
  }
}

@Suite struct IntrinsicDimensionTests {
  /// Ten sums of ten parameters each, to be 1 through 10: solved exactly from ten dimensions on.
  @Test func theToyProblemHasDimensionTen() throws {
    let target = Tensor((1...10).map(Double.init))
    func residual(_ dimension: Int, _ seed: UInt64) throws -> (Double, Double) {
      let subspace = try RandomSubspace<Double>(parameterCount: 1_000, dimension: dimension, kind: .dense, seed: seed)
      let sums = Tensor.stacked(
        (0..<dimension).map {
          subspace.offset(Tensor<Double>.identity(dimension)[$0]).reshaped([10, 100]).sum(axis: 1)
        }, axis: 1)
      // By descent on the normal equations' solution, and by the projection formula.
      let z = try sums.pseudoInverse().matmul(target)
      let loss = (subspace.offset(z).reshaped([10, 100]).sum(axis: 1) - target).sumOfSquares().scalar
      let basis = try QRDecomposition(of: sums).orthogonal.dense
      let projected = basis.matmul(basis.matmul(target, transposingA: true))
      return (loss, dimension <= 10 ? (target - projected).sumOfSquares().scalar : 0)
    }
    var shares: [Double] = []
    for seed in 0..<30 {
      let (nine, formula) = try residual(9, UInt64(seed))
      #expect(abs(nine - formula) < 1e-8 && nine > 1e-7)
      shares.append(nine / target.sumOfSquares().scalar)
      for dimension in [10, 11, 25] { #expect(try residual(dimension, UInt64(seed)).0 < 1e-10) }
    }
    // A tenth is left in the mean.
    #expect(abs(shares.reduce(0, +) / 30 - 0.1) < 0.08)
  }

  private func search(_ grid: [Int], refinements: Int = 0, seeds: Int = 1) -> IntrinsicDimensionSearch {
    IntrinsicDimensionSearch(grid: grid, refinements: refinements, seeds: seeds)
  }

  @Test func theSearchFindsAKnownThreshold() throws {
    let curve = try search([10, 100, 1_000], refinements: 12).run(baseline: 1) { dimension, _ in
      dimension >= 137 ? 0.95 : 0.2
    }
    #expect(curve.intrinsicDimension == .reached(dimension: 137, above: 136))
    #expect(curve.threshold == 0.9 && curve.points.map(\.dimension) == curve.points.map(\.dimension).sorted())
    let easy = try search([10, 100]).run(baseline: 1) { _, _ in 1 }
    #expect(easy.intrinsicDimension == .reached(dimension: 10, above: nil))
    let never = try search([10, 100], refinements: 3).run(baseline: 1) { dimension, _ in Double(dimension) / 1_000 }
    #expect(never.intrinsicDimension == .notReached(best: 0.1) && never.interpolatedDimension == nil)
    #expect(never.interval == nil)
  }

  @Test func dipsAreSmoothedAndCrossingsInterpolated() throws {
    let values = [10: 0.2, 20: 0.6, 40: 0.5, 80: 1.0]
    let curve = try search([10, 20, 40, 80]).run(baseline: 1, threshold: 0.55) { dimension, _ in
      values[dimension] ?? .nan
    }
    #expect(curve.smoothed == [0.2, 0.55, 0.55, 1])
    #expect(curve.intrinsicDimension == .reached(dimension: 20, above: 10))
    let halfway = try search([10, 40]).run(baseline: 1, threshold: 0.5) { dimension, _ in dimension == 10 ? 0.4 : 0.6 }
    #expect(abs((halfway.interpolatedDimension ?? 0) - 20) < 1e-9)
  }

  @Test func intervalsCoverTheSpreadOfSeeds() throws {
    let curve = try search([10, 20, 40, 80, 160], seeds: 4).run(baseline: 1, threshold: 0.5) { dimension, seed in
      Double(dimension) / Double(dimension + 30 + 5 * Int(seed))
    }
    let interval = try #require(curve.interval)
    let middle = try #require(curve.interpolatedDimension)
    #expect(interval.contains(middle) && interval.lowerBound < interval.upperBound)
    #expect(interval.lowerBound > 30 && interval.upperBound < 60)
  }

  @Test func badInputIsNamed() {
    func complaint(_ search: IntrinsicDimensionSearch, baseline: Double = 1, result: Double = 1) -> String {
      do {
        _ = try search.run(baseline: baseline) { _, _ in result }
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(complaint(search([])).hasPrefix("grid"))
    #expect(complaint(search([0, 5])).hasPrefix("grid"))
    #expect(complaint(search([5, 5])).hasPrefix("grid"))
    #expect(complaint(search([5], seeds: 0)).hasPrefix("seeds"))
    #expect(complaint(search([5]), baseline: .nan).hasPrefix("baseline"))
    #expect(complaint(search([5]), baseline: -1).hasPrefix("fraction"))
    #expect(complaint(search([5]), result: .nan).hasPrefix("train"))
  }
}
