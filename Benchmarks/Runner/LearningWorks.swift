// Networks and their training, beside PyTorch: the same models, batches and optimizers, one step at a time.

import FileFormats
import Networks
import Optimizers
import Tensors

/// Training steps are forward, backward and the optimizer's update. Floors count the multiplications and additions of
/// products and convolutions: on the way back twice those of the way forward, but for the layer that reads the data.
var learningWorks: [Work] {
  [
    trainMLP, trainSmallMLP, trainGPT, trainLeNet, trainResNet, trainUNet, curvature, perExample, muonStep(256),
    muonStep(1_024),
  ].map { work in
    work.comparingMemory
  }
}

/// Class numbers or tokens under a name both sides know.
private func integers(_ shape: [Int], below limit: Int, _ inputs: Inputs) throws -> Tensor<Int> {
  var random = RandomStream(seed: 1)
  let numbers = random.integers(shape, in: 0..<limit)
  let name = shape.map(String.init).joined(separator: "x")
  try writeNPY(numbers, to: "\(inputs.folder)/integers-\(limit)-\(name).npy")
  return numbers
}

/// A network that is trained on, step after step.
private final class Run<Model: Module<Float>, Rule: Optimizer<Float>> {
  var model: Model
  var optimizer: Rule
  let loss: (Model, ForwardPass) -> Tensor<Float>

  init(_ model: Model, _ optimizer: Rule, _ loss: @escaping (Model, ForwardPass) -> Tensor<Float>) {
    self.model = model
    self.optimizer = optimizer
    self.loss = loss
  }

  func step() {
    let pass = ForwardPass.training(random: RandomStream(seed: 1))
    let gradient = model.valueAndGradient(in: pass, of: loss).gradient
    optimizer.update(&model, along: gradient)
  }
}

private func steps<Model: Module<Float>, Rule: Optimizer<Float>>(
  _ model: Model, _ optimizer: Rule, _ loss: @escaping (Model, ForwardPass) -> Tensor<Float>
) -> () -> Void {
  let run = Run(model, optimizer, loss)
  return { run.step() }
}

/// Of a product of matrices, or a convolution as one.
private func products(_ rows: Int, _ terms: Int, _ columns: Int, times: Int = 1) -> Double {
  Double(times * rows * terms * columns)
}

/// A training step: each multiplication goes with an addition, and comes back twice but in the first layer.
private func step(first: Double, rest: [Double]) -> Floor { .flopsSingle(4 * first + 6 * rest.reduce(0, +)) }

/// Multiplications of the MLP on one example, and those of its first layer.
private let firstMultiplications = products(1, 784, 256)
private let multiplications = firstMultiplications + products(1, 256, 256) + products(1, 256, 10)

private var trainMLP: Work {
  let floor = step(first: products(128, 784, 256), rest: [products(128, 256, 256), products(128, 256, 10)])
  return Work("train-mlp 128", bound: 0.8, floor: floor) { inputs in
    let x: Tensor<Float> = try normal([128, 784], inputs)
    let labels = try integers([128], below: 10, inputs)
    var random = RandomStream(seed: 1)
    return steps(MLP([784, 256, 256, 10], random: &random), Adam()) { model, pass in
      crossEntropy(model(x, in: pass), labels: labels)
    }
  }
}

private var trainSmallMLP: Work {
  Work("train-small-mlp 32", bound: 0.25) { inputs in
    let x: Tensor<Float> = try normal([32, 32], inputs)
    let y: Tensor<Float> = try normal([32, 1], inputs)
    var random = RandomStream(seed: 1)
    return steps(MLP([32, 64, 64, 1], activation: .tanh, random: &random), Adam()) { model, pass in
      squaredError(model(x, in: pass), y)
    }
  }
}

private var trainGPT: Work {
  // In each layer attention's four products, half of the scores and of their use, SwiGLU's three; then the head.
  let tokens = 16 * 128
  let layers = [
    products(tokens, 128, 128, times: 4), products(tokens, 128, 128), products(tokens, 128, 336, times: 3),
  ]
  let floor = step(first: 0, rest: layers.map { 4 * $0 } + [products(tokens, 128, 256)])
  return Work("train-gpt 4 128 128 16", bound: 1, floor: floor) { inputs in
    let tokens = try integers([16, 129], below: 256, inputs)
    var random = RandomStream(seed: 1)
    let configuration = GPTConfiguration(
      vocabulary: 256, width: 128, layers: 4, heads: 4, hidden: 336, contextLength: 128)
    return steps(try GPT(configuration, random: &random), AdamW()) { model, pass in model.loss(tokens, in: pass) }
  }
}

