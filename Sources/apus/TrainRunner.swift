import CatalogueCore
import Datasets
import FileFormats
import Foundation
import Networks
import Optimizers
import Tensors
import Training

/// One run: builds what the settings say, trains it, and measures what came out.
struct TrainRunner {
  var settings: TrainSettings
  let folder: TrainingFolder
  let progress: WorkProgress

  /// What a run leaves beside its log.
  struct Outcome {
    /// What is predicted.
    var task: String
    var record: TrainingRecord
    var parameterCount: Int
    /// Of the model that was saved, on the part that the training was watched on.
    var validation: Evaluation?
    var validationCount = 0
    /// On the part that nothing was chosen by.
    var test: Evaluation?
    var testCount = 0
    /// Which class was taken for which, rows being what is right.
    var confusion: Tensor<Double>?
    var details: TrainDetails
  }

  func run(on parts: TrainParts) throws -> Outcome {
    switch parts {
    case .text(let parts): try trainLanguageModel(parts)
    case .regression(let parts): try trainRegression(parts)
    case .labelled(let parts): try settings.model == "mlp" ? trainPerceptron(parts) : trainImageNetwork(parts)
    }
  }

  // MARK: Models

  /// Random weights do not come from the stream that the training draws from.
  var weightStream: RandomStream { RandomStream(seed: settings.seed).child(1 << 40) }
  var batchStream: RandomStream { RandomStream(seed: settings.seed).child(1 << 41) }

  private func perceptron(inputs: Int, outputs: Int, examples: Int) throws -> (model: MLP<Float>, widths: [Int]) {
    let widths = [inputs] + settings.hidden + [outputs]
    try requireMemory(
      parameters: zip(widths, widths.dropFirst()).reduce(0) { $0 + ($1.0 + 1) * $1.1 },
      activations: Double(min(settings.batch, examples)) * 2 * Double(widths.reduce(0, +)))
    var random = weightStream
    return (MLP(widths, random: &random), widths)
  }

  /// Throws when the weights, their gradient and the optimizer's memory, or what a step keeps, exceed this machine.
  func requireMemory(parameters: Int, activations: Double) throws {
    let bytes = 16 * Double(parameters) + 4 * activations
    let memory = Double(ProcessInfo.processInfo.physicalMemory)
    guard bytes > memory else { return }
    let (needed, there) = (Int((bytes / 1e9).rounded(.up)), Int(memory / 1e9))
    throw UsageError(
      "training \(parameters) parameters in batches of \(settings.batch) needs about \(needed) GB, this machine has "
        + "\(there); take a smaller model or a smaller --batch")
  }

  private func trainPerceptron(_ parts: Split<LabelledData<Float>>) throws -> Outcome {
    let data = parts.train
    let inputs = data.features.count / max(1, data.count)
    let (model, widths) = try perceptron(inputs: inputs, outputs: data.classes, examples: data.count)
    var details = TrainDetails(model: "mlp", classNames: data.classNames)
    details.widths = widths
    func flat(_ x: Tensor<Float>) -> Tensor<Float> { x.reshaped([x.shape[0], inputs]) }
    if data.isImages {
      let scale = Self.scale(ofImages: data)
      details.note(features: scale)
      return try trainClassifier(model, parts, details: details) { flat(scale?($0) ?? $0) }
    }
    let scale = Standardization(fittedTo: flat(data.features))
    details.note(features: scale)
    return try trainClassifier(model, parts, details: details) { scale(flat($0)) }
  }

  /// Images that come with Apus have pixels in [0, 1]; those of a file may have any, and each channel its own.
  private static func scale(ofImages data: LabelledData<Float>) -> Standardization<Float>? {
    data.features.rank == 4 ? Standardization(fittedToImages: data.features) : nil
  }

  private func trainImageNetwork(_ parts: Split<LabelledData<Float>>) throws -> Outcome {
    let data = parts.train
    // `TrainSettings.check` has seen to it that these are images of a size that fits.
    let shape = data.imageShape ?? Array(data.features.shape.dropFirst())
    let scale = Self.scale(ofImages: data)
    var details = TrainDetails(model: settings.model, classNames: data.classNames, imageShape: shape)
    details.note(features: scale)
    var random = weightStream
    if settings.model == "lenet" {
      let model = LeNet<Float>(channels: shape[0], extent: shape[1], classes: data.classes, random: &random)
      return try trainClassifier(model, parts, details: details) { scale?($0) ?? $0 }
    }
    let model = ResNet<Float>(depth: 8, channels: shape[0], classes: data.classes, random: &random)
    // The last stage has a quarter of the extents; of a single place of a single example there is no variance.
    let isOnePlace = shape[1] <= 4 && shape[2] <= 4
    guard !isOnePlace || min(settings.batch, data.count) > 1 else {
      throw UsageError(
        "--model resnet8 on images of \(shape[1])x\(shape[2]) pixels needs a --batch of at least 2, and as many examples"
      )
    }
    let dropsRest = isOnePlace && data.count % settings.batch == 1
    return try trainClassifier(model, parts, dropsRest: dropsRest, details: details) { scale?($0) ?? $0 }
  }

