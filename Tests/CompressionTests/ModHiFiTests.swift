import Compression
import Convolutions
import LinearAlgebra
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct ModHiFiTests {
  private func convolutional(_ seed: UInt64, normalised: Bool = false) -> Sequential<Float> {
    var random = RandomStream(seed: seed)
    var layers: [any Layer<Float>] = [
      Convolution<Float>(2, 6, kernel: [3, 3], .init(padding: 1, isExact: true), random: &random)
    ]
    if normalised {
      var norm = BatchNorm<Float>(6)
      norm.runningMean = random.normal([6])
      norm.runningVariance = random.uniform([6]) + 0.5
      norm.weight = random.uniform([6]) + 0.5
      norm.bias = random.normal([6])
      layers.append(norm)
    }
    layers += [
      Mapping { $0.relu() }, MaximumPooling(2),
      Convolution<Float>(6, 8, kernel: [3, 3], .init(stride: 2, isExact: true), random: &random), Mapping { $0.relu() },
      Flatten(), Linear<Float>(8 * 3 * 3, 5, random: &random),
    ]
    return Sequential(layers)
  }

  private func images(_ count: Int, _ seed: UInt64 = 9) -> Tensor<Float> {
    var random = RandomStream(seed: seed)
    return random.normal([count, 2, 16, 16])
  }

  /// Shrunk and masked networks are one function, whatever the rule and the compensation.
  @Test(arguments: [false, true])
  func shrunkIsMasked(normalised: Bool) throws {
    let network = convolutional(1, normalised: normalised)
    let (calibration, test) = (images(20), images(6, 10))
    for rule in [SelectionRule.singleton, .greedy, .backward] {
      for compensation in ModHiFiPruner.Compensation.allCases {
        for isCentred in [false, true] {
          let pruner = ModHiFiPruner(rule: rule, compensation: compensation, isCentred: isCentred)
          let pruned = try pruner.prune(network, inputs: calibration)
          #expect(distance(pruned.network(test), pruned.masked(test)) < 1e-5, "\(rule), \(compensation)")
          #expect(pruned.layers.map(\.keptCount) == [3, 4] && pruned.layers.map(\.componentCount) == [6, 8])
          let shapes = pruned.network.parameters.tensors.map(\.shape).filter { $0.count > 1 }
          #expect(shapes == [[3, 2, 3, 3], [4, 3, 3, 3], [5, 36]])
          #expect(pruned.layers.allSatisfy { $0.fidelity > 0 && $0.fidelity <= 1 && $0.localError >= 0 })
        }
      }
    }
  }

  /// Single numbers of the flattened channels: the head alone is smaller, behind a selection of its inputs.
  @Test func splitChannels() throws {
    let network = convolutional(3)
    let pruned = try ModHiFiPruner(splitsChannels: true).prune(network, inputs: images(40))
    #expect(pruned.layers.map(\.componentCount) == [6, 72] && pruned.layers.map(\.keptCount) == [3, 36])
    let shapes = pruned.network.parameters.tensors.map(\.shape).filter { $0.count > 1 }
    #expect(shapes == [[3, 2, 3, 3], [8, 3, 3, 3], [5, 36]])
    let test = images(6, 10)
    #expect(distance(pruned.network(test), pruned.masked(test)) < 1e-5)
  }

  @Test func keepingAllIsTheSameNetwork() throws {
    let network = convolutional(2)
    let pruned = try ModHiFiPruner(amount: .fraction(0), ridge: 1e-9).prune(network, inputs: images(30))
    #expect(distance(pruned.network(images(4, 3)), network(images(4, 3))) < 1e-4)
    #expect(pruned.layers.allSatisfy { $0.fidelity > 0.99999 && abs($0.leastScale - 1) < 1e-3 })
  }

  /// Of the compensations, the stronger one leaves the smaller error of the next layer on the calibration data.
  @Test func compensationsAreOrdered() throws {
    var random = RandomStream(seed: 4)
    let model = MLP<Double>([10, 24, 6], random: &random)
    let x: Tensor<Double> = random.normal([200, 10])
    func error(_ compensation: ModHiFiPruner.Compensation) throws -> Double {
      let pruner = ModHiFiPruner(rule: .singleton, compensation: compensation, ridge: 1e-10)
      let pruned = try pruner.prune(model, inputs: x)
      let squares = (pruned.model(x) - model(x)).sumOfSquares().scalar / 200
      if compensation == .scales {
        #expect(abs(squares.squareRoot() - pruned.layers[0].localError) < 1e-6, "the bias is no part of it")
      }
      #expect(pruned.model.layers[0].outputs == 12 && pruned.model.layers[1].inputs == 12)
      return squares
    }
    let errors = try ModHiFiPruner.Compensation.allCases.map(error)
    #expect(errors[0] > errors[1] && errors[1] > errors[2], "\(errors)")
  }

  @Test func amounts() throws {
    let network = convolutional(5)
    let x = images(20)
    let counts = try ModHiFiPruner(amount: .counts([2, 5])).prune(network, inputs: x)
    #expect(counts.kept.map(\.count) == [2, 5])
    let level = try ModHiFiPruner(amount: .level(0.1)).prune(network, inputs: x)
    #expect(level.layers.allSatisfy { $0.fidelity >= 0.9 - 1e-6 })
    let multiplications = { (network: Sequential<Float>) -> Double in
      let outputs = network.intermediates(x[0..<1])
      return network.layers.indices.reduce(0.0) { sum, i in
        let weight = (network.layers[i] as? Convolution<Float>)?.weight ?? (network.layers[i] as? Linear<Float>)?.weight
        let places = outputs[i].rank == 4 ? outputs[i].shape[2] * outputs[i].shape[3] : 1
        return sum + Double((weight?.count ?? 0) * places)
      }
    }
    for usesLipschitz in [false, true] {
      let pruner = ModHiFiPruner(amount: .multiplications(0.4, usesLipschitz: usesLipschitz))
      let pruned = try pruner.prune(network, inputs: x)
      #expect(multiplications(pruned.network) <= 0.75 * multiplications(network))
      #expect(pruned.kept.allSatisfy { !$0.isEmpty })
    }
  }

  /// No sample may err by more than its bound.
  @Test(arguments: 0..<4)
  func certificateHolds(seed: UInt64) throws {
    let network = convolutional(seed, normalised: seed % 2 == 1)
    let pruned = try ModHiFiPruner(rule: .greedy).prune(network, inputs: images(20, seed))
    let test = images(40, seed + 100)
    let certificate = try FidelityCertificate(original: network, modified: pruned.masked, example: test[0..<1])
    let bounds = certificate.bounds(of: test)
    #expect(bounds.count == 40)
    for bound in bounds { #expect(bound.error <= bound.bound * 1.0001 && bound.error > 0, "seed \(seed)") }
    // For the last layer alone the bound is the error.
    let last = try FidelityCertificate(original: network, modified: network, example: test[0..<1]).bounds(of: test)
    #expect(last.allSatisfy { $0.error == 0 && $0.bound == 0 })
    for (i, layer) in network.layers.enumerated() {
      let inputs = i == 0 ? test : network.intermediates(test)[i - 1]
      let estimate = localLipschitzEstimate(of: { layer($0, in: .inference) }, at: inputs)
      #expect(estimate <= certificate.lipschitzConstants[i] * 1.0001, "layer \(i), seed \(seed)")
    }
    #expect(throws: InvalidArgument.self) {
      try FidelityCertificate(original: network, modified: pruned.network, example: test[0..<1])
    }
  }

  /// The bound against the operator's matrix, column by column.
  @Test func convolutionNorms() throws {
    var random = RandomStream(seed: 6)
    let filters: Tensor<Double> = random.normal([3, 2, 3, 3])
    let options = ConvolutionOptions(padding: 1)
    let columns = (0..<2 * 5 * 6).map { k -> Tensor<Double> in
      var unit = Tensor<Double>.zeros([1, 2, 5, 6])
      unit.withUnsafeMutableBuffer { $0[k] = 1 }
      return unit.convolved(with: filters, options).reshaped([-1])
    }
    let norm = try Tensor.stacked(columns, axis: 1).spectralNorm()
    let bound = try convolutionNormBound(filters, extents: [5, 6])
    #expect(norm <= bound && bound < 1.35 * norm, "\(norm) \(bound)")
    // A single tap is a matrix product at every place.
    let single: Tensor<Double> = random.normal([4, 3, 1, 1])
    let wanted = try single.reshaped([4, 3]).spectralNorm()
    #expect(abs(try convolutionNormBound(single, extents: [4, 4]) - wanted) < 1e-10)
  }

  @Test func decoder() throws {
    var random = RandomStream(seed: 7)
    let model = try GPT<Float>(
      GPTConfiguration(vocabulary: 11, width: 16, layers: 2, heads: 2, hidden: 24, contextLength: 8), random: &random)
    let tokens = random.integers([6, 8], in: 0..<11)
    let (all, _) = try ModHiFiPruner(amount: .fraction(0), compensation: .none).prune(model, calibration: tokens)
    #expect(distance(all(tokens), model(tokens)) < 1e-5)
    let (small, reports) = try ModHiFiPruner(amount: .fraction(0.25)).prune(model, calibration: tokens)
    #expect(small.configuration.hidden == 18 && small.blocks.allSatisfy { $0.feedForward.downProjection.inputs == 18 })
    #expect(reports.count == 2 && reports.allSatisfy { $0.keptCount == 18 && $0.fidelity > 0.5 })
    #expect(small(tokens).shape == [6, 8, 11] && small.parameterCount == model.parameterCount - 2 * 3 * 6 * 16)
    #expect(throws: InvalidArgument.self) {
      try ModHiFiPruner(amount: .level(0.1)).prune(model, calibration: tokens)
    }
    #expect(throws: InvalidArgument.self) {
      try ModHiFiPruner(isCentred: true).prune(model, calibration: tokens)
    }
    #expect(throws: InvalidArgument.self) { try ModHiFiPruner().prune(model, calibration: Tensor<Int>([1, 2])) }
  }

  @Test func badInput() throws {
    let network = convolutional(8)
    for amount: ModHiFiPruner.Amount in [
      .fraction(1), .fraction(-0.1), .level(1), .counts([1]), .counts([0, 3]), .counts([7, 3]),
      .multiplications(1, usesLipschitz: false),
    ] {
      #expect(throws: InvalidArgument.self, "\(amount)") {
        try ModHiFiPruner(amount: amount).prune(network, inputs: images(4))
      }
    }
    #expect(throws: InvalidArgument.self) { try ModHiFiPruner().prune(network, inputs: images(4) / 0) }
    #expect(throws: InvalidArgument.self) { try ModHiFiPruner().prune(network, inputs: .zeros([0, 2, 16, 16])) }
    var random = RandomStream(seed: 1)
    let single = MLP<Float>([4, 2], random: &random)
    #expect(throws: InvalidArgument.self) { try ModHiFiPruner().prune(single, inputs: .ones([3, 4])) }
    let unknown = Sequential<Float>(
      Linear(4, 4, random: &random), LayerNorm(4), Linear(4, 2, random: &random))
    #expect(throws: InvalidArgument.self) { try ModHiFiPruner().prune(unknown, inputs: .ones([3, 4])) }
    let silent = Sequential<Float>(Linear(4, 4, random: &random), Mapping { $0 * 0 }, Linear(4, 2, random: &random))
    #expect(throws: InvalidArgument.self) { try ModHiFiPruner().prune(silent, inputs: .ones([3, 4])) }
  }

  // MARK: Forgetting

  /// A head whose first inputs serve the first class alone.
  private func separable() -> (head: Linear<Double>, forget: Tensor<Double>, retain: Tensor<Double>) {
    var random = RandomStream(seed: 12)
    let noise: Tensor<Double> = random.uniform([60, 12]) * 0.1
    let own = Tensor<Double>((0..<12).map { $0 < 3 ? 1 : 0 })
    let other = Tensor<Double>((0..<12).map { $0 < 3 ? 0 : 1 })
    let weight = Tensor<Double>.stacked([own, other * 0.3])
    return (Linear(weight: weight), noise[0..<30] + own, noise[30...] + other)
  }

  @Test func forgetsAClass() throws {
    let (head, forget, retain) = separable()
    let result = try ModHiFiUnlearner(step: 0.25, mostRemoved: 0.5).unlearn(
      0, from: head, forget: forget, retain: retain)
    #expect(result.reachedTarget && Set(result.removed) == [0, 1, 2] && result.history.last?.forgetRate == 0)
    #expect(result.history[0].forgetRate == 1 && result.history[0].removedShare == 0)
    #expect((result.history.last?.forgetMargin ?? .nan) < 0 && result.history[0].forgetMargin > 0)
    #expect((result.head(retain).argmax(axis: 1) .== 1).all)
    #expect(
      result.head.weight[.all, 0..<3] == .zeros([2, 3]) && result.head.weight[.all, 3...] == head.weight[.all, 3...])
    for score in ModHiFiUnlearner.Score.allCases {
      let other = try ModHiFiUnlearner(score: score, step: 0.25, compensates: true).unlearn(
        0, from: head, forget: forget, retain: retain)
      #expect(other.reachedTarget && Set(other.removed) == [0, 1, 2], "\(score)")
    }
    let limited = try ModHiFiUnlearner(step: 0.1, mostRemoved: 0.1).unlearn(
      0, from: head, forget: forget, retain: retain)
    #expect(!limited.reachedTarget && limited.removed.count == 1)
    let network = Sequential<Double>(Mapping { $0 }, head)
    let (changed, whole) = try ModHiFiUnlearner(step: 0.25, mostRemoved: 0.5).unlearn(
      0, from: network, forget: forget, retain: retain)
    #expect(changed(retain) == result.head(retain) && whole.removed == result.removed)
  }

  @Test func badRequests() throws {
    let (head, forget, retain) = separable()
    let unlearner = ModHiFiUnlearner()
    #expect(throws: InvalidArgument.self) { try unlearner.unlearn(2, from: head, forget: forget, retain: retain) }
    #expect(throws: InvalidArgument.self) {
      try unlearner.unlearn(0, from: head, forget: .zeros([0, 12]), retain: retain)
    }
    #expect(throws: InvalidArgument.self) {
      try unlearner.unlearn(0, from: head, forget: forget, retain: .ones([3, 11]))
    }
    #expect(throws: InvalidArgument.self) { try unlearner.unlearn(0, from: head, forget: forget / 0, retain: retain) }
    for wrong in [ModHiFiUnlearner(step: 0), .init(mostRemoved: 1), .init(target: -1)] {
      #expect(throws: InvalidArgument.self) { try wrong.unlearn(0, from: head, forget: forget, retain: retain) }
    }
    #expect(throws: InvalidArgument.self) {
      try unlearner.unlearn(0, from: Sequential(head, Mapping { $0 }), forget: forget, retain: retain)
    }
    #expect(throws: InvalidArgument.self) {
      try unlearner.unlearn(0, from: Sequential(head), forget: .zeros([0, 12]), retain: retain)
    }
  }
}