private func classify<Model: Layer<Float>>(
  _ shape: [Int], _ inputs: Inputs, _ model: (inout RandomStream) -> Model
) throws -> () -> Void {
  let x: Tensor<Float> = try normal(shape, inputs)
  let labels = try integers([shape[0]], below: 10, inputs)
  var random = RandomStream(seed: 1)
  return steps(model(&random), Adam()) { model, pass in crossEntropy(model(x, in: pass), labels: labels) }
}

private var trainLeNet: Work {
  let rest = [
    products(64 * 100, 150, 16), products(64, 400, 120), products(64, 120, 84), products(64, 84, 10),
  ]
  let floor = step(first: products(64 * 28 * 28, 25, 6), rest: rest)
  return Work("train-lenet 64", bound: 1, floor: floor) { inputs in
    try classify([64, 1, 28, 28], inputs) { LeNet(random: &$0) }
  }
}

private var trainResNet: Work {
  // By direct convolutions: two of 16 channels; and in each later stage one that doubles the channels, one that keeps
  // them, and the projection.
  let rest = [
    products(64 * 1_024, 144, 16, times: 2), products(64 * 256, 144 + 288 + 16, 32),
    products(64 * 64, 288 + 576 + 32, 64),
  ]
  let floor = step(first: products(64 * 1_024, 27, 16), rest: rest)
  return Work("train-resnet8 64", bound: 1, floor: floor) { inputs in
    try classify([64, 3, 32, 32], inputs) { ResNet(depth: 8, shortcut: .projection, random: &$0) }
  }
}

private var trainUNet: Work {
  Work("train-unet 16", bound: 1.1) { inputs in
    let x: Tensor<Float> = try normal([16, 3, 32, 32], inputs)
    let noise: Tensor<Float> = try normal([16, 3, 32, 32], inputs, seed: 2)
    let times = Tensor<Float>(try integers([16], below: 1_000, inputs))
    var random = RandomStream(seed: 1)
    return steps(UNet(random: &random), Adam(learningRate: 1e-4)) { model, pass in
      squaredError(model(x, times: times, in: pass), noise)
    }
  }
}

private var curvature: Work {
  // The gradient, and the way back through it, on which each product has two derivatives, or one where it has the data.
  let gradient = 3 * multiplications - firstMultiplications
  let flops = 2 * 128 * (3 * gradient - 2 * firstMultiplications)
  return Work("hessian-vector-product 128", bound: 0.8, floor: .flopsSingle(flops)) { inputs in
    let x: Tensor<Float> = try normal([128, 784], inputs)
    let labels = try integers([128], below: 10, inputs)
    var random = RandomStream(seed: 1)
    let model = MLP<Float>([784, 256, 256, 10], random: &random)
    let direction = model.parameters.map { random.normal($0.shape) }
    return { keep(model.hessianVectorProduct(along: direction) { crossEntropy($0(x), labels: labels) }) }
  }
}

private var perExample: Work {
  // Every example's gradient is written.
  Work("per-example-gradients 128", bound: 0.8, floor: .bytes(128 * 4 * multiplications)) { inputs in
    let x: Tensor<Float> = try normal([128, 784], inputs)
    let labels = try integers([128], below: 10, inputs)
    var random = RandomStream(seed: 1)
    let model = MLP<Float>([784, 256, 256, 10], random: &random)
    return {
      keep(model.perExampleGradients(examples: 128) { crossEntropy($0(x), labels: labels, reduction: .none) })
    }
  }
}

private func muonStep(_ n: Int) -> Work {
  // Five steps of two symmetric products and a general one.
  let flops = 5 * 4 * Double(n * n * n)
  return Work("muon \(n)", bound: 1, floor: .flopsBFloat16(flops)) { inputs in
    var weights: [Tensor<Float>] = [try normal([n, n], inputs)]
    let gradients: [Tensor<Float>] = [try normal([n, n], inputs, seed: 2)]
    var optimizer = Muon<Float>()
    return { optimizer.update(tensors: &weights, along: gradients) }
  }
}

/// Sentence vectors from tokens that are given: 32 sentences of 32 tokens.
func encoderWork(_ path: String) -> Work {
  // Six layers of width 384: attention (4 w²), its scores and their products over 32 tokens, and 1536 hidden units.
  let tokens = 32 * 32
  let layer =
    products(tokens, 384, 384, times: 4) + products(tokens, 32, 384, times: 2) + products(tokens, 384, 1_536, times: 2)
  return Work("minilm \(path) 32", bound: 1, floor: .flopsSingle(12 * layer)) { inputs in
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let embedder = try SentenceEmbedder(checkpoint: path, tokenizer: folder)
    let tokens = try integers([32, 32], below: 20_000, inputs)
    let mask = Tensor<Bool>(repeating: true, shape: tokens.shape)
    return { keep(meanPooled(embedder.model(tokens, mask: mask), mask: mask)) }
  }.comparingMemory
}
