import ArgumentParser
import Catalogue
import CatalogueCore
import Compression
import Datasets
import FileFormats
import Jobs
import Tensors

struct TourCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tour", abstract: "Inspect a checkpoint, compress it in every way, and check the claims: one report.",
    usage: "apus tour <file> --report <dir> [--ratio <r>]",
    discussion: """
      The compressed checkpoints and report.html are written to the folder. For example:

        apus tour model.safetensors --report out
      """)

  @Argument(help: "The checkpoint: .safetensors, *.index.json, or a folder.")
  var file: String

  @Option(help: ArgumentHelp("The folder that everything is written to.", valueName: "dir"))
  var report: String

  @Option(help: ArgumentHelp("Keep this fraction of the parameters of the matrices.", valueName: "r"))
  var ratio = 0.6

  /// What a checkpoint is inspected and compressed by; `apus reproduce --all` checks everything.
  private static let claims = ["weibull", "welore", "concat-svd", "fwsvd", "saes-svd", "qera", "cospadi"]

  /// Every method on the model that the checkpoint holds, measured; nothing for a checkpoint of another kind.
  private func frontier() throws -> Frontier? {
    let model: TextModel
    do {
      model = try TextModel(file)
    } catch {
      Console.print("\(file): no language model, so that methods are not compared on its outputs (\(error))")
      return nil
    }
    Console.print("every method on this model, measured on the bundled plays of Shakespeare")
    var job = FrontierJob()
    job.ratios = [0.5]
    job.tokens = 4_096
    job.evaluator = ModelEvaluator(tokens: 8_192, sentences: 256)
    let parts = Datasets.shakespearePlays().split(heldOut: 0.1)
    return try job.run(
      model, calibration: parts.train.text, heldOut: parts.heldOut.text, named: "the bundled plays of Shakespeare",
      progress: ProgressLine.shared.start("frontier"))
  }

  func run() throws {
    let start = ContinuousClock.now
    try CompressionBudget.keepingParameters(ratio).validate()
    let input = try FactoredCheckpoint(file)
    try input.requireNumbers()
    let reportTarget = try ReportTarget(folder: report)
    Console.print("\(file): inspecting")
    let inspection = try CheckpointInspector().inspect(
      input.checkpoint, progress: ProgressLine.shared.start("inspect"))
    var sections = inspection.sections
    Console.print([.facts(inspection.facts), .table(inspection.roleTable)])

    var summary = Table(
      "Ways to keep \(ratio) of the parameters",
      columns: ["method", "kept", "relative error", "bytes after", "seconds"],
      caption: "Over the matrices of the layers, without embeddings. Lower errors are better.")
    var compressions: [Report.Section] = []
    try reportTarget.makeFolder()
    for id in CheckpointMethods.ids {
      Console.print("compressing by \(id)")
      let job = CheckpointCompressionJob(
        method: id, compressor: try CheckpointMethods.compressor(id), budget: .keepingParameters(ratio))
      let result = try job.run(
        input, to: "\(report)/\(id).safetensors", progress: ProgressLine.shared.start("compress \(id)"))
      summary.add([
        id, result.plan.keptFraction, result.totalRelativeError, result.bytesAfter,
        (result.seconds * 100).rounded() / 100,
      ])
      compressions.append(result.section)
    }
    let comparison = Report.Section(id: "compression", title: "Compressed in every way", blocks: [.table(summary)])
    Console.print([comparison])
    sections += [comparison] + compressions

    if let frontier = try frontier() {
      sections.append(frontier.section)
      Console.print([frontier.summary])
    }

    var failed: [String] = []
    for method in Catalogue.methods where Self.claims.contains(method.card.id) {
      let card = method.card
      let settings = ClaimSettings(progress: ProgressLine.shared.start("reproduce \(card.id)"))
      let reproduction = try Reproduction(of: method, settings)
      Console.print("claim of \(card.id): \(reproduction.passed ? "holds" : "FAILS")")
      if !reproduction.passed { failed.append(card.id) }
      sections.append(Report.Section(reproduction, card))
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    try reportTarget.write(
      Report(
        title: "A tour of \(file)",
        subtitle:
          "What is in the checkpoint, what three ways of compressing it cost, and whether the papers' claims hold.",
        sections: sections, provenance: Provenance.facts(seconds: seconds, seed: ClaimSettings().seed)))
    Console.print("report: \(reportTarget.path)")
    guard failed.isEmpty else { throw ExitCode(1) }
  }
}
