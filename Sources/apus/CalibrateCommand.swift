import ArgumentParser
import CatalogueCore
import FileFormats
import Foundation
import Jobs

struct CalibrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate", abstract: "Gather the statistics of a model's layers on a text, in one pass.",
    usage: """
      apus calibrate <checkpoint> [--text <file>] [--tokens <n>] [--fisher] [--merge <stats>] -o <stats>
                    [--tokenizer <dir>] [--json]
      """,
    discussion: """
      For each linear layer: second moments of its inputs, means and maxima, and with --fisher squared gradients. The file \
      is whole at any time: run an interrupted pass again and it goes on. --merge adds the statistics of other texts, \
      from files that stay as they are; no pass counts twice. Methods of `apus compress` that look at data read it. For example:

        apus calibrate minilm --text texts.txt --tokens 32768 -o minilm.stats
        apus calibrate minilm --text more.txt --merge minilm.stats -o all.stats
        apus compress minilm --method saes-svd --ratio 0.3 --calibration minilm.stats --text texts.txt -o small.safetensors
      """)

  @Argument(help: "The checkpoint: a folder or a .safetensors file.")
  var checkpoint: String

  @OptionGroup var source: TextOptions

  @Option(help: ArgumentHelp("Tokens of the text that are looked at.", valueName: "n"))
  var tokens = 16_384

  @Flag(help: "Squared gradients too, which methods such as fwsvd need.")
  var fisher = false

  @Option(help: ArgumentHelp("Add what another file holds; may be repeated.", valueName: "stats"))
  var merge: [String] = []

  @Option(
    name: [.short, .long], help: ArgumentHelp("Where the statistics go: a safetensors file.", valueName: "stats"))
  var output: String

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let model = try source.model(checkpoint, original: nil)
    let start = ContinuousClock.now
    let file = try CalibrationJob(tokens: tokens, includesFisher: fisher).run(
      model, on: source.calibrationText(), named: source.name, keptIn: output, merging: merge,
      progress: ProgressLine.shared.start("calibrate"))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if json { return Console.print(file.json.text) }
    let facts = file.facts + [Fact("Seconds", (seconds * 100).rounded() / 100)]
    Console.print([.facts(facts)])
    for warning in file.warnings { Console.complain(warning) }
    Console.print("written: \(output)")
  }
}
