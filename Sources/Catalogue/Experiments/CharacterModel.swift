public import Datasets
public import Networks
import Optimizers
public import Tensors

/// The project's trained language model and the text that belongs to it: the subject of claims on real networks.
///
/// A decoder of 870,272 parameters that predicts the next of 67 characters of ten plays of Shakespeare. It learned nine
/// tenths of them; the last tenth is held out.
public struct CharacterModel: Sendable {
  public let model: GPT<Float>
  public let train: TokenWindows
  public let heldOut: TokenWindows

  /// - Throws: what reading the model throws; it is part of the program.
  public init() throws {
    model = try GPT<Float>(from: Datasets.shakespeareCharacterModel())
    let corpus = Datasets.shakespearePlays()
    let tokenizer = CharacterTokenizer(alphabetOf: corpus.text)
    let parts = corpus.split(heldOut: 0.1)
    let length = model.configuration.contextLength
    train = try TokenWindows(tokenizer.encode(parts.train.text), length: length)
    heldOut = try TokenWindows(tokenizer.encode(parts.heldOut.text), length: length)
  }

  /// The mean cross-entropy of `model` in nats a character, over the first held-out windows of 128 characters.
  public func heldOutLoss(of model: GPT<Float>, windows count: Int = 96) -> Double {
    var sum = 0.0
    for start in stride(from: 0, to: count, by: 16) {
      let batch = heldOut.consecutive(start..<min(start + 16, count))
      sum += Double(crossEntropy(model(batch.inputs), labels: batch.targets, reduction: .sum).scalar)
    }
    return sum / Double(count * heldOut.length)
  }

  /// Random windows of the training text to calibrate on, each of shape [1, 128].
  public func calibration(windows count: Int, seed: UInt64) -> [Tensor<Int>] {
    (0..<count).map { train.batch(at: $0, size: 1, random: RandomStream(seed: seed)).inputs }
  }

  /// `model` after some steps of AdamW on random batches of 16 training windows.
  ///
  /// - Parameters:
  ///   - isTrainable: which parameters are learned, by name.
  ///   - rate: the learning rate.
  public func fineTuned(
    _ model: GPT<Float>, steps: Int, rate: Double = 3e-4, seed: UInt64,
    where isTrainable: (String) -> Bool = { _ in true }
  ) -> GPT<Float> {
    fineTuned(model, steps: steps, rate: rate, seed: seed, where: isTrainable, afterStep: { _, _ in })
  }

  /// The same with a look at the model after each step, counted from zero.
  public func fineTuned(
    _ model: GPT<Float>, steps: Int, rate: Double = 3e-4, seed: UInt64, where isTrainable: (String) -> Bool,
    afterStep: (Int, GPT<Float>) throws -> Void
  ) rethrows -> GPT<Float> {
    var model = model
    var optimizer = AdamW<Float>(learningRate: rate)
    try LanguageTraining(steps: steps, random: RandomStream(seed: seed)).run(
      &model, optimizer: &optimizer, on: train, where: isTrainable, beforeForward: { _, _ in },
      afterGradient: { _, _ in }, afterStep: afterStep, scores: { $0($1, in: $2) })
    return model
  }
}
