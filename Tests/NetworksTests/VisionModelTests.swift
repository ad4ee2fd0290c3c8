import Convolutions
import Networks
import Tensors
import TestSupport
import Testing

struct VisionModelTests {
  @Test(arguments: ["padding", "projection", "depth20"])
  func residualNetworkAgreesWithPyTorch(name: String) throws {
    let reference = try VisionReference("resnet_\(name)")
    var random = RandomStream(seed: 1)
    let widths = ["padding": [4, 8, 16], "projection": [3, 4, 6]][name] ?? [2, 3, 4]
    var model = ResNet<Double>(
      depth: name == "depth20" ? 20 : 8, widths: widths, shortcut: name == "projection" ? .projection : .padding,
      random: &random)
    try model.load(reference.group("before"))
    let x = reference["x"]
    let labels = Tensor<Int>(reference["labels"])
    let pass = ForwardPass.training(random: random)
    let (loss, gradient) = model.valueAndGradient(in: pass) { model, pass in
      crossEntropy(model(x, in: pass), labels: labels)
    }
    #expect(abs(loss.scalar - reference["loss"].scalar) < 1e-12)
    #expect(distance(gradient, reference.group("gradient")) < 1e-11)
    #expect(distance(model.buffers, reference.group("after")) < 1e-13)
    #expect(distance(model(x), reference["inference"]) < 1e-11)
  }

  @Test(arguments: [2, 3])
  func uNetAgreesWithPyTorch(dimensions: Int) throws {
    let reference = try VisionReference("unet\(dimensions)")
    var random = RandomStream(seed: 2)
    var configuration = UNet<Double>.Configuration()
    configuration.inputs = 2
    configuration.outputs = 1
    configuration.width = 4
    configuration.multipliers = dimensions == 2 ? [1, 2] : [1, 1]
    configuration.groups = 2
    configuration.dimensions = dimensions
    var model = UNet<Double>(configuration, random: &random)
    try model.load(reference.group("before"))
    let (x, times, g) = (reference["x"], reference["times"], reference["g"])
    let features = model.features(x, times: times)
    #expect(distance(features.output, reference["y"]) < 1e-12)
    #expect(features.down.count == 2 && features.up.count == 2)
    #expect(features.middle.shape.dropFirst(2) == features.down[1].shape.dropFirst(2))
    let gradient = model.valueAndGradient { ($0(x, times: times) * g).sum() }.gradient
    for (name, tensor) in zip(gradient.names, gradient.tensors) {
      let wanted = reference["gradient.\(name)"].scalars
      let parameter = model.stateDictionary[name] ?? Tensor(.nan)
      #expect(abs((tensor * parameter).sum().scalar - wanted[0]) < 1e-10, "\(name)")
      #expect(abs(tensor.sumOfSquares().sqrt().scalar - wanted[1]) < 1e-10, "\(name)")
    }
  }

  @Test func namesAreThoseOfPyTorch() {
    var random = RandomStream(seed: 3)
    let perceptron = MLP<Float>([4, 3, 2], random: &random)
    #expect(perceptron.parameters.names == ["0.weight", "0.bias", "2.weight", "2.bias"])
    let model = Sequential<Float>(
      Convolution(1, 2, kernel: [3, 3], random: &random), BatchNorm(2), Mapping { $0.relu() }, MaximumPooling(2),
      Flatten(), Linear(18, 3, random: &random))
    #expect(model.parameters.names == ["0.weight", "0.bias", "1.weight", "1.bias", "5.weight", "5.bias"])
    #expect(model.buffers.names == ["1.running_mean", "1.running_var"])
    let x: Tensor<Float> = random.normal([2, 1, 8, 8])
    #expect(model.intermediates(x).map(\.shape.count) == [4, 4, 4, 4, 2, 2])
    #expect(model.intermediates(x).last == model(x))
    let nested = Sequential<Float>(model, Linear(3, 1, random: &random))
    #expect(nested.parameters.names.last == "1.bias")
    #expect(nested.stateDictionary["0.1.running_mean"] != nil)
  }

  @Test func parameterCountsAreThoseOfThePapers() {
    var random = RandomStream(seed: 4)
    #expect(LeNet<Float>(random: &random).parameterCount == 61_706)
    // He et al. state 0.27 million for depth 20.
    #expect(ResNet<Float>(depth: 20, random: &random).parameterCount == 269_722)
    #expect(ResNet<Float>(depth: 8, random: &random).parameterCount == 75_290)
  }

  @Test(arguments: 0..<2) func gradientsAgreeWithDifferences(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let model = LeNet<Double>(channels: 1, extent: 12, classes: 3, random: &random)
    let x: Tensor<Double> = random.normal([2, 1, 12, 12])
    let errors = derivativeError(at: x, seed: seed) { model($0) }
    #expect(errors.first < 1e-7, "seed \(seed): \(errors)")
    var time = ResidualMLP<Double>(2, width: 8, blocks: 2, frequencies: 4, random: &random)
    time.forEachParameter { _, tensor in tensor = random.normal(tensor.shape) * 0.5 }
    let points: Tensor<Double> = random.normal([3, 2])
    let errorsOfPoints = derivativeError(at: points, seed: seed) { time($0, times: Tensor([1, 10, 100])) }
    #expect(errorsOfPoints.first < 1e-6 && errorsOfPoints.second < 1e-4, "seed \(seed): \(errorsOfPoints)")
  }

