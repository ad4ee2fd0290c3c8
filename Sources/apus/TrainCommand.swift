import ArgumentParser
import CatalogueCore
import Datasets
import FileFormats
import Foundation
import Training

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a network on shipped or your own data.",
    usage: "apus train --data <name|file[,labels]> -o <dir> [--model <m>] [--optimizer <o>] [--steps <n>] ... [--json]",
    discussion: """
      The data is digits, mnist, iris, wine, breast-cancer, diabetes, shakespeare or shakespeare-plays; or a table (.npy, \
      .csv, .tsv) with the labels in its last column or in a second file; or a text (.txt). For example:

        apus train --data digits -o run
        apus train --data mnist --model lenet --optimizer muon --epochs 10 -o run
        apus train --data features.npy,labels.npy --hidden 128,64 --patience 5 -o run
        apus train --data shakespeare-plays --steps 900 -o run

      The folder gets model.safetensors, config.json, log.jsonl, report.html, and a checkpoint: a run that was stopped, by \
      Ctrl-C or otherwise, goes on exactly as it would have with

        apus train --resume -o run
      """)

  @Option(help: ArgumentHelp("What is learned: a name, a file, or FILE,LABELS.", valueName: "name|file"))
  var data: String?

  @Option(name: [.short, .long], help: ArgumentHelp("The folder of the run.", valueName: "dir"))
  var output: String

  @Flag(help: "Continue the run in the folder, with its settings.")
  var resume = false

  @OptionGroup var options: TrainOptions

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let start = ContinuousClock.now
    guard !output.isEmpty else { throw UsageError("-o needs a folder") }
    var (settings, data, stored) = try settingsAndData()
    try settings.check(against: data)
    try options.requireEffect(on: settings, data)
    if !resume, let doubt = settings.labels == .automatic ? data.doubt : nil {
      Console.complain("\(settings.data): \(doubt)")
    }
    let reportTarget = try ReportTarget(folder: output)
    let folder = try TrainingFolder(output)
    if !resume, folder.hasCheckpoint {
      throw UsageError("\(output): there is a run in this folder; continue it with --resume, or take another folder")
    }
    let progress = ProgressLine.shared.start("train")
    let parts = try TrainParts(data, settings, progress: progress)
    if !resume || options.steps != nil || options.epochs != nil { try settings.resolve(examples: parts.trainingCount) }
    if let stored, let (name, earlier, now) = try settings.difference(from: stored.settings) {
      throw ResumeError.otherSetting(
        path: TrainConfiguration.path(in: output), name: name, found: earlier, wanted: now)
    }
    // Before the first step: a run that is killed goes on with the settings that it was begun, or resumed, with.
    try TrainConfiguration(version: Apus.version, settings: settings, details: stored?.details).write(to: output)
    let runner = TrainRunner(settings: settings, folder: folder, progress: progress)
    let outcome: TrainRunner.Outcome
    do {
      outcome = try runner.run(on: parts)
    } catch is CancellationError {
      let state = folder.hasCheckpoint ? "what was done is saved; go on with" : "nothing was done yet; begin again with"
      Console.complain("interrupted; \(state) `apus train --resume -o \(output)`")
      throw ExitCode(2)
    }
    try TrainConfiguration(version: Apus.version, settings: settings, details: outcome.details).write(to: output)
    let summary = TrainSummary(
      settings: settings, outcome: outcome, folder: output, seconds: (ContinuousClock.now - start) / .seconds(1))
    try reportTarget.write(summary.report)
    if json { return Console.print(summary.json.text) }
    Console.print([summary.textSection])
    Console.print("written: \(output)/model.safetensors, config.json, log.jsonl, report.html")
  }

  /// What the person said, on top of the defaults or of what the folder's run was begun with.
  private func settingsAndData() throws -> (TrainSettings, TrainData, stored: TrainConfiguration?) {
    if resume {
      let stored = try TrainConfiguration.read(from: output)
      var settings = stored.settings
      if let data { settings.data = data }
      try options.apply(to: &settings)
      return (settings, try TrainData(settings.data, labels: settings.labels), stored)
    }
    guard let data else { throw UsageError("what shall be learned? give --data, for example --data digits") }
    if options.regression, options.classes { throw UsageError("give either --regression or --classes, not both") }
    let labels = options.regression ? LabelKind.targets : options.classes ? .classes : .automatic
    let content = try TrainData(data, labels: labels)
    let model = try options.model.map { try TrainOptions.choice($0, of: "--model", among: TrainSettings.models) }
    var settings = try TrainSettings(data: data, content: content, model: model)
    try options.apply(to: &settings)
    return (settings, content, nil)
  }
}
