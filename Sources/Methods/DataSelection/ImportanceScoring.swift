// Scores averaged over several short training runs.

public import Datasets
public import Networks
public import Optimizers
import Synchronization
public import Tensors

/// Importance scores of training examples, as means over several networks early in their training.
///
/// Each run starts from a network of its own and sees the examples in an order of its own. After each of `epochs` it
/// scores all examples; the mean over runs is what ranks them.
///
/// ```swift
/// let scoring = ImportanceScoring(scores: [.el2n, .grand], epochs: [3], runs: 10)
/// let report = try scoring.evaluate(data, seed: 1, optimizer: Adam<Float>()) { random in
///   MLP<Float>([784, 128, 64, 10], random: &random)
/// }
/// let kept = try SubsetSelection(.highest, count: 2_000).positions(by: report.table(.el2n, epoch: 3).mean)
/// ```
///
/// - Complexity: `runs` trainings of the largest of `epochs`, and one evaluation of the data for each score and epoch.
///   Runs are spread over the threads, one network a thread; the result does not depend on how many there are.
/// - Source: Paul, Ganguli and Dziugaite, "Deep learning on a data diet", NeurIPS 2021, arXiv 2107.07075.
public struct ImportanceScoring: Sendable {
  public var scores: [ImportanceScore]
  /// After how many epochs examples are scored, zero for the network at its start. The paper scores at a tenth of the
  /// training; on small data sets one to three epochs do.
  public var epochs: [Int]
  /// How many networks the scores are averaged over.
  public var runs: Int
  public var batchSize: Int

  public init(scores: [ImportanceScore] = [.el2n], epochs: [Int] = [3], runs: Int = 10, batchSize: Int = 64) {
    self.scores = scores
    self.epochs = epochs
    self.runs = runs
    self.batchSize = batchSize
  }

  /// Trains the networks and scores the examples.
  ///
  /// - Parameters:
  ///   - optimizer: what each run starts with.
  ///   - input: what a network is given for a batch; the features by default.
  ///   - makeModel: an untrained classifier with one output for each class of the data.
  /// - Throws: `InvalidArgument` for no runs, scores or epochs, fewer than two classes, features that are not finite, a
  ///   model with another number of outputs, or a score that is no number, with its run and example.
  public func evaluate<Model: Layer, Method: Optimizer>(
    _ data: LabelledData<Model.Scalar>, seed: UInt64 = 1, optimizer: Method,
    input: (LabelledData<Model.Scalar>) -> Tensor<Model.Scalar> = \.features, progress: WorkProgress = .silent,
    makeModel: (inout RandomStream) -> Model
  ) throws -> ImportanceReport where Method.Scalar == Model.Scalar {
    try validate(data)
    let done = Mutex(0)
    let last = epochs.max() ?? 0
    let results = try parallelMap(runs) { run in
      let random = RandomStream(seed: seed).child(UInt64(run))
      return try scored(data, run: run, random: random, optimizer: optimizer, input: input, makeModel: makeModel) {
        let steps = done.withLock { done in
          done += 1
          return done
        }
        try progress.report(steps, of: runs * (last + 1), "networks")
      }
    }
    var tables: [ImportanceTable] = []
    for (s, score) in scores.enumerated() {
      for (e, epoch) in epochs.enumerated() {
        let perRun = Tensor<Double>.stacked(results.map { $0[s][e] })
        tables.append(ImportanceTable(score: score, epoch: epoch, perRun: perRun))
      }
    }
    return ImportanceReport(tables: tables)
  }

  private func validate<Scalar: RealScalar>(_ data: LabelledData<Scalar>) throws {
    guard runs >= 1 else { throw InvalidArgument("runs", found: "\(runs)", wanted: "at least 1") }
    guard batchSize >= 1 else { throw InvalidArgument("batchSize", found: "\(batchSize)", wanted: "at least 1") }
    guard !scores.isEmpty else { throw InvalidArgument("scores", found: "none", wanted: "at least one score") }
    guard let first = epochs.min(), first >= 0 else {
      throw InvalidArgument("epochs", found: "\(epochs)", wanted: "at least one number of epochs, none negative")
    }
    guard data.count > 0 else { throw InvalidArgument("data", found: "no examples", wanted: "at least one") }
    guard data.classes >= 2 else {
      throw InvalidArgument("data", found: "\(data.classes) class", wanted: "at least two classes")
    }
    try data.features.requireFinite("features")
  }

  /// The scores of one run: by score, by epoch.
  private func scored<Model: Layer, Method: Optimizer>(
    _ data: LabelledData<Model.Scalar>, run: Int, random: RandomStream, optimizer: Method,
    input: (LabelledData<Model.Scalar>) -> Tensor<Model.Scalar>, makeModel: (inout RandomStream) -> Model,
    afterEpoch: () throws -> Void
  ) throws -> [[Tensor<Double>]] where Method.Scalar == Model.Scalar {
    var initialization = random.child(0)
    var model = makeModel(&initialization)
    let outputs = model(input(data.taken(Tensor([0])))).shape
    guard outputs == [1, data.classes] else {
      throw InvalidArgument(
        "model", found: "outputs of shape \(outputs) for one example", wanted: "shape [1, \(data.classes)]")
    }
    var optimizer = optimizer
    var batches = Batches(count: data.count, size: batchSize, random: random.child(1))
    let pass = ForwardPass.training(random: random.child(2))
    var forgetting = ForgettingTracker(count: data.count)
    var results = scores.map { _ in epochs.map { _ in Tensor<Double>.zeros([0]) } }
    let last = epochs.max() ?? 0
    for epoch in 0...last {
      for (e, wanted) in epochs.enumerated() where wanted == epoch {
        for (s, score) in scores.enumerated() {
          let found =
            score == .forgetting
            ? forgetting.scores : Tensor<Double>(model.importanceScores(of: data, score, input: input))
          try Self.requireNumbers(found, score, run: run)
          results[s][e] = found
        }
      }
      try afterEpoch()
      guard epoch < last else { break }
      for step in epoch * batches.perEpoch..<(epoch + 1) * batches.perEpoch {
        let positions = batches.positions(at: step)
        let batch = data.taken(positions)
        var logits = Tensor<Model.Scalar>.zeros([0])
        let gradient = model.valueAndGradient(in: pass) { model, pass in
          let output = model(input(batch), in: pass)
          logits = output.withoutDerivative
          return crossEntropy(output, labels: batch.labels)
        }.gradient
        forgetting.visit(positions, isRight: logits.argmax(axis: 1) .== batch.labels)
        optimizer.update(&model, along: gradient)
      }
    }
    return results
  }

  private static func requireNumbers(_ scores: Tensor<Double>, _ score: ImportanceScore, run: Int) throws {
    guard let position = scores.scalars.firstIndex(where: { score == .forgetting ? $0.isNaN : !$0.isFinite }) else {
      return
    }
    throw InvalidArgument(
      "scores", found: "\(scores[at: position]) in run \(run) for example \(position)",
      wanted: "finite scores; try a lower learning rate, or standardised features")
  }
}