  /// A few steps of descent on two classes of stripes.
  @Test func networksLearn() {
    var random = RandomStream(seed: 5)
    let labels = random.integers([32], in: 0..<2)
    var x: Tensor<Float> = random.normal([32, 1, 12, 12], standardDeviation: 0.3)
    let stripes = Tensor<Float>((0..<144).map { $0 / 12 % 2 == 0 ? 1 : -1 }).reshaped([1, 1, 12, 12])
    let isFlat = (labels .== 0).select(Tensor<Float>(1), Tensor(0)).reshaped([32, 1, 1, 1])
    x = x + stripes * isFlat + stripes.transposed * (1 - isFlat)
    var model = ResNet<Float>(depth: 8, channels: 1, classes: 2, widths: [4, 4, 8], random: &random)
    var losses: [Float] = []
    let pass = ForwardPass.training(random: random)
    for _ in 0..<25 {
      let step = model.valueAndGradient(in: pass) { crossEntropy($0(x, in: $1), labels: labels) }
      losses.append(step.value.scalar)
      model = model.with(parameters: zip(model.parameters.tensors, step.gradient.tensors).map { $0 - $1 * 0.1 })
    }
    #expect(losses[0] > 0.4 && losses[24] < 0.05, "\(losses)")
    #expect((model(x).argmax(axis: 1) .== labels).trueCount >= 30)
  }

  @Test func transposedConvolutionUndoesTheExtents() {
    var random = RandomStream(seed: 6)
    let down = Convolution<Double>(2, 3, kernel: [3, 3], .init(stride: 2, padding: 1), random: &random)
    let up = TransposedConvolution<Double>(
      3, 2, kernel: [3, 3], .init(stride: 2, padding: 1), outputPadding: [1], hasBias: false, random: &random)
    var adjoint = up
    adjoint.weight = down.weight
    let x: Tensor<Double> = random.normal([2, 2, 8, 8])
    var plain = down
    plain.bias = nil
    let y: Tensor<Double> = random.normal(plain(x).shape)
    // <A x, y> = <x, Aᵀ y>.
    #expect(abs((plain(x) * y).sum().scalar - (x * adjoint(y)).sum().scalar) < 1e-12)
    #expect(down.parameters["weight"]?.shape == [3, 2, 3, 3] && up.parameters["weight"]?.shape == [3, 2, 3, 3])
  }

  @Test func resamplingAndPoolingShapes() {
    let x = Tensor<Double>(0..<16).reshaped([1, 1, 4, 4])
    #expect(Resampling(scale: 2)(x).shape == [1, 1, 8, 8])
    #expect(AveragePooling()(x) == Tensor([[2.5, 4.5], [10.5, 12.5]]).reshaped([1, 1, 2, 2]))
    #expect(MaximumPooling()(x) == Tensor([[5.0, 7], [13, 15]]).reshaped([1, 1, 2, 2]))
    #expect(AdaptiveAveragePooling()(x).scalar == 7.5)
    #expect(AdaptiveAveragePooling(2)(x) == AveragePooling()(x))
  }
}

/// Convolutions, group normalisation and a linear layer.
private struct SmallNetwork: Layer {
  var convolution: Convolution<Double>
  var norm = GroupNorm<Double>(groups: 2, channels: 4)
  var head: Linear<Double>

  init(random: inout RandomStream) {
    convolution = Convolution(4, 4, kernel: [3, 3], .init(padding: 1, groups: 2), random: &random)
    norm.weight = random.normal([4])
    head = Linear(4, 3, random: &random)
  }

  func callAsFunction(_ x: Tensor<Double>, in pass: ForwardPass) -> Tensor<Double> {
    head(norm(convolution(x), then: .silu).mean(axes: [2, 3]))
  }

  mutating func visit(_ visitor: Visitor<Double>) {
    visitor.module("convolution", &convolution)
    visitor.module("norm", &norm)
    visitor.module("head", &head)
  }
}

struct GradientsByExampleTests {
  @Test(arguments: 0..<3) func equalThoseOfSingleExamples(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let model = SmallNetwork(random: &random)
    // Planes below the kernels' smallest, too.
    let side = seed == 0 ? 2 : 5
    let x: Tensor<Double> = random.normal([5, 4, side, side])
    let labels = random.integers([5], in: 0..<3)
    let apart = model.perExampleGradients(examples: 5) { crossEntropy($0(x), labels: labels, reduction: .none) }
    for example in 0..<5 {
      let range = example..<example + 1
      let single = model.valueAndGradient { crossEntropy($0(x[range]), labels: labels[range]) }
      #expect(abs(apart.values[example].scalar - single.value.scalar) < 1e-13, "seed \(seed)")
      for (name, tensor) in zip(single.gradient.names, single.gradient.tensors) {
        let found = apart.gradients[name]?[example] ?? Tensor(.nan)
        #expect(distance(found, tensor) < 1e-12, "seed \(seed), example \(example), \(name)")
      }
    }
  }
}
