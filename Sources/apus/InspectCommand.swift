import ArgumentParser
import CatalogueCore
import FileFormats
import Jobs

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what is in a checkpoint: sizes, norms, ranks, spectra, Weibull shape.",
    usage: "apus inspect <file> [--quick] [--report <dir>] [--json]",
    discussion: """
      The file is a .safetensors file, the index of a sharded checkpoint (*.index.json), or a folder with one of them. \
      For example:

        apus inspect model.safetensors --report out
      """)

  @Argument(help: "The checkpoint.")
  var file: String

  @Flag(help: "Leave out singular values, which take nearly all of the time.")
  var quick = false

  @Option(help: ArgumentHelp("Also write report.html, with plots, to this folder.", valueName: "dir"))
  var report: String?

  @Flag(help: "Print JSON, with all singular values.")
  var json = false

  func run() throws {
    let reportTarget = try report.map { try ReportTarget(folder: $0) }
    let start = ContinuousClock.now
    let inspection = try CheckpointInspector(includesSpectra: !quick).inspect(
      Checkpoint(file), progress: ProgressLine.shared.start("inspect"))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    try reportTarget?.write(
      Report(
        title: "Inspection of \(file)", subtitle: "Sizes, norms, spectra and the distribution of weights.",
        sections: inspection.sections, provenance: Provenance.facts(seconds: seconds)))
    if json { return Console.print(inspection.json.text) }
    Console.print(Report(title: "", sections: inspection.sections).text(width: Console.width()))
    if let path = reportTarget?.path { Console.print("written: \(path)") }
  }
}
