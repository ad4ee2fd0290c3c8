import ArgumentParser
import CatalogueCore
import Jobs

struct PruneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune", abstract: "Set weights or hidden units of a language model aside.",
    usage: """
      apus prune <checkpoint> --method <id> --sparsity <s> -o <out> [--text <file>] [--tokens <n>] [--tokenizer <dir>]
                [--include <pattern>] [--exclude <pattern>] [--seed <n>] [--report <dir>] [--json]
      """,
    discussion: """
      The methods: magnitude and random (single weights, by size or at random), m-fac (single weights, by what their loss \
      costs according to the inverse Fisher matrix; those that stay make up for it) and modhifi (whole hidden units of a \
      decoder, which becomes smaller and faster). The last two look at a text. For example:

        apus prune run --method m-fac --sparsity 0.5 --text texts.txt -o sparse.safetensors
        apus evaluate sparse.safetensors --against run
      """)

  @Argument(help: "The checkpoint: a folder or a .safetensors file.")
  var checkpoint: String

  @Option(help: ArgumentHelp("How: magnitude, random, m-fac or modhifi.", valueName: "id"))
  var method: String

  @Option(help: ArgumentHelp("The share that goes.", valueName: "s"))
  var sparsity: Double

  @Option(name: [.short, .long], help: ArgumentHelp("The new checkpoint.", valueName: "out"))
  var output: String

  @OptionGroup var source: TextOptions

  @Option(help: ArgumentHelp("Tokens of the text that a method looks at.", valueName: "n"))
  var tokens = 16_384

  @Option(help: ArgumentHelp("Only layers whose names match, with * and ?; may be repeated.", valueName: "pattern"))
  var include: [String] = []

  @Option(help: ArgumentHelp("Not these layers; may be repeated.", valueName: "pattern"))
  var exclude: [String] = []

  @Option(help: ArgumentHelp("The seed of what is random.", valueName: "n"))
  var seed: UInt64 = 1

  @OptionGroup var results: ResultOptions

  func run() throws {
    var job = ModelPruningJob(method: method, sparsity: sparsity)
    (job.included, job.excluded, job.tokens, job.seed) = (include, exclude, tokens, seed)
    let page = try results.page()
    let result = try job.run(
      source.model(checkpoint, original: nil), text: job.needsText ? source.calibrationText() : nil,
      progress: ProgressLine.shared.start("prune \(method)"))
    try result.save(to: output, replacing: checkpoint)
    try results.show(
      .init(
        title: "Pruning of \(checkpoint)", subtitle: "By \(method), to \(output).", sections: [result.section],
        json: result.json, seconds: result.seconds, output: output), to: page)
  }
}
