import CatalogueCore
import Datasets
import Networks
import Tensors
import Training

extension TrainRunner {
  /// Windows of the held-out text that are looked at during training, and at its end.
  private static let watchedWindows = 96
  private static let finalWindows = 1_024

  /// Trains a decoder in LLaMA's layout on a text.
  func trainLanguageModel(_ parts: TextParts) throws -> Outcome {
    let configuration = settings.decoder(vocabulary: parts.tokenizer.vocabularyCount)
    let perToken = settings.layers * (8 * settings.width + 3 * settings.feedForward) + 2 * configuration.vocabulary
    try requireMemory(
      parameters: configuration.parameterCount,
      activations: Double(settings.batch) * Double(settings.context) * Double(perToken))
    try parts.saveTokenizer(in: folder.path)
    var details = TrainDetails(model: "gpt", classNames: [])
    details.decoder = configuration
    var random = weightStream
    let model = try GPT<Float>(configuration, random: &random)
    let stream = batchStream
    func measure(_ model: GPT<Float>, _ windows: TokenWindows?, _ count: Int) -> Evaluation? {
      windows.map { Evaluation.ofLanguageModel(on: $0, count: count) { model($0) } }
    }
    let watch: ((GPT<Float>) throws -> Evaluation)? =
      parts.validation.map { windows in
        { model in Evaluation.ofLanguageModel(on: windows, count: Self.watchedWindows) { model($0) } }
      }
    let (trained, record) = try fit(model, metadata: configuration.metadata, evaluate: watch) { model, moment in
      let batch = parts.train.batch(at: moment.batch, size: settings.batch, random: stream)
      return crossEntropy(model(batch.inputs, in: moment.pass), labels: batch.targets, smoothing: settings.smoothing)
    }
    var outcome = Outcome(
      task: "the next of \(configuration.vocabulary) tokens", record: record,
      parameterCount: trained.parameterCount, details: details)
    // More windows than were watched, for a number that can be relied on.
    outcome.validation = measure(trained, parts.validation, Self.finalWindows)
    outcome.validationCount = min(Self.finalWindows, parts.validation?.consecutiveCount ?? 0) * settings.context
    outcome.test = measure(trained, parts.test, Self.finalWindows)
    outcome.testCount = min(Self.finalWindows, parts.test?.consecutiveCount ?? 0) * settings.context
    return outcome
  }
}
