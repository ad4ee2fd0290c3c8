// Training as one loop: take a batch, go down its gradient, look now and then how far we are, keep what was reached.

public import FileFormats
import Foundation
public import Networks
public import Optimizers
public import Tensors

/// How a network is trained; `run` does it.
///
/// ```swift
/// var batches = Batches(count: train.count, size: 64, random: RandomStream(seed: 1))
/// var optimizer = AdamW<Float>(learningRate: 1e-3)
/// let record = try TrainingLoop(steps: 2_000).run(&model, optimizer: &optimizer) { model, moment in
///   let batch = train.taken(batches.positions(at: moment.batch))
///   return crossEntropy(model(batch.features, in: moment.pass), labels: batch.labels)
/// }
/// ```
///
/// Everything random in a step is a function of the seed and the step's number. With a folder, a run that was ended at any
/// moment, even without notice, and is started again ends with the same bits as one that was not interrupted.
public struct TrainingLoop: Sendable {
  public var steps: Int
  /// The factor of the optimizer's learning rate.
  public var schedule = Schedule.constant
  /// The gradients of this many batches are averaged for one step.
  public var accumulation = 1
  /// Gradients of a larger norm, taken over all parameters, are scaled down to it.
  public var largestGradientNorm: Double?
  /// Averages the weights over the steps with this decay (`ExponentialAverage`); the average is what is evaluated and
  /// returned.
  public var averageDecay: Double?
  /// Steps between evaluations; after the last step there is always one.
  public var evaluationInterval: Int?
  /// Stops after this many evaluations without a better one, and returns the weights of the best one.
  public var patience: Int?
  /// Steps between lines of the log.
  public var logInterval = 10
  /// Steps between checkpoints; there is always one at the end.
  public var checkpointInterval = 100
  public var seed: UInt64 = 1
  /// Which parameters are learned, by name.
  public var isTrainable: @Sendable (String) -> Bool = { _ in true }

  public init(steps: Int) { self.steps = steps }

  /// Trains `model`, from its present weights or from the folder's checkpoint.
  ///
  /// - Parameters:
  ///   - folder: where checkpoints and the log go. If it holds a checkpoint, the run goes on from there.
  ///   - progress: told of every step; when it is cancelled, a checkpoint is written before `CancellationError` is thrown.
  ///   - evaluate: measures the model on data that it does not learn from.
  ///   - loss: one number for the batch of a moment, the mean over its examples.
  /// - Throws: `NonFiniteTraining` when a loss, a gradient or a weight stops being a number: nothing bad is saved;
  ///   `ResumeError` when the folder's checkpoint cannot be used; `FileError` when a file cannot be written; and what
  ///   `loss` and `evaluate` throw.
  @discardableResult
  public func run<Model: Module, Method: Optimizer>(
    _ model: inout Model, optimizer: inout Method, folder: TrainingFolder? = nil, progress: WorkProgress = .silent,
    evaluate: ((Model) throws -> Evaluation)? = nil,
    loss: (Model, TrainingMoment) throws -> Tensor<Model.Scalar>
  ) throws -> TrainingRecord where Method.Scalar == Model.Scalar, Model.Scalar: StorableScalar {
    try validate()
    var run = TrainingRun(model: model, optimizer: optimizer, state: TrainingState(seed: seed))
    run.average = averageDecay.map { ExponentialAverage(of: model, decay: $0) }
    try folder?.resume(&run)
    let start = ContinuousClock.now.advanced(by: .seconds(-run.state.seconds))
    func save() throws {
      try requireFinite(run.model, run.state)
      run.state.seconds = (ContinuousClock.now - start) / .seconds(1)
      if let folder {
        try folder.save(run)
        run.state.lastCheckpoint = run.state.step
      }
    }

    while run.state.step < steps, !run.state.hasStopped {
      do {
        try progress.report(run.state.step, of: steps, run.state.label)
      } catch let cancellation as CancellationError {
        try save()
        throw cancellation
      }
      let step = run.state.step
      var (value, gradient) = try slope(of: loss, at: &run.model, step: step)
      let norm = try checkedNorm(value, gradient, run.model, run.state)
      if let largestGradientNorm { gradient.clip(toNorm: largestGradientNorm, from: norm) }
      run.optimizer.update(&run.model, along: gradient, rateFactor: schedule(step))
      run.average?.update(with: run.model)

      run.state.step = step + 1
      run.state.add(loss: value, gradientNorm: norm)
      let isLast = run.state.step == steps
      let evaluates = isLast || isDue(run.state.step, evaluationInterval)
      let isLogged = evaluates || isDue(run.state.step, logInterval)
      if isLogged { try requireFinite(run.model, run.state) }
      if evaluates, let evaluate { run.take(try checked(evaluate(run.evaluated), run.state), patience: patience) }
      if isLogged {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let entry = run.state.closeEntry(rateFactor: schedule(step), seconds: seconds)
        try folder?.append(entry)
      }
      if isLast || run.state.hasStopped || isDue(run.state.step, checkpointInterval) { try save() }
    }
    try progress.report(steps, of: steps, run.state.label)
    model = run.best ?? run.evaluated
    optimizer = run.optimizer
    return run.state.record
  }