  private func trainRegression(_ parts: Split<RegressionData<Float>>) throws -> Outcome {
    let data = parts.train
    let inputs = data.features.count / max(1, data.count)
    func flat(_ x: Tensor<Float>) -> Tensor<Float> { x.reshaped([x.shape[0], inputs]) }
    let (model, widths) = try perceptron(inputs: inputs, outputs: data.targets.columns, examples: data.count)
    let (scale, targetScale) = (Standardization(fittedTo: flat(data.features)), Standardization(fittedTo: data.targets))
    var details = TrainDetails(model: "mlp", classNames: [])
    details.widths = widths
    details.note(features: scale)
    details.note(targets: targetScale)
    var batches = Batches(count: data.count, size: settings.batch, random: batchStream)
    func measure(_ model: MLP<Float>, _ part: RegressionData<Float>) -> Evaluation? {
      guard part.count > 0 else { return nil }
      return Evaluation.ofRegression(on: part) { targetScale.inverted(model(scale(flat($0.features)))) }
    }
    let (trained, record) = try fit(
      model, evaluate: parts.validation.count > 0 ? { measure($0, parts.validation) ?? Evaluation(loss: .nan) } : nil
    ) { model, moment in
      let batch = data.taken(batches.positions(at: moment.batch))
      return squaredError(model(scale(flat(batch.features)), in: moment.pass), targetScale(batch.targets))
    }
    var outcome = Outcome(
      task: data.targets.columns == 1 ? "a number" : "\(data.targets.columns) numbers", record: record,
      parameterCount: trained.parameterCount, details: details)
    outcome.validation = evaluation(record)
    outcome.validationCount = parts.validation.count
    outcome.test = measure(trained, parts.test)
    outcome.testCount = parts.test.count
    return outcome
  }

  // MARK: Training

  private func trainClassifier<Model: Layer<Float>>(
    _ model: Model, _ parts: Split<LabelledData<Float>>, dropsRest: Bool = false, details: TrainDetails,
    input: @escaping (Tensor<Float>) -> Tensor<Float>
  ) throws -> Outcome {
    let augmentation = ImageAugmentation(largestShift: settings.shift)
    let isImage = parts.train.isImages
    func features(_ data: LabelledData<Float>) -> Tensor<Float> { isImage ? data.images : data.features }
    var batches = Batches(count: parts.train.count, size: settings.batch, dropsRest: dropsRest, random: batchStream)
    let (trained, record) = try fit(
      model,
      evaluate: parts.validation.count > 0
        ? { model in Evaluation.ofClassifier(on: parts.validation) { model(input(features($0))) } } : nil
    ) { model, moment in
      let batch = parts.train.taken(batches.positions(at: moment.batch))
      var random = moment.random
      let x = isImage ? augmentation(features(batch), random: &random) : features(batch)
      return crossEntropy(model(input(x), in: moment.pass), labels: batch.labels, smoothing: settings.smoothing)
    }
    let classes = details.classNames.count
    var outcome = Outcome(
      task: "one of \(classes) classes", record: record, parameterCount: trained.parameterCount, details: details)
    outcome.validation = evaluation(record)
    outcome.validationCount = parts.validation.count
    guard parts.test.count > 0 else { return outcome }
    var confusion = [Double](repeating: 0, count: classes * classes)
    outcome.test = Evaluation.ofClassifier(on: parts.test) { batch in
      let scores = trained(input(features(batch)))
      for (right, found) in zip(batch.labels.scalars, scores.argmax(axis: 1).scalars) {
        confusion[right * classes + found] += 1
      }
      return scores
    }
    outcome.testCount = parts.test.count
    outcome.confusion = Tensor(shape: [classes, classes], scalars: confusion)
    return outcome
  }

  /// The evaluation of the weights that a run ended with: those of the best one when it may stop early.
  private func evaluation(_ record: TrainingRecord) -> Evaluation? {
    settings.patience == nil ? record.finalEvaluation : record.best?.evaluation
  }

  /// Trains with the optimizer of the settings, and saves the model.
  func fit<Model: Module<Float>>(
    _ model: Model, metadata: [String: String] = [:], evaluate: ((Model) throws -> Evaluation)?,
    loss: (Model, TrainingMoment) throws -> Tensor<Float>
  ) throws -> (model: Model, record: TrainingRecord) {
    func run(_ optimizer: some Optimizer<Float>) throws -> (model: Model, record: TrainingRecord) {
      var (model, optimizer) = (model, optimizer)
      let record = try loop.run(
        &model, optimizer: &optimizer, folder: folder, progress: progress, evaluate: evaluate, loss: loss)
      return (model, record)
    }
    var result = try run(TrainChoices.optimizer(settings))
    let path = "\(folder.path)/model.safetensors"
    let types: [String: StoredType] = ["f16": .float16, "bf16": .bfloat16]
    let type = types[settings.storage]
    try result.model.save(to: path, as: type, metadata: metadata)
    // What is tested is what was stored.
    if type != nil { try result.model.load(from: Checkpoint(path)) }
    return result
  }

  private var loop: TrainingLoop {
    var loop = TrainingLoop(steps: settings.steps)
    loop.schedule = TrainChoices.schedule(settings)
    loop.accumulation = settings.accumulation
    loop.largestGradientNorm = settings.clip
    loop.averageDecay = settings.averageDecay
    loop.evaluationInterval = settings.evaluationInterval
    loop.patience = settings.patience
    loop.logInterval = settings.logInterval
    loop.checkpointInterval = settings.checkpointInterval
    loop.seed = settings.seed
    return loop
  }
}
