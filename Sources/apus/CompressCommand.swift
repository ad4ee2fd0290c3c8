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
      """,
    discussion: """
      The methods are svd (the same share of the rank for each matrix), welore (a rank for each matrix, from all spectra) \
      and concat-svd (matrices that can share a basis do). The output is a .safetensors file in which a compressed tensor \
      NAME stands as NAME.left and NAME.right, whose product it is, and the metadata says so. For example:

        apus compress model.safetensors --method welore --ratio 0.5 -o small.safetensors
      """)

  @Argument(help: "The checkpoint: .safetensors, *.index.json, or a folder.")
  var file: String

  @Option(help: ArgumentHelp("How: svd, welore or concat-svd.", valueName: "id"))
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

  @Flag(help: "Embeddings and the head too.")
  var embeddings = false

  @Option(help: ArgumentHelp("Also write report.html, with plots, to this folder.", valueName: "dir"))
  var report: String?

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let job = CheckpointCompressionJob(
      method: method, compressor: try CheckpointMethods.compressor(method), budget: try budget(),
      selection: MatrixSelection(included: include, excluded: exclude, includesEmbeddings: embeddings), isDense: dense)
    let reportTarget = try report.map { try ReportTarget(folder: $0) }
    let result = try job.run(
      FactoredCheckpoint(file), to: output, progress: ProgressLine.shared.start("compress \(method)"))
    try reportTarget?.write(
      Report(
        title: "Compression of \(file)", subtitle: "By \(method), to \(output).", sections: [result.section],
        provenance: Provenance.facts(seconds: result.seconds)))
    if json { return Console.print(result.json.text) }
    Console.print(Report(title: "", sections: [result.section]).text(width: Console.width()))
    for path in [output, reportTarget?.path].compactMap(\.self) { Console.print("written: \(path)") }
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
