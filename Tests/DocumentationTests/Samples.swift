// The samples of the documentation, line by line, so that the compiler reads them. Nothing here is run; `SampleTests`
// sees to it that no line is missing.

import Apus

struct Perceptron: Layer {
  var hidden: Linear<Float>, output: Linear<Float>

  func callAsFunction(_ x: Tensor<Float>, in pass: ForwardPass) -> Tensor<Float> {
    output(hidden(x).relu())
  }
  mutating func visit(_ visitor: Visitor<Float>) {
    visitor.module("hidden", &hidden)
    visitor.module("output", &output)
  }
}

extension Perceptron: SequentialLinearGroups {
  var linearGroups: [[String]] { [["hidden"], ["output"]] }
}

enum ReadmeSamples {
  static func swift(images: Tensor<Float>, labels: Tensor<Int>, random: inout RandomStream) throws {
    let x = try readMatrix("x.npy")
    let svd = try SingularValueDecomposition(of: x - x.mean(axis: 0))
    let slope = gradient(at: x) { ($0 * $0.exp()).sum() }
    var model = MLP<Float>([784, 256, 10], random: &random)
    let step = model.valueAndGradient { crossEntropy($0(images), labels: labels) }
    let fit = try WeibullFitting().fit(x)
    model.forEachParameter { _, _ in }
    _ = (svd, slope, step, fit)
  }
}

enum NetworkSamples {
  static func model(x: Tensor<Float>, labels: Tensor<Int>) throws {
    var random = RandomStream(seed: 1)
    var model = MLP<Float>([784, 256, 10], random: &random)
    print(model.summary)
    let step = model.valueAndGradient { crossEntropy($0(x), labels: labels) }
    var optimizer = AdamW<Float>(learningRate: 1e-3)
    optimizer.update(&model, along: step.gradient)
    try model.save(to: "model.safetensors")
    try model.load(from: Checkpoint("model.safetensors"))
  }

  static func texts(prompt: [Int], random: inout RandomStream) throws {
    let embedder = try SentenceEmbedder(checkpoint: "model.safetensors", tokenizer: "minilm/")
    let vectors = try embedder.embed(["How do swifts sleep?", "On the wing."])
    let gpt = try GPT<Float>(from: Checkpoint("gpt.safetensors"))
    let tokens = try gpt.generate(prompt, count: 200, sampling: TokenSampling(temperature: 0.8), random: &random)
    _ = (vectors, tokens)
  }

  static func training(model: inout MLP<Float>, optimizer: inout AdamW<Float>) throws {
    let digits = try Datasets.digits().split(test: 0.2)
    var batches = Batches(count: digits.train.count, size: 64, random: RandomStream(seed: 1))
    try TrainingLoop(steps: 2_000).run(&model, optimizer: &optimizer, folder: TrainingFolder("run")) { model, moment in
      let batch = digits.train.taken(batches.positions(at: moment.batch))
      return crossEntropy(model(batch.features, in: moment.pass), labels: batch.labels)
    }
  }

  static func forms(model: inout Perceptron, x: Tensor<Float>, batches: [Tensor<Float>]) throws {
    model.forEachLinear { name, layer in print(name, layer.form.shape, layer.form.parameterCount) }
    let watched = model.tapped { name in LinearTap(input: { x in print(name, x.shape) }) }
    _ = watched(x)
    let data = CalibrationData<Perceptron>(count: batches.count, evaluate: { model, i in _ = model(batches[i]) })
    let small = try SAESSVD().compress(model, keeping: 0.5, data: data)
    let y = small.model(x)
    try small.model.save(to: "small.safetensors")
    _ = y
  }

  static func shippedModel() throws {
    let folder = "Data/Models/shakespeare-characters"
    let model = try GPT<Float>(from: Checkpoint("\(folder)/model.safetensors"))
    let tokenizer = try readTokenizer(folder)
    let heldOut = Datasets.shakespearePlays().split(heldOut: 0.1).heldOut
    let windows = try TokenWindows(tokenizer.encode(heldOut.text), length: 128)
    let loss = Evaluation.ofLanguageModel(on: windows, count: 1_024) { model($0) }.loss
    _ = loss
  }
}

enum DifferentiationSamples {
  static func transforms(
    x: Tensor<Double>, w: Tensor<Double>, b: Tensor<Double>, y: Tensor<Double>, f: (Tensor<Double>) -> Tensor<Double>
  ) {
    let slope = gradient(at: x) { ($0 * $0.exp()).sum() }
    let (value, gradients) = valueAndGradients(at: [w, b]) { squaredError(x.matmul($0[0]) + $0[1], y) }
    let second = gradient(at: x) { x in gradient(at: x, of: f).sumOfSquares() }
    _ = (slope, value, gradients, second)
  }

