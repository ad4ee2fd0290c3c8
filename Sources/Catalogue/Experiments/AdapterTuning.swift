import Datasets
public import Networks
import Optimizers
import Tensors

extension CharacterModel {
  /// A model whose corrections beside quantized weights were trained on the training text, everything else staying as it
  /// is.
  ///
  /// - Parameter seed: of the windows, 16 of 128 characters a step.
  public func tuned(_ model: GPT<Float>, steps: Int, learningRate: Double = 1e-3, seed: UInt64) -> GPT<Float> {
    var model = model
    var optimizer = Adam<Float>(learningRate: learningRate)
    LanguageTraining(steps: steps, random: RandomStream(seed: seed).child(0)).run(
      &model, optimizer: &optimizer, on: train, where: { $0.hasSuffix(".left") || $0.hasSuffix(".right") },
      beforeForward: { _, _ in }, afterGradient: { _, _ in }, afterStep: { _, _ in }, scores: { $0($1, in: $2) })
    return model
  }
}
