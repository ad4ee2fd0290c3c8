// What a run is at a moment: everything that a resumed one needs.

import Networks
import Optimizers
import Tensors

/// The tensors and the numbers of a run.
struct TrainingRun<Model: Module, Method: Optimizer> where Method.Scalar == Model.Scalar {
  var model: Model
  var optimizer: Method
  var state: TrainingState
  /// The averaged weights, when they are wanted.
  var average: ExponentialAverage<Model>?
  /// The model of the best evaluation, when a run may stop early.
  var best: Model?

  /// What is measured and returned: the averaged weights, if there are any.
  var evaluated: Model { average?.model ?? model }

  /// Notes an evaluation.
  mutating func take(_ evaluation: Evaluation, patience: Int?) {
    state.pendingEvaluation = evaluation
    state.lastEvaluation = evaluation
    if state.best.map({ evaluation.isBetter(than: $0.evaluation) }) ?? true {
      state.best = TrainingRecord.Best(step: state.step, evaluation: evaluation)
      state.evaluationsSinceBest = 0
      if patience != nil { best = evaluated }
    } else {
      state.evaluationsSinceBest += 1
    }
    if let patience, state.evaluationsSinceBest >= patience { state.hasStopped = true }
  }
}

/// The numbers of a run.
struct TrainingState: Sendable, Codable {
  /// Steps done: the position in the schedule and in the data.
  var step = 0
  /// With the step it decides all random numbers that are still to come.
  var seed: UInt64
  var seconds = 0.0
  var hasStopped = false
  var best: TrainingRecord.Best?
  var evaluationsSinceBest = 0
  var lastEvaluation: Evaluation?
  var lastLoss = 0.0
  /// The step of the last checkpoint that was written or read.
  var lastCheckpoint: Int?

  // What the next line of the log is going to say.
  private var lossSum = 0.0
  private var lossCount = 0
  private var gradientNorm: Double? = 0
  var pendingEvaluation: Evaluation?

  /// All lines so far; not in a checkpoint, for they are in the log.
  var entries: [TrainingLogEntry] = []

  private enum CodingKeys: String, CodingKey {
    case step, seed, seconds, hasStopped, best, evaluationsSinceBest, lastEvaluation, lastLoss, lossSum, lossCount
    case gradientNorm
  }

  init(seed: UInt64) { self.seed = seed }

  /// Whether a run can have come to this; a damaged file may say anything.
  var isPossible: Bool {
    let counts = [step, evaluationsSinceBest, lossCount, best?.step ?? 0]
    return counts.allSatisfy { (0...1 << 48).contains($0) } && (0...1e12).contains(seconds)
  }

  mutating func add(loss: Double, gradientNorm: Double) {
    lossSum += loss
    lossCount += 1
    lastLoss = loss
    self.gradientNorm = gradientNorm.isFinite ? gradientNorm : nil
  }

  mutating func closeEntry(rateFactor: Double, seconds: Double) -> TrainingLogEntry {
    let entry = TrainingLogEntry(
      step: step, loss: lossSum / Double(max(lossCount, 1)), gradientNorm: gradientNorm, rateFactor: rateFactor,
      seconds: (seconds * 1000).rounded() / 1000, validation: pendingEvaluation)
    lossSum = 0
    lossCount = 0
    pendingEvaluation = nil
    entries.append(entry)
    return entry
  }

  /// For the progress line.
  var label: String {
    guard let last = entries.last else { return step == 0 ? "" : "loss \(Self.short(lastLoss))" }
    let accuracy = lastEvaluation?.accuracy.map { "  accuracy \(Self.short($0))" } ?? ""
    return "loss \(Self.short(last.loss))\(accuracy)"
  }

  private static func short(_ number: Double) -> String { "\((number * 10_000).rounded() / 10_000)" }

  var record: TrainingRecord {
    TrainingRecord(
      steps: step, seconds: seconds, finalLoss: lastLoss, finalEvaluation: lastEvaluation, best: best,
      stoppedEarly: hasStopped, log: entries)
  }
}
