// What many claims share: small classifiers on bundled images, trained plainly.

public import Datasets
public import Networks
public import Optimizers
public import Tensors

/// How a claim trains a classifier: random batches, a fixed number of steps, and room for what a method does in between.
///
/// ```swift
/// let data = ClassifierTraining.mnist(seed: 1)
/// var model = MLP<Float>([784, 128, 10], random: &random)
/// var optimizer = Adam<Float>(learningRate: 1e-3)
/// ClassifierTraining(steps: 600, seed: 1).run(&model, optimizer: &optimizer, on: data.train)
/// let accuracy = accuracy(of: model, on: data.test)
/// ```
public struct ClassifierTraining: Sendable {
  public var steps: Int
  public var batchSize: Int
  public var schedule: Schedule
  /// The order of the examples, and dropout.
  public var seed: UInt64

  public init(steps: Int, batchSize: Int = 64, schedule: Schedule = .constant, seed: UInt64) {
    self.steps = steps
    self.batchSize = batchSize
    self.schedule = schedule
    self.seed = seed
  }

  /// Training for whole epochs.
  public init(
    epochs: Int, of data: LabelledData<Float>, batchSize: Int = 64, schedule: Schedule = .constant, seed: UInt64
  ) {
    let perEpoch = Batches(count: data.count, size: batchSize, random: RandomStream(seed: seed)).perEpoch
    self.init(steps: epochs * perEpoch, batchSize: batchSize, schedule: schedule, seed: seed)
  }

  /// 4,000 images of MNIST to learn from, as rows of 784 pixels in [0, 1], and 1,000 to test on.
  public static func mnist(seed: UInt64) -> Split<LabelledData<Float>> { parts(Datasets.mnist(), test: 0.2, seed) }

  /// 1,297 digits of 8×8 pixels to learn from, and 500 to test on.
  public static func digits(seed: UInt64) -> Split<LabelledData<Float>> {
    let digits: LabelledData<Float> = Datasets.digits()
    return parts(digits, test: 500 / Double(digits.count), seed)
  }

  private static func parts(_ data: LabelledData<Float>, test: Double, _ seed: UInt64) -> Split<LabelledData<Float>> {
    do { return try data.split(test: test, seed: seed) } catch { preconditionFailure("a fraction of all: \(error)") }
  }

  /// Trains `model` by the cross-entropy of its scores.
  ///
  /// - Parameters:
  ///   - isTrainable: which parameters are learned, by name.
  ///   - images: what the model is given for a batch; its rows of features unless it wants images.
  ///   - beforeForward: may change the model before the pass of a step, which is counted from zero.
  ///   - adjust: may change the gradient of a step.
  ///   - afterStep: may change the model after the optimizer did.
  /// - Returns: the loss of every step.
  @discardableResult
  public func run<Model: Layer<Float>, Method: Optimizer<Float>>(
    _ model: inout Model, optimizer: inout Method, on data: LabelledData<Float>,
    where isTrainable: (String) -> Bool = { _ in true },
    input: (LabelledData<Float>) -> Tensor<Float> = \.features,
    beforeForward: (Int, inout Model) throws -> Void = { _, _ in },
    adjust: (Int, Model, inout NamedTensors<Float>) throws -> Void = { _, _, _ in },
    afterStep: (Int, inout Model) throws -> Void = { _, _ in }
  ) rethrows -> [Double] {
    let random = RandomStream(seed: seed)
    var batches = Batches(count: data.count, size: batchSize, random: random.child(0))
    let pass = ForwardPass.training(random: random.child(1))
    var losses: [Double] = []
    for step in 0..<steps {
      let batch = data.taken(batches.positions(at: step))
      try beforeForward(step, &model)
      var (loss, gradient) = model.valueAndGradient(in: pass, where: isTrainable) { model, pass in
        crossEntropy(model(input(batch), in: pass), labels: batch.labels)
      }
      try adjust(step, model, &gradient)
      optimizer.update(&model, along: gradient, rateFactor: schedule(step))
      try afterStep(step, &model)
      losses.append(Double(loss.scalar))
    }
    return losses
  }
}

/// The fraction of examples to which a classifier gives the right class.
public func accuracy(
  of model: some Layer<Float>, on data: LabelledData<Float>,
  input: (LabelledData<Float>) -> Tensor<Float> = \.features
) -> Double {
  var right = 0
  for start in stride(from: 0, to: data.count, by: 500) {
    let batch = data.taken(Tensor<Int>(start..<min(start + 500, data.count)))
    right += (model(input(batch)).argmax(axis: 1) .== batch.labels).scalars.count { $0 }
  }
  return Double(right) / Double(data.count)
}
