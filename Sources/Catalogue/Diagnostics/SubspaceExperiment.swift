import Datasets
import Diagnostics
import Experiments
import Networks
import Optimizers
import Tensors

/// A perceptron trained in all its parameters or in a random subspace: what the command and the claim share.
struct SubspaceExperiment: Sendable {
  var train: LabelledData<Float>
  var test: LabelledData<Float>
  /// Of the input, the hidden layers and the output.
  var widths: [Int]
  var kind = SubspaceProjection.dense
  var epochs = 60
  var batchSize = 128
  /// Of Adam, in all parameters: the best of several, so that the threshold is that of a well trained network.
  var directRate = 1e-2
  /// Of Adam, in the coordinates.
  var subspaceRate = 1e-2

  func network(_ seed: UInt64) -> MLP<Float> {
    var random = RandomStream(seed: seed)
    return MLP(widths, random: &random)
  }

  var parameterCount: Int { network(1).parameterCount }

  /// The best test accuracy of training all parameters.
  func direct(seed: UInt64) throws -> Double { try best(network(seed), rate: directRate, seed: seed).accuracy }

  /// The best test accuracy of training in a subspace.
  func inSubspace(_ dimension: Int, seed: UInt64) throws -> Double {
    try best(SubspaceModel(network(seed), dimension: dimension, kind: kind, seed: seed), rate: subspaceRate, seed: seed)
      .accuracy
  }

  /// The network of the best test accuracy, looked at twelve times during training.
  func best<Model: Layer<Float>>(
    _ start: Model, rate: Double, seed: UInt64
  ) throws -> (model: Model, accuracy: Double) {
    var model = start
    var optimizer = Adam<Float>(learningRate: rate)
    let perEpoch = (train.count + batchSize - 1) / batchSize
    let steps = epochs * perEpoch
    let interval = max(1, epochs / 12) * perEpoch
    var best = (model: start, accuracy: -1.0)
    try ClassifierTraining(steps: steps, batchSize: batchSize, seed: seed).run(
      &model, optimizer: &optimizer, on: train,
      afterStep: { step, model in
        guard (step + 1) % interval == 0 || step + 1 == steps else { return }
        let found = accuracy(of: model, on: test)
        if found > best.accuracy { best = (model, found) }
      })
    return best
  }
}
