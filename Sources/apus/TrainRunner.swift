import CatalogueCore
import Datasets
import FileFormats
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
    var record: TrainingRecord
    var parameterCount: Int
    /// On the part that nothing was chosen by.
    var test: Evaluation?
    var testCount = 0
    /// Which class was taken for which, rows being what is right.
    var confusion: Tensor<Double>?
    var classNames: [String] = []
    var details: TrainDetails
  }

  func run(on data: TrainData) throws -> Outcome {
    switch (data, settings.model) {
    case (.text(let corpus), "gpt"): return try trainLanguageModel(corpus)
    case (.text, let model): throw UsageError("--model \(model) does not learn texts; take gpt")
    case (_, "gpt"): throw UsageError("--model gpt learns texts; give --data shakespeare-plays or a .txt file")
    case (.labelled(let data), "mlp"): return try trainPerceptron(data)
    case (.labelled(let data), _): return try trainImageNetwork(data)
    case (.regression(let data), "mlp"): return try trainRegression(data)
    case (.regression, let model): throw UsageError("--model \(model) finds classes; take mlp for targets")
    }
  }

  /// Examples that are trained on: what an epoch is.
  static func trainingCount(of data: TrainData, _ settings: TrainSettings) throws -> Int {
    switch data {
    case .labelled(let data):
      return try data.split(validation: settings.validation, test: settings.test, seed: settings.seed).train.count
    case .regression(let data):
      return try data.split(validation: settings.validation, test: settings.test, seed: settings.seed).train.count
    case .text(let corpus): return corpus.bytes.count / max(1, settings.context)
    }
  }

  // MARK: Models

  /// Random weights do not come from the stream that the training draws from.
  var weightStream: RandomStream { RandomStream(seed: settings.seed).child(1 << 40) }
  var batchStream: RandomStream { RandomStream(seed: settings.seed).child(1 << 41) }

  private func trainPerceptron(_ data: LabelledData<Float>) throws -> Outcome {
    let inputs = data.features.count / max(1, data.count)
    let flat = data.with(features: data.features.reshaped([data.count, inputs]))
    var random = weightStream
    let widths = [inputs] + settings.hidden + [data.classes]
    let model = MLP<Float>(widths, random: &random)
    var details = TrainDetails(model: "mlp", classNames: data.classNames)
    details.widths = widths
    // Pixels have a common scale; other features may have any.
    let parts = try split(flat)
    if data.imageShape == nil, data.features.rank == 2 { details.fit(to: parts.train.features) }
    let standardize = details.standardize
    return try trainClassifier(model, parts, details: details) { standardize($0.reshaped([$0.shape[0], inputs])) }
  }

  private func trainImageNetwork(_ data: LabelledData<Float>) throws -> Outcome {
    guard let shape = TrainData.labelled(data).imageShape else {
      throw UsageError("--model \(settings.model) needs images, [count, channels, height, width]; take mlp")
    }
    var random = weightStream
    let details = TrainDetails(model: settings.model, classNames: data.classNames, imageShape: shape)
    let parts = try split(data)
    if settings.model == "lenet" {
      guard shape[1] == shape[2], shape[1] >= 12 else {
        throw UsageError(
          "--model lenet needs square images of at least 12 pixels, these are \(shape[1])x\(shape[2]); take resnet8")
      }
      let model = LeNet<Float>(channels: shape[0], extent: shape[1], classes: data.classes, random: &random)
      return try trainClassifier(model, parts, details: details) { $0 }
    }
    guard shape[1] >= 4, shape[2] >= 4 else {
      throw UsageError(
        "--model resnet8 needs images of at least 4x4 pixels, these are \(shape[1])x\(shape[2]); take mlp")
    }
    let model = ResNet<Float>(depth: 8, channels: shape[0], classes: data.classes, random: &random)
    return try trainClassifier(model, parts, details: details) { $0 }
  }

  private func trainRegression(_ data: RegressionData<Float>) throws -> Outcome {
    let inputs = data.features.count / max(1, data.count)
    var flat = data
    flat.features = data.features.reshaped([data.count, inputs])
    let parts = try split(flat)
    let outputs = data.targets.columns
    var random = weightStream
    let widths = [inputs] + settings.hidden + [outputs]
    let model = MLP<Float>(widths, random: &random)
    var details = TrainDetails(model: "mlp", classNames: [])
    details.widths = widths
    details.fit(to: parts.train.features)
    details.fitTargets(to: parts.train.targets)
    let scale = Standardization(fittedTo: parts.train.targets)
    let standardize = details.standardize
    var batches = Batches(count: parts.train.count, size: settings.batch, random: batchStream)
    let evaluate = { (model: MLP<Float>, data: RegressionData<Float>) in
      Evaluation.ofRegression(on: data) { scale.inverted(model(standardize($0.features))) }
    }
    let (trained, record) = try fit(
      model, evaluate: parts.validation.count > 0 ? { evaluate($0, parts.validation) } : nil
    ) { model, moment in
      let batch = parts.train.taken(batches.positions(at: moment.batch))
      return squaredError(model(standardize(batch.features), in: moment.pass), scale(batch.targets))
    }
    let test = parts.test.count > 0 ? evaluate(trained, parts.test) : nil
    return Outcome(
      record: record, parameterCount: trained.parameterCount, test: test, testCount: parts.test.count,
      details: details)
  }

  private func split<Data: Examples>(_ data: Data) throws -> Split<Data> {
    let parts = try data.split(validation: settings.validation, test: settings.test, seed: settings.seed)
    guard parts.train.count > 0 else {
      throw UsageError("--data has \(data.count) examples, too few to leave some for training")
    }
    return parts
  }

  // MARK: Training

  private func trainClassifier<Model: Layer<Float>>(
    _ model: Model, _ parts: Split<LabelledData<Float>>, details: TrainDetails,
    input: @escaping (Tensor<Float>) -> Tensor<Float>
  ) throws -> Outcome {
    let augmentation = ImageAugmentation(largestShift: settings.shift)
    let isImage = parts.train.imageShape != nil || parts.train.features.rank == 4
    func features(_ data: LabelledData<Float>) -> Tensor<Float> { isImage ? data.images : data.features }
    var batches = Batches(count: parts.train.count, size: settings.batch, random: batchStream)
    let evaluate = { (model: Model, data: LabelledData<Float>) in
      Evaluation.ofClassifier(on: data) { model(input(features($0))) }
    }
    let (trained, record) = try fit(
      model, evaluate: parts.validation.count > 0 ? { evaluate($0, parts.validation) } : nil
    ) { model, moment in
      let batch = parts.train.taken(batches.positions(at: moment.batch))
      var random = moment.random
      let x = isImage ? augmentation(features(batch), random: &random) : features(batch)
      return crossEntropy(model(input(x), in: moment.pass), labels: batch.labels, smoothing: settings.smoothing)
    }
    var outcome = Outcome(
      record: record, parameterCount: trained.parameterCount, classNames: details.classNames, details: details)
    if parts.test.count > 0 {
      outcome.test = evaluate(trained, parts.test)
      outcome.testCount = parts.test.count
      var confusion = [Double](repeating: 0, count: details.classNames.count * details.classNames.count)
      _ = Evaluation.ofClassifier(on: parts.test) { batch in
        let scores = trained(input(features(batch)))
        for (right, found) in zip(batch.labels.scalars, scores.argmax(axis: 1).scalars) {
          confusion[right * details.classNames.count + found] += 1
        }
        return scores
      }
      outcome.confusion = Tensor(shape: [details.classNames.count, details.classNames.count], scalars: confusion)
    }
    return outcome
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
