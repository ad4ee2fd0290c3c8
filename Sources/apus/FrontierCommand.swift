import ArgumentParser
import CatalogueCore
import FileFormats
import Jobs
import Tensors

struct FrontierCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frontier", abstract: "Compress a model by every method at several sizes: what does each size cost?",
    usage: """
      apus frontier <checkpoint> [--ratios 0.2,0.3,0.5] [--methods all] [--formats all] [--text <file>]
                   [--held-out <file>] [--tokens <n>] [--measured-tokens <n>] [--sentences <n>] [--tolerance <t>]
                   [--tokenizer <dir>] [--report <dir>] [--json]
      """,
    discussion: """
      One page with the frontier of size and quality, the speed, ranks and errors of all layers, whether the papers' order of \
      the methods is found, and a recommendation: the \
      smallest model that loses no more than --tolerance (nats a token for a decoder, one less the mean cosine for an \
      encoder). Statistics are gathered on the first nine tenths of the text and results measured on the last, unless \
      --held-out names another text. For example:

        apus frontier minilm --ratios 0.2,0.3 --methods all --text texts.txt --report frontier
      """)

  @Argument(help: "The checkpoint: a folder or a .safetensors file.")
  var checkpoint: String

  @Option(help: ArgumentHelp("Shares of the layers' numbers to keep, with commas.", valueName: "list"))
  var ratios = "0.2,0.3,0.5"

  @Option(help: ArgumentHelp("Methods with commas, or all.", valueName: "list"))
  var methods = "all"

  @Option(help: ArgumentHelp("Formats that weights are rounded to, with commas; all, or none.", valueName: "list"))
  var formats = "all"

  @OptionGroup var source: TextOptions

  @Option(help: ArgumentHelp("The text that results are measured on.", valueName: "file"))
  var heldOut: String?

  @Option(help: ArgumentHelp("Tokens that statistics are gathered on.", valueName: "n"))
  var tokens = 16_384

  @Option(help: ArgumentHelp("Tokens that a decoder is measured on.", valueName: "n"))
  var measuredTokens = 12_288

  @Option(help: ArgumentHelp("Sentences that an encoder is measured on.", valueName: "n"))
  var sentences = 256

  @Option(help: ArgumentHelp("The damage that the recommendation may do.", valueName: "t"))
  var tolerance = 0.05

  @OptionGroup var results: ResultOptions

  func run() throws {
    let page = try results.page()
    var job = FrontierJob()
    job.ratios = try ratios.split(separator: ",").map { text in
      guard let ratio = Double(text.trimmingCharacters(in: .whitespaces)), ratio > 0, ratio < 1 else {
        throw UsageError("--ratios: '\(text)' is no fraction above 0 and below 1")
      }
      return ratio
    }
    guard !job.ratios.isEmpty else { throw UsageError("--ratios needs at least one, for example --ratios 0.2,0.3") }
    if methods != "all" { job.methods = methods == "none" ? [] : methods.split(separator: ",").map(String.init) }
    if formats != "all" { job.formats = formats == "none" ? [] : formats.split(separator: ",").map(String.init) }
    guard !job.methods.isEmpty || !job.formats.isEmpty else {
      throw UsageError("--methods none and --formats none leave nothing to compare")
    }
    guard tolerance > 0, tolerance.isFinite else { throw UsageError("--tolerance must be a positive number") }
    job.tolerance = tolerance
    job.tokens = tokens
    job.evaluator = ModelEvaluator(tokens: measuredTokens, sentences: sentences)
    let model = try source.model(checkpoint, original: nil)
    let texts = try source.parts(heldOut: heldOut)
    let frontier = try job.run(
      model, calibration: texts.calibration, heldOut: texts.heldOut, named: source.name,
      progress: ProgressLine.shared.start("frontier"))
    try results.show(
      .init(
        title: "The frontier of \(checkpoint)", subtitle: frontier.advice, sections: [frontier.section],
        summary: [frontier.summary], json: frontier.json, seconds: frontier.seconds), to: page)
  }
}
