// Networks and their training, beside PyTorch: the same models, batches and optimizers, one step at a time.

import FileFormats
import Networks
import Optimizers
import Tensors

/// Training steps are forward, backward and the optimizer's update.
var learningWorks: [Work] {
  [trainMLP, trainSmallMLP, trainGPT, trainLeNet, trainResNet, trainUNet, curvature, perExample, muonStep]
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

private var trainMLP: Work {
  Work("train-mlp 128", bound: 0.8) { _ in
    var random = RandomStream(seed: 1)
    let x: Tensor<Float> = random.normal([128, 784])
    let labels = random.integers([128], in: 0..<10)
    return steps(MLP([784, 256, 256, 10], random: &random), Adam()) { model, pass in
      crossEntropy(model(x, in: pass), labels: labels)
    }
  }
}

private var trainSmallMLP: Work {
  Work("train-small-mlp 32", bound: 0.25) { _ in
    var random = RandomStream(seed: 1)
    let x: Tensor<Float> = random.normal([32, 32])
    let y: Tensor<Float> = random.normal([32, 1])
    return steps(MLP([32, 64, 64, 1], activation: .tanh, random: &random), Adam()) { model, pass in
      squaredError(model(x, in: pass), y)
    }
  }
}

private var trainGPT: Work {
  Work("train-gpt 4 128 128 16", bound: 1) { _ in
    var random = RandomStream(seed: 1)
    let tokens = random.integers([16, 129], in: 0..<256)
    let configuration = GPTConfiguration(
      vocabulary: 256, width: 128, layers: 4, heads: 4, hidden: 336, contextLength: 128)
    return steps(try GPT(configuration, random: &random), AdamW()) { model, pass in model.loss(tokens, in: pass) }
  }
}

private func classify<Model: Layer<Float>>(
  _ model: Model, _ shape: [Int], _ random: inout RandomStream
) -> () -> Void {
  let x: Tensor<Float> = random.normal(shape)
  let labels = random.integers([shape[0]], in: 0..<10)
  return steps(model, Adam()) { model, pass in crossEntropy(model(x, in: pass), labels: labels) }
}

private var trainLeNet: Work {
  Work("train-lenet 64", bound: 1) { _ in
    var random = RandomStream(seed: 1)
    return classify(LeNet(random: &random), [64, 1, 28, 28], &random)
  }
}

private var trainResNet: Work {
  Work("train-resnet8 64", bound: 1) { _ in
    var random = RandomStream(seed: 1)
    return classify(ResNet(depth: 8, shortcut: .projection, random: &random), [64, 3, 32, 32], &random)
  }
}

private var trainUNet: Work {
  Work("train-unet 16", bound: 1.1) { _ in
    var random = RandomStream(seed: 1)
    let x: Tensor<Float> = random.normal([16, 3, 32, 32])
    let noise: Tensor<Float> = random.normal([16, 3, 32, 32])
    let times = random.uniform([16], in: 0..<1_000, of: Float.self)
    return steps(UNet(random: &random), Adam(learningRate: 1e-4)) { model, pass in
      squaredError(model(x, times: times, in: pass), noise)
    }
  }
}

private var curvature: Work {
  Work("hessian-vector-product 128", bound: 0.8) { _ in
    var random = RandomStream(seed: 1)
    let model = MLP<Float>([784, 256, 256, 10], random: &random)
    let x: Tensor<Float> = random.normal([128, 784])
    let labels = random.integers([128], in: 0..<10)
    let direction = model.parameters.map { random.normal($0.shape) }
    return { keep(model.hessianVectorProduct(along: direction) { crossEntropy($0(x), labels: labels) }) }
  }
}

private var perExample: Work {
  Work("per-example-gradients 128", bound: 0.8) { _ in
    var random = RandomStream(seed: 1)
    let model = MLP<Float>([784, 256, 256, 10], random: &random)
    let x: Tensor<Float> = random.normal([128, 784])
    let labels = random.integers([128], in: 0..<10)
    return {
      keep(model.perExampleGradients(examples: 128) { crossEntropy($0(x), labels: labels, reduction: .none) })
    }
  }
}

private var muonStep: Work {
  Work("muon 1024", bound: 1) { _ in
    var random = RandomStream(seed: 1)
    var weights: [Tensor<Float>] = [random.normal([1_024, 1_024])]
    let gradients: [Tensor<Float>] = [random.normal([1_024, 1_024])]
    var optimizer = Muon<Float>()
    return { optimizer.update(tensors: &weights, along: gradients) }
  }
}

/// Sentence vectors from tokens that are given: 32 sentences of 32 tokens.
func encoderWork(_ path: String) -> Work {
  Work("minilm \(path) 32", bound: 1) { _ in
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let embedder = try SentenceEmbedder(checkpoint: path, tokenizer: folder)
    var random = RandomStream(seed: 1)
    let tokens = random.integers([32, 32], in: 1_000..<20_000)
    let mask = Tensor<Bool>(repeating: true, shape: tokens.shape)
    return { keep(meanPooled(embedder.model(tokens, mask: mask), mask: mask)) }
  }
}
