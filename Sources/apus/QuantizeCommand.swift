import ArgumentParser
import CatalogueCore
import Compression
import FileFormats
import Jobs

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Round a checkpoint's matrices to a few bits, and repair what that breaks.",
    usage: """
      apus quantize <checkpoint> --format <name> [--repair qera|loftq --rank <k>] -o <out> [--dense]
                   [--calibration <stats> | --text <file> --tokens <n>] [--tokenizer <dir>]
                   [--include <pattern>] [--exclude <pattern>] [--embeddings] [--report <dir>] [--json]
      """,
    discussion: """
      Formats: rf8 (the 8-bit float that suits each matrix), int8, nf4, int4, nf3, nf2, mxint4, mxint8. With --repair qera a \
      low-rank term keeps the outputs of each layer, for which the inputs must be known: statistics of `apus calibrate`, or \
      a text. With --repair loftq it keeps the weights themselves, and nothing else is needed. The output holds packed codes, \
      which `evaluate`, `generate`, `embed`, `calibrate` and `compare` read; --dense writes rounded numbers for all other \
      commands and tools. For example:

        apus quantize model.safetensors --format int8 -o small.safetensors
        apus quantize minilm --format nf4 --repair qera --rank 16 --text texts.txt -o small.safetensors
        apus quantize model.safetensors --format nf4 --repair loftq --rank 16 -o small.safetensors
      """)

  @Argument(help: "The checkpoint: .safetensors, *.index.json, or a folder.")
  var checkpoint: String

  @Option(help: ArgumentHelp("How weights are rounded.", valueName: "name"))
  var format: String

  @Option(help: ArgumentHelp("What makes up for it: qera, loftq or none.", valueName: "how"))
  var repair = "none"

  @Option(help: ArgumentHelp("The rank of the repair.", valueName: "k"))
  var rank = 16

  @Option(name: [.short, .long], help: ArgumentHelp("The new checkpoint.", valueName: "out"))
  var output: String

  @Flag(help: "Write rounded numbers under the original names, for other tools to load.")
  var dense = false

  @Option(help: ArgumentHelp("Statistics that `apus calibrate` gathered.", valueName: "stats"))
  var calibration: String?

  @OptionGroup var source: TextOptions

  @Option(help: ArgumentHelp("Tokens of the text that are looked at.", valueName: "n"))
  var tokens = 16_384

  @Option(help: ArgumentHelp("Only tensors whose names match, with * and ?; may be repeated.", valueName: "pattern"))
  var include: [String] = []

  @Option(help: ArgumentHelp("Not these tensors; may be repeated.", valueName: "pattern"))
  var exclude: [String] = []

  @Flag(help: "Embeddings and the head too.")
  var embeddings = false

  @OptionGroup var results: ResultOptions

  func run() throws {
    _ = try WeightFormats.format(format)
    let method = try repairMethod()
    let page = try results.page()
    let job = CheckpointQuantizationJob(
      format: format, repair: method,
      selection: MatrixSelection(included: include, excluded: exclude, includesEmbeddings: embeddings), isDense: dense)
    let result = try job.run(
      FactoredCheckpoint(checkpoint), to: output, calibration: statistics(isNeeded: method?.looksAtInputs == true),
      progress: ProgressLine.shared.start("quantize \(format)"))
    try results.show(
      .init(
        title: "Quantization of \(checkpoint)", subtitle: "To \(format), in \(output).", sections: [result.section],
        json: result.json, seconds: result.seconds, warnings: result.warnings, output: output), to: page)
  }

  private func repairMethod() throws -> QERA? {
    guard rank >= 1 else { throw UsageError("--rank \(rank) must be at least 1") }
    switch repair {
    case "none": return nil
    case "qera": return QERA(rank: rank)
    case "loftq": return QERA.loftQ(rank: rank)
    default: throw UsageError("--repair '\(repair)' must be qera, loftq or none")
    }
  }

  private func statistics(isNeeded: Bool) throws -> CalibrationFile? {
    if let calibration {
      let file = try CalibrationFile(contentsOf: calibration)
      try file.requireStatistics(of: source.model(checkpoint, original: nil))
      return file
    }
    guard isNeeded || source.text != nil else { return nil }
    return try CalibrationJob(tokens: tokens).run(
      source.model(checkpoint, original: nil), on: source.calibrationText(), named: source.name,
      progress: ProgressLine.shared.start("calibrate"))
  }
}
