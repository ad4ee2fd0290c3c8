import ArgumentParser
import CatalogueCore
import FileFormats
import Jobs

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Show how two checkpoints differ, tensor by tensor.",
    usage: "apus compare <first> <second> [--tolerance <t>] [--json]",
    discussion: """
      Compared are the weights that the files stand for: factors that `apus compress` wrote are multiplied out, codes of \
      `apus quantize` are turned into numbers. The exit code is 1 when a tensor is missing, has another \
      shape, or differs by more than the tolerance. For example:

        apus compare model.safetensors small.safetensors --tolerance 0.2
      """)

  @Argument(help: "A checkpoint: .safetensors, *.index.json, or a folder.")
  var first: String

  @Argument(help: "Another one.")
  var second: String

  @Option(help: "The relative error, in the Frobenius norm, up to which two tensors agree.")
  var tolerance = 0.0

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let comparison = try CheckpointComparer(tolerance: tolerance).compare(
      FactoredCheckpoint(first), FactoredCheckpoint(second), progress: ProgressLine.shared.start("compare"))
    if json {
      Console.print(comparison.json.text)
    } else {
      var blocks: [Report.Block] = [.facts(comparison.facts)]
      if !comparison.table.rows.isEmpty { blocks.append(.table(comparison.table)) }
      Console.print(blocks)
    }
    guard comparison.agrees else { throw ExitCode(1) }
  }
}
