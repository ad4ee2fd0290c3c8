import ArgumentParser
import CatalogueCore
import Datasets
import Jobs

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure a language model on a text, alone or beside the one it was made from.",
    usage: """
      apus evaluate <checkpoint> [--against <original>] [--text <file>] [--tokenizer <dir>]
                   [--tokens <n>] [--sentences <n>] [--report <dir>] [--json]
      """,
    discussion: """
      A decoder: perplexity, bits a byte, and how near its predictions are to the original's. An encoder: the cosine of \
      its vectors to the original's, how many of the ten nearest sentences stay, and a linear probe. Both: parameters, \
      bytes, operations, tokens a second. Without --text the bundled plays of Shakespeare are read. For example:

        apus compress minilm --method saes-svd --ratio 0.3 --text texts.txt -o small.safetensors
        apus evaluate small.safetensors --against minilm --text held-out.txt
      """)

  @Argument(help: "The checkpoint: a folder or a .safetensors file, factors included.")
  var checkpoint: String

  @Option(help: ArgumentHelp("The checkpoint that it was made from.", valueName: "original"))
  var against: String?

  @OptionGroup var source: TextOptions

  @Option(help: ArgumentHelp("Tokens that a decoder predicts.", valueName: "n"))
  var tokens = 16_384

  @Option(help: ArgumentHelp("Sentences that an encoder gives vectors to.", valueName: "n"))
  var sentences = 512

  @OptionGroup var results: ResultOptions

  func run() throws {
    let start = ContinuousClock.now
    let page = try results.page()
    let model = try source.model(checkpoint, original: against)
    let original = try against.map { try source.model($0, original: nil) }
    let result = try ModelEvaluator(tokens: tokens, sentences: sentences).evaluate(
      model, against: original, on: source.heldOutText(), progress: ProgressLine.shared.start("evaluate"))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    try results.show(
      .init(
        title: "Evaluation of \(checkpoint)", subtitle: "On \(source.name).", sections: [result.section],
        json: result.json, seconds: seconds), to: page)
  }
}

/// Where the text comes from that a model is calibrated or measured on, and how it becomes tokens.
struct TextOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The text, in UTF-8; by default the bundled plays of Shakespeare.", valueName: "file"))
  var text: String?

  @Option(
    help: ArgumentHelp(
      "The folder of the tokenizer and config.json, if they are not beside the checkpoint.", valueName: "dir"))
  var tokenizer: String?

  /// The text by name, for reports.
  var name: String { text ?? "the bundled plays of Shakespeare" }

  private func corpus() throws -> TextCorpus {
    try text.map { try TextCorpus(contentsOf: $0) } ?? Datasets.shakespearePlays()
  }

  /// What measurements are taken on: all of a person's text, the last tenth of the bundled one.
  func heldOutText() throws -> String {
    text == nil ? Datasets.shakespearePlays().split(heldOut: 0.1).heldOut.text : try corpus().text
  }

  /// What statistics are gathered on: all of a person's text, the first nine tenths of the bundled one.
  func calibrationText() throws -> String {
    text == nil ? Datasets.shakespearePlays().split(heldOut: 0.1).train.text : try corpus().text
  }

  /// A text to gather statistics on and one to measure on: the two parts of one text, or two texts.
  func parts(heldOut path: String?) throws -> (calibration: String, heldOut: String) {
    if let path { return (try calibrationText(), try TextCorpus(contentsOf: path).text) }
    let parts = try corpus().split(heldOut: 0.1)
    return (parts.train.text, parts.heldOut.text)
  }

  /// A model; its tokenizer is searched in the folder named, beside it, and beside the model it was made from.
  func model(_ path: String, original: String?) throws -> TextModel {
    if let tokenizer { return try TextModel(path, tokenizer: tokenizer) }
    do {
      return try TextModel(path)
    } catch {
      guard let original else { throw error }
      return try TextModel(path, tokenizer: TextModel.folder(of: original))
    }
  }
}
