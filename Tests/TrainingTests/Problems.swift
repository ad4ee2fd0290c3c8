import Datasets
import Networks
import Optimizers
import Tensors
import Training

/// A small network with dropout and a running statistic, so that every kind of state occurs.
struct TestNetwork: Layer {
  var first: Linear<Float>
  var second: Linear<Float>
  var mean: Tensor<Float>
  let dropout: Dropout<Float>

  init(_ inputs: Int, _ hidden: Int, _ outputs: Int, dropout: Double = 0, seed: UInt64 = 1) {
    var random = RandomStream(seed: seed)
    first = Linear(inputs, hidden, random: &random)
    second = Linear(hidden, outputs, random: &random)
    mean = .zeros([hidden])
    self.dropout = Dropout(dropout)
  }

  func callAsFunction(_ x: Tensor<Float>, in pass: ForwardPass) -> Tensor<Float> {
    let hidden = first(x).relu()
    let centre = pass.isTraining ? hidden.mean(axis: 0).withoutDerivative : mean
    pass.update(mean, to: mean * 0.9 + centre * 0.1)
    return second(dropout(hidden - centre, in: pass))
  }

  mutating func visit(_ visitor: Visitor<Float>) {
    visitor.module("first", &first)
    visitor.buffer("mean", &mean)
    visitor.module("second", &second)
  }
}

/// Two moons, a network for them, and how it is trained.
struct MoonProblem {
  let parts: Split<LabelledData<Float>>
  var loop: TrainingLoop
  var network = TestNetwork(2, 32, 2, dropout: 0.05)
  var optimizer = AdamW<Float>(learningRate: 0.02)
  /// The batch at which the loss becomes NaN, if any.
  var badBatch: Int?

  init(steps: Int, seed: UInt64 = 3) throws {
    var random = RandomStream(seed: seed)
    parts = try Datasets.twoMoons(count: 300, noise: 0.15, random: &random).split(validation: 0.2, test: 0.2, seed: 1)
    loop = TrainingLoop(steps: steps)
    loop.seed = seed
    loop.logInterval = 4
    loop.evaluationInterval = 7
    loop.checkpointInterval = 5
    loop.schedule = Schedule.cosine(steps: steps).warmedUp(over: 5)
  }

  /// Trains, and leaves the result in `network`.
  @discardableResult
  mutating func run(in folder: TrainingFolder? = nil, progress: WorkProgress = .silent) throws -> TrainingRecord {
    let parts = parts
    let badBatch = badBatch
    var batches = Batches(count: parts.train.count, size: 32, random: RandomStream(seed: 9))
    return try loop.run(
      &network, optimizer: &optimizer, folder: folder, progress: progress,
      evaluate: { model in Evaluation.ofClassifier(on: parts.validation) { model($0.features) } },
      loss: { model, moment in
        let batch = parts.train.taken(batches.positions(at: moment.batch))
        var random = moment.random
        let noise: Tensor<Float> = random.normal(batch.features.shape)
        let loss = crossEntropy(model(batch.features + noise * 0.02, in: moment.pass), labels: batch.labels)
        return moment.batch == badBatch ? loss * Float.nan : loss
      })
  }
}

extension Module where Scalar == Float {
  /// All numbers, to the bit.
  var bits: [UInt32] {
    var bits: [UInt32] = []
    var walked = self
    walked.forEachTensor { _, _, tensor in bits += tensor.scalars.map(\.bitPattern) }
    return bits
  }
}
