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

  @OptionGroup var results: ResultOptions

  func run() throws {
    let page = try results.page()
    let start = ContinuousClock.now
    let inspection = try CheckpointInspector(includesSpectra: !quick).inspect(
      Checkpoint(file), progress: ProgressLine.shared.start("inspect"))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    try results.show(
      .init(
        title: "Inspection of \(file)", subtitle: "Sizes, norms, spectra and the distribution of weights.",
        sections: inspection.sections, json: inspection.json, seconds: seconds), to: page)
  }
}
