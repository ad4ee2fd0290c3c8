import Networks
import Tensors
import TestSupport
import Testing

struct ChannelNormalizationTests {
  /// A layer under test, of any kind.
  private func compare<Normalization: Layer<Double>>(
    _ layer: Normalization, _ name: String, _ reference: VisionReference
  ) throws {
    var layer = layer
    let before = reference.group("\(name).before")
    try layer.load(before)
    let x = reference["\(name).x"]
    let g = reference["\(name).g"]
    let pass = ForwardPass.training(random: RandomStream(seed: 0))
    var stepped = layer
    let result = stepped.valueAndGradient(in: pass) { layer, pass in (layer(x, in: pass) * g).sum() }
    #expect(distance(result.gradient, reference.group("\(name).gradient")) < 1e-12, "\(name)")
    #expect(distance(layer(x, in: .training(random: RandomStream(seed: 0))), reference["\(name).y"]) < 1e-12, "\(name)")
    let dx = gradient(at: x) { x in (layer(x, in: .training(random: RandomStream(seed: 0))) * g).sum() }
    #expect(distance(dx, reference["\(name).dx"]) < 1e-12, "\(name)")
    for (buffer, value) in reference.group("\(name).after") {
      #expect(distance(stepped.stateDictionary[buffer] ?? Tensor(.nan), value) < 1e-13, "\(name) \(buffer)")
    }
    #expect(distance(stepped(x), reference["\(name).inference"]) < 1e-12, "\(name)")
  }

  @Test func agreesWithPyTorch() throws {
    let reference = try VisionReference("normalization")
    try compare(BatchNorm(3), "batch0", reference)
    try compare(BatchNorm(3), "batch1", reference)
    var batch = BatchNorm<Double>(3)
    batch.momentum = 0.3
    batch.epsilon = 1e-3
    try compare(batch, "batch2", reference)
    try compare(BatchNorm(2), "batch3", reference)
    try compare(GroupNorm(groups: 2, channels: 6), "group2", reference)
    try compare(GroupNorm(groups: 3, channels: 6), "group1", reference)
    var group = GroupNorm<Double>(groups: 1, channels: 4)
    group.epsilon = 1e-3
    try compare(group, "group3", reference)
    try compare(InstanceNorm(4, isAffine: true), "instance2", reference)
  }

  /// Fused sums and activations against the same in tensor operations.
  @Test(arguments: [Activation.identity, .relu, .silu, .tanh], [false, true])
  func fusedActivationsEqualSeparateOnes(activation: Activation, hasResidual: Bool) {
    var random = RandomStream(seed: 3)
    var layer = BatchNorm<Double>(3)
    layer.weight = random.normal([3])
    layer.bias = random.normal([3])
    let x: Tensor<Double> = random.normal([4, 3, 5, 7])
    let residual: Tensor<Double>? = hasResidual ? random.normal(x.shape) : nil
    let g: Tensor<Double> = random.normal(x.shape)
    func gradients(_ body: (BatchNorm<Double>, Tensor<Double>, Tensor<Double>?, ForwardPass) -> Tensor<Double>)
      -> [Tensor<Double>]
    {
      let pass = ForwardPass.training(random: random)
      let inputs = [x, layer.weight ?? x, layer.bias ?? x] + (residual.map { [$0] } ?? [])
      let result = valueAndGradients(at: inputs) { inputs in
        var traced = layer
        (traced.weight, traced.bias) = (inputs[1], inputs[2])
        return (body(traced, inputs[0], inputs.count > 3 ? inputs[3] : nil, pass) * g).sum()
      }
      return [result.value] + result.gradients
    }
    let fused = gradients { $0($1, in: $3, adding: $2, then: activation) }
    let plain = gradients { layer, x, residual, pass in
      let y = layer(x, in: pass)
      return activation(residual.map { y + $0 } ?? y)
    }
    for (one, other) in zip(fused, plain) { #expect(distance(one, other) < 1e-12) }
  }

  @Test(arguments: [Activation.identity, .silu])
  func derivativesAgreeWithDifferences(activation: Activation) {
    var random = RandomStream(seed: 4)
    let x: Tensor<Double> = random.normal([3, 4, 3, 3])
    var batch = BatchNorm<Double>(4)
    batch.weight = random.normal([4])
    let pass = ForwardPass.training(random: random)
    let ofBatch = derivativeError(at: x) { batch($0, in: pass, adding: $0.sin(), then: activation) }
    #expect(ofBatch.first < 1e-7 && ofBatch.second < 1e-6, "\(ofBatch)")
    var group = GroupNorm<Double>(groups: 2, channels: 4)
    group.bias = random.normal([4])
    let ofGroup = derivativeError(at: x) { group($0, then: activation) }
    #expect(ofGroup.first < 1e-7 && ofGroup.second < 1e-6, "\(ofGroup)")
    let ofWeight = derivativeError(at: random.normal([4])) { weight in
      var layer = group
      layer.weight = weight
      return layer(x, then: activation).squared()
    }
    #expect(ofWeight.first < 1e-7 && ofWeight.second < 1e-6, "\(ofWeight)")
  }

  /// Single precision far from zero, on planes longer and shorter than a chunk of the kernel.
  @Test(arguments: [[2, 3, 40, 41], [5, 2, 3, 3], [2, 2, 2_000]])
  func singlePrecisionIsAccurate(shape: [Int]) {
    var random = RandomStream(seed: 5)
    let x: Tensor<Double> = random.normal(shape, mean: 100)
    let g: Tensor<Double> = random.normal(shape)
    let narrow = Tensor<Float>(x)
    func run<Scalar: RealScalar>(_ x: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar> {
      let layer = BatchNorm<Scalar>(shape[1])
      return gradient(at: x) { x in
        let pass = ForwardPass.training(random: RandomStream(seed: 0))
        return (layer(x, in: pass, adding: nil, then: .silu) * g).sum()
      }
    }
    let difference = Tensor<Double>(run(narrow, Tensor<Float>(g))) - run(Tensor<Double>(narrow), g)
    #expect(difference.largestMagnitude < 2e-5)
  }

  @Test func statisticsFollowTheBatches() {
    var random = RandomStream(seed: 6)
    var layer = BatchNorm<Double>(2)
    let pass = ForwardPass.training(random: random)
    for _ in 0..<200 {
      let x: Tensor<Double> = random.normal([64, 2, 4], mean: 3, standardDeviation: 2)
      _ = layer.withStatistics(in: pass) { layer, pass in layer(x, in: pass) }
    }
    #expect((layer.runningMean - 3).largestMagnitude < 0.1)
    #expect((layer.runningVariance - 4).largestMagnitude < 0.3)
  }

  @Test func resultsDoNotDependOnThreads() {
    var random = RandomStream(seed: 7)
    let x: Tensor<Float> = random.normal([8, 6, 30, 30])
    let layer = GroupNorm<Float>(groups: 3, channels: 6)
    let weights: Tensor<Float> = random.normal(x.shape)
    func results() -> [Tensor<Float>] {
      let slopes = layer.valueAndGradient { ($0(x, then: .silu) * weights).sum() }.gradient.tensors
      return [layer(x, then: .silu), gradient(at: x) { (layer($0, then: .silu) * weights).sum() }] + slopes
    }
    let single = withThreads(1, results)
    for count in [2, 3] { #expect(withThreads(count, results) == single, "\(count) threads") }
  }
}