  static func examples(model: MLP<Float>, x: Tensor<Float>, labels: Tensor<Int>) {
    let (losses, gradients) = model.perExampleGradients(examples: 128) { model in
      crossEntropy(model(x), labels: labels, reduction: .none)
    }
    _ = gradients["0.weight"]
    _ = losses
  }

  static func softClip(_ x: Tensor<Double>) -> Tensor<Double> {
    customDerivative(at: x) { x in
      let y = x.tanh()
      return (y, { g in g * (1 - y.squared()) })
    }
  }

  static func decompositions(covariance: Tensor<Double>, x: Tensor<Double>) throws {
    let slope = try gradient(at: covariance) { covariance in
      let cholesky = try CholeskyDecomposition(of: covariance)
      return cholesky.logDeterminantTensor + (try cholesky.solve(x) * x).sum()
    }
    _ = slope
  }
}

/// What stands above types in Sources/Learning.
enum LearningSamples {
  static func data(data: LabelledData<Float>) throws {
    let parts = try Datasets.digits().split(test: 0.2, seed: 1)
    var batches = Batches(count: data.count, size: 64, random: RandomStream(seed: 1))
    for step in 0..<10 * batches.perEpoch {
      let batch = data.taken(batches.positions(at: step))
      _ = batch
    }
    _ = parts
  }

  static func schedule(
    model: inout MLP<Float>, optimizer: inout AdamW<Float>, gradient: NamedTensors<Float>, step: Int
  ) {
    let schedule = Schedule.cosine(steps: 10_000, floor: 0.1).warmedUp(over: 500)
    optimizer.update(&model, along: gradient, rateFactor: schedule(step))
    var average = ExponentialAverage(of: model, decay: 0.999)
    average.update(with: model)
  }

  static func quasiNewton(model: inout MLP<Double>, x: Tensor<Double>, y: Tensor<Double>) throws {
    var optimizer = LBFGS<Double>()
    let result = try optimizer.minimize(&model) { model in model.valueAndGradient { squaredError($0(x), y) } }
    _ = result
  }

  static func groups() {
    var optimizer = AdamW<Float>(
      learningRate: 3e-4, weightDecay: 0.1,
      groups: [.vectors(weightDecay: 0), ParameterGroup(matching: "head.*", learningRate: 1e-3)])
    optimizer.learningRate = 0
  }

  static func step(model: inout MLP<Float>, x: Tensor<Float>, y: Tensor<Float>) {
    var optimizer = AdamW<Float>(learningRate: 1e-3)
    let (loss, gradient) = model.valueAndGradient { squaredError($0(x), y) }
    optimizer.update(&model, along: gradient)
    _ = loss
  }

  static func loop(model: inout MLP<Float>, train: LabelledData<Float>) throws {
    var batches = Batches(count: train.count, size: 64, random: RandomStream(seed: 1))
    var optimizer = AdamW<Float>(learningRate: 1e-3)
    let record = try TrainingLoop(steps: 2_000).run(&model, optimizer: &optimizer) { model, moment in
      let batch = train.taken(batches.positions(at: moment.batch))
      return crossEntropy(model(batch.features, in: moment.pass), labels: batch.labels)
    }
    _ = record
  }

  static func languageModel(tokens: Tensor<Int>, random: inout RandomStream) throws {
    var model = try GPT<Float>(GPTConfiguration(vocabulary: 256), random: &random)
    let step = model.valueAndGradient { $0.loss(tokens) }
    let text = try model.generate([10], count: 100, sampling: TokenSampling(temperature: 0.8), random: &random)
    model.forEachParameter { _, _ in }
    let watched = model.tapped { name in LinearTap(input: { x in print(name, x.shape) }) }
    _ = watched(tokens)
    _ = (step, text)
  }

  static func embedder() throws {
    let embedder = try SentenceEmbedder(checkpoint: "minilm", tokenizer: "minilm")
    let vectors = try embedder.embed(["A cat sat.", "A dog ran."])
    let similarity = vectors.matmul(vectors, transposingB: true)
    _ = similarity
  }

  static func layers(x: Tensor<Float>, random: inout RandomStream) {
    let layer = Convolution<Float>(3, 16, kernel: [3, 3], ConvolutionOptions(padding: 1), random: &random)
    let y = layer(x)
    let model = Sequential<Float>(
      Convolution(1, 8, kernel: [3, 3], random: &random), BatchNorm(8), Mapping { $0.relu() }, Flatten())
    _ = (y, model)
  }

  static func checkpointing(blocks: [DecoderBlock<Float>], input: Tensor<Float>, pass: ForwardPass) {
    var x = input
    for block in blocks { x = pass.checkpointed(block, [x]) { block, x, pass in block(x[0], in: pass) } }
    _ = x
  }
}
