import CatalogueCore
import Datasets
import FileFormats
import Networks
import Tensors
import Training

extension TrainRunner {
  /// Windows of the held-out text that are looked at during training, and at its end.
  private static let watchedWindows = 96
  private static let finalWindows = 1_024

  /// Trains a decoder in LLaMA's layout on a text.
  func trainLanguageModel(_ corpus: TextCorpus) throws -> Outcome {
    let (train, heldOut) = corpus.split(heldOut: settings.validation)
    let tokenizer = try makeTokenizer(train: train, all: corpus)
    let trainWindows = try TokenWindows(tokenizer.encode(train.text), length: settings.context)
    let heldOutWindows = try? TokenWindows(tokenizer.encode(heldOut.text), length: settings.context)
    var details = TrainDetails(model: "gpt", classNames: [])
    guard settings.heads > 0, settings.width % settings.heads == 0 else {
      throw UsageError("--width \(settings.width) must be a multiple of --heads \(settings.heads)")
    }
    let configuration = GPTConfiguration(
      vocabulary: tokenizer.vocabularyCount, width: settings.width, layers: settings.layers, heads: settings.heads,
      hidden: settings.feedForward, contextLength: settings.context)
    details.decoder = configuration
    var random = weightStream
    let model = try GPT<Float>(configuration, random: &random)
    let stream = batchStream
    let evaluate = { (model: GPT<Float>, count: Int) -> Evaluation? in
      heldOutWindows.map { Evaluation.ofLanguageModel(on: $0, count: count) { model($0) } }
    }
    let watch: ((GPT<Float>) throws -> Evaluation)? =
      heldOutWindows.map { windows in
        { model in Evaluation.ofLanguageModel(on: windows, count: Self.watchedWindows) { model($0) } }
      }
    let (trained, record) = try fit(model, metadata: configuration.metadata, evaluate: watch) { model, moment in
      let batch = trainWindows.batch(at: moment.batch, size: settings.batch, random: stream)
      return crossEntropy(model(batch.inputs, in: moment.pass), labels: batch.targets, smoothing: settings.smoothing)
    }
    let count = min(Self.finalWindows, heldOutWindows?.consecutiveCount ?? 0)
    return Outcome(
      record: record, parameterCount: trained.parameterCount, test: evaluate(trained, Self.finalWindows),
      testCount: count, details: details)
  }

  /// Makes the tokenizer and saves it beside the model.
  private func makeTokenizer(train: TextCorpus, all: TextCorpus) throws -> any Tokenizer {
    let path = "\(folder.path)/tokenizer.json"
    switch settings.tokenizer {
    case "characters":
      // Of the whole text: a held-out character that never occurred before could not even be asked for.
      let tokenizer = CharacterTokenizer(alphabetOf: all.text)
      guard tokenizer.vocabularyCount <= 4_096 else {
        throw UsageError(
          "the text has \(tokenizer.vocabularyCount) kinds of characters; take --tokenizer bytes or bpe:1024")
      }
      try tokenizer.save(to: path)
      return tokenizer
    case "bytes": return ByteTokenizer()
    default:
      let count = settings.tokenizer.hasPrefix("bpe:") ? Int(settings.tokenizer.dropFirst(4)) : nil
      guard let count, count >= 257, count <= 65_536 else {
        throw UsageError(
          "--tokenizer '\(settings.tokenizer)' must be characters, bytes, or bpe:N with N in 257...65536")
      }
      let tokenizer = try BytePairTokenizer(trainedOn: train.text, vocabulary: count, progress: progress)
      try tokenizer.save(to: path)
      return tokenizer
    }
  }
}
