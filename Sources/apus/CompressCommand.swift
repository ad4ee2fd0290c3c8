import ArgumentParser
import CatalogueCore
import Compression
import FileFormats
import Jobs
import Tensors

struct CompressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compress", abstract: "Make a checkpoint smaller: replace its matrices by low-rank factors.",
    usage: """
      apus compress <file> --method <id> (--ratio <r> | --rank <k> | --error <e>) -o <out> [--dense]
                   [--include <pattern>] [--exclude <pattern>] [--embeddings] [--report <dir>] [--json]
                   [--calibration <stats>] [--text <file>] [--tokens <n>] [--tokenizer <dir>]
      """,
    discussion: """
      Three methods look at the matrices alone: svd (the same share of the rank for each), welore (a rank for each, from \
      all spectra) and concat-svd (matrices that can share a basis do). Four look at what the network does with a text, and \
      take a language model and --ratio: whitened-svd (the layers' inputs count), fwsvd (weights count by the gradients of the loss), saes-svd (errors that add up \
      from layer to layer are made good) and cospadi (sparse combinations of atoms). Their statistics come from a file of \
      `apus calibrate`, or are gathered on --text. The output is a .safetensors file in which a compressed tensor \
      NAME stands as NAME.left and NAME.right, whose product it is, and the metadata says so. For example:

        apus compress model.safetensors --method welore --ratio 0.5 -o small.safetensors
        apus compress minilm --method saes-svd --ratio 0.3 --text texts.txt -o small.safetensors
      """)

  @Argument(help: "The checkpoint: .safetensors, *.index.json, or a folder.")
  var file: String

  @Option(
    help: ArgumentHelp("How: svd, welore, concat-svd, whitened-svd, fwsvd, saes-svd or cospadi.", valueName: "id"))
  var method: String

  @Option(help: ArgumentHelp("Keep this fraction of the parameters of the chosen matrices.", valueName: "r"))
  var ratio: Double?

  @Option(help: ArgumentHelp("Keep this rank.", valueName: "k"))
  var rank: Int?

  @Option(help: ArgumentHelp("Lose at most this much of each matrix, in the Frobenius norm.", valueName: "e"))
  var error: Double?

  @Option(name: [.short, .long], help: ArgumentHelp("The new checkpoint.", valueName: "out"))
  var output: String

  @Flag(help: "Multiply the factors out again, under the original names, for other tools to load.")
  var dense = false

  @Option(help: ArgumentHelp("Only tensors whose names match, with * and ?; may be repeated.", valueName: "pattern"))
  var include: [String] = []

  @Option(help: ArgumentHelp("Not these tensors; may be repeated.", valueName: "pattern"))
  var exclude: [String] = []

  @Option(help: ArgumentHelp("Statistics that `apus calibrate` gathered.", valueName: "stats"))
  var calibration: String?

  @OptionGroup var source: TextOptions

  @Option(help: ArgumentHelp("Tokens of the text that a method looks at.", valueName: "n"))
  var tokens = 16_384

  @Flag(help: "Embeddings and the head too.")
  var embeddings = false

  @OptionGroup var results: ResultOptions

  func run() throws {
    if NetworkMethods.ids.contains(method), !CheckpointMethods.ids.contains(method) { return try compressNetwork() }
    guard CheckpointMethods.ids.contains(method) else {
      throw UsageError(noSuch: "way '\(method)' to compress a checkpoint", method, among: NetworkMethods.ids)
    }
    if calibration != nil || source.text != nil {
      throw UsageError("--calibration and --text mean nothing to '\(method)', which looks at the matrices alone")
    }
    let job = CheckpointCompressionJob(
      method: method, compressor: try CheckpointMethods.compressor(method), budget: try budget(),
      selection: MatrixSelection(included: include, excluded: exclude, includesEmbeddings: embeddings), isDense: dense)
    let page = try results.page()
    let result = try job.run(
      FactoredCheckpoint(file), to: output, progress: ProgressLine.shared.start("compress \(method)"))
    try show(result.section, result.json, seconds: result.seconds, to: page)
  }

  private func show(
    _ section: Report.Section, _ json: JSONValue, seconds: Double, warnings: [String] = [], to page: ReportTarget?
  ) throws {
    try results.show(
      .init(
        title: "Compression of \(file)", subtitle: "By \(method), to \(output).", sections: [section], json: json,
        seconds: seconds, warnings: warnings, output: output), to: page)
  }

  /// By a method that looks at what the network does with a text.
  private func compressNetwork() throws {
    guard let ratio, rank == nil, error == nil, !embeddings else {
      throw UsageError("'\(method)' takes --ratio alone, for example --ratio 0.5, and no --embeddings")
    }
    try CompressionBudget.keepingParameters(ratio).validate()
    let page = try results.page()
    let job = ModelCompressionJob(method: method, ratio: ratio, included: include, excluded: exclude)
    let model = try source.model(file, original: nil)
    if calibration != nil, source.text == nil, try job.needsText {
      throw UsageError("'\(method)' sends a text through the network: name it with --text, beside --calibration")
    }
    let text = try source.calibrationText()
    let statistics =
      try calibration.map { try CalibrationFile(contentsOf: $0) }
      ?? job.calibration.map { gathering in
        var gathering = gathering
        gathering.tokens = tokens
        return try gathering.run(
          model, on: text, named: source.name, progress: ProgressLine.shared.start("calibrate"))
      }
    let result = try job.run(
      model, calibration: statistics, text: text, tokens: tokens,
      progress: ProgressLine.shared.start("compress \(method)"))
    try result.save(to: output, replacing: file, isDense: dense)
    try show(result.section, result.json, seconds: result.seconds, warnings: result.warnings, to: page)
  }

  private func budget() throws -> CompressionBudget {
    let budgets = [
      ratio.map(CompressionBudget.keepingParameters), rank.map(CompressionBudget.rank),
      error.map(CompressionBudget.relativeError),
    ].compactMap(\.self)
    guard let budget = budgets.first, budgets.count == 1 else {
      throw UsageError("give one of --ratio, --rank and --error, for example --ratio 0.5")
    }
    try budget.validate()
    return budget
  }
}