  private func isDue(_ step: Int, _ interval: Int?) -> Bool { interval.map { step % $0 == 0 } ?? false }

  /// The mean loss of the batches of a step, and its gradient.
  private func slope<Model: Module>(
    of loss: (Model, TrainingMoment) throws -> Tensor<Model.Scalar>, at model: inout Model, step: Int
  ) throws -> (value: Double, gradient: NamedTensors<Model.Scalar>) {
    var total = 0.0
    var sum: NamedTensors<Model.Scalar>?
    for part in 0..<accumulation {
      let batch = step * accumulation + part
      let moment = TrainingMoment(step: step, batch: batch, seed: seed)
      let (value, gradient) = try model.valueAndGradient(in: moment.pass, where: isTrainable) { model, _ in
        try loss(model, moment)
      }
      total += Double(value.scalar)
      if sum == nil {
        sum = gradient
      } else {
        for i in gradient.tensors.indices { sum?.tensors[i] += gradient.tensors[i] }
      }
    }
    var mean = sum ?? NamedTensors()
    if accumulation > 1 {
      for i in mean.tensors.indices { mean.tensors[i] *= 1 / Model.Scalar(accumulation) }
    }
    return (total / Double(accumulation), mean)
  }

  // MARK: What must not be

  private func validate() throws {
    func require(_ name: String, _ value: Int?, atLeast least: Int) throws {
      guard let value, value < least else { return }
      throw InvalidArgument(name, found: "\(value)", wanted: "at least \(least)")
    }
    try require("steps", steps, atLeast: 0)
    try require("accumulation", accumulation, atLeast: 1)
    try require("evaluation interval", evaluationInterval, atLeast: 1)
    try require("patience", patience, atLeast: 1)
    try require("log interval", logInterval, atLeast: 1)
    try require("checkpoint interval", checkpointInterval, atLeast: 1)
    if let averageDecay, !(0..<1).contains(averageDecay) {
      throw InvalidArgument("average decay", found: "\(averageDecay)", wanted: "a number in [0, 1)")
    }
    if let largestGradientNorm, !(largestGradientNorm > 0) {
      throw InvalidArgument("largest gradient norm", found: "\(largestGradientNorm)", wanted: "a positive number")
    }
  }

  /// The gradient's norm; throws, before anything is changed, when a step along it would destroy the weights.
  private func checkedNorm<Scalar: RealScalar>(
    _ loss: Double, _ gradient: NamedTensors<Scalar>, _ model: some Module<Scalar>, _ state: TrainingState
  ) throws -> Double {
    let norm = gradient.norm
    if loss.isFinite, norm.isFinite { return norm }
    try requireFinite(model, state)
    let culprit = gradient.firstNonFinite
    // A norm may overflow although every number is finite; clipping or the optimizer copes with that.
    guard !loss.isFinite || culprit != nil else { return norm }
    throw NonFiniteTraining(
      step: state.step + 1, loss: loss, place: culprit.map { .gradient(of: $0) } ?? .loss,
      lastCheckpoint: state.lastCheckpoint)
  }

  private func checked(_ evaluation: Evaluation, _ state: TrainingState) throws -> Evaluation {
    if evaluation.loss.isFinite { return evaluation }
    throw NonFiniteTraining(
      step: state.step, loss: evaluation.loss, place: .evaluation, lastCheckpoint: state.lastCheckpoint)
  }

  private func requireFinite<Scalar: RealScalar>(_ model: some Module<Scalar>, _ state: TrainingState) throws {
    guard let name = model.parameters.firstNonFinite ?? model.buffers.firstNonFinite else { return }
    throw NonFiniteTraining(
      step: state.step, loss: state.lastLoss, place: .weight(name), lastCheckpoint: state.lastCheckpoint)
  }
}

/// One evaluation of the loss during training: what it may depend on beside the model.
public struct TrainingMoment: Sendable {
  /// The step, counted from zero.
  public let step: Int
  /// The batch, counted from zero: as the step, but with as many to a step as gradients are averaged.
  public let batch: Int
  /// For the layers: this is training, and these are its random numbers.
  public let pass: ForwardPass
  /// For changes to the examples.
  public let random: RandomStream

  init(step: Int, batch: Int, seed: UInt64) {
    self.step = step
    self.batch = batch
    let stream = RandomStream(seed: seed).child(UInt64(batch))
    random = stream.child(0)
    pass = .training(random: stream.child(1))
  }
}
