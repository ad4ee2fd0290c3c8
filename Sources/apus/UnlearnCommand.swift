import ArgumentParser
import CatalogueCore
import Compression
import Datasets
import FileFormats
import Foundation
import Jobs
import Networks
import Synchronization
import Tensors

struct UnlearnCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unlearn", abstract: "Make a classifier forget a class, without training it.",
    usage: "apus unlearn <run> --class <c> -o <out> [--method modhifi] [--score <how>] [--target <t>] [--json]",
    discussion: """
      The run is a folder of `apus train` with a classifier (mlp, lenet or resnet8). Inputs of its last layer that speak for \
      the class, and little for the others, are set to zero, more and more of them until the class is hardly given any \
      more. The data of the run are read again for it. For example:

        apus train --data mnist --model lenet -o run
        apus unlearn run --class 3 -o without-3.safetensors
      """)

  enum Score: String, ExpressibleByArgument, CaseIterable { case contribution, difference, ratio }

  @Argument(help: ArgumentHelp("The folder of a run of `apus train`.", valueName: "run"))
  var folder: String

  @Option(name: .customLong("class"), help: ArgumentHelp("The class, by number or by name.", valueName: "c"))
  var label: String

  @Option(name: [.short, .long], help: ArgumentHelp("The new weights: a safetensors file.", valueName: "out"))
  var output: String

  @Option(help: ArgumentHelp("How; there is modhifi.", valueName: "id"))
  var method = "modhifi"

  @Option(help: "How components are compared: contribution, difference or ratio.")
  var score = Score.contribution

  @Option(help: ArgumentHelp("How often the class may still be given to its own examples.", valueName: "t"))
  var target = 0.05

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard method == "modhifi" else { throw UsageError("--method '\(method)' must be modhifi") }
    let stored = try TrainConfiguration.read(from: folder)
    guard let details = stored.details, !details.classNames.isEmpty else {
      throw UsageError("\(folder): this run has no classes to forget, or has not ended")
    }
    let data = try TrainData(stored.settings.data, labels: stored.settings.labels)
    guard case .labelled(let parts) = try TrainParts(data, stored.settings, progress: .silent) else {
      throw UsageError("\(folder): its data have no classes")
    }
    let names = details.classNames
    guard let index = names.firstIndex(of: label) ?? Int(label).flatMap({ names.indices.contains($0) ? $0 : nil })
    else { throw UsageError("--class '\(label)' is none of \(names.joined(separator: ", "))") }
    let (widths, shape) = (details.widths ?? [], details.imageShape ?? [1, 28, 28])
    let (means, deviations) = (details.featureMean ?? [], details.featureDeviation ?? [])
    let features = parts.train.features.count / max(parts.train.count, 1)
    guard
      details.model != "mlp" || (widths.count >= 2 && widths[0] == features && widths[widths.count - 1] == names.count),
      shape.count == 3, (widths + shape).allSatisfy({ 1..<1 << 24 ~= $0 }), means.count == deviations.count,
      means.isEmpty || (details.model == "mlp" ? features % means.count == 0 : means.count == shape[0])
    else { throw UsageError("\(TrainConfiguration.path(in: folder)): its numbers do not fit the model and the data") }
    let job = Forgetting(parts: parts, details: details, index: index, unlearner: unlearner)
    let path = "\(folder)/model.safetensors"
    let result: Forgetting.Result
    var random = RandomStream(seed: 0)
    switch details.model {
    case "mlp":
      let model = MLP<Float>(widths, random: &random)
      result = try job.run(model, from: path, head: "\(2 * (widths.count - 2))", to: output)
    case "lenet":
      let model = LeNet<Float>(channels: shape[0], extent: shape[1], classes: names.count, random: &random)
      result = try job.run(model, from: path, head: "fc3", to: output)
    case "resnet8":
      let model = ResNet<Float>(depth: 8, channels: shape[0], classes: names.count, random: &random)
      result = try job.run(model, from: path, head: "fc", to: output)
    default: throw UsageError("\(folder): a run of '\(details.model)' is no classifier")
    }
    if json { return Console.print(result.json(names[index]).text) }
    Console.print([result.section(names[index])])
    Console.print("written: \(output)")
  }

  private var unlearner: ModHiFiUnlearner {
    ModHiFiUnlearner(score: ModHiFiUnlearner.Score(rawValue: score.rawValue) ?? .contribution, target: target)
  }
}

/// A class, the data, and how it is forgotten.
private struct Forgetting {
  let parts: Split<LabelledData<Float>>
  let details: TrainDetails
  let index: Int
  let unlearner: ModHiFiUnlearner

  struct Result {
    /// Of the test examples of the class, and of the others, the share that is given the right class.
    var forgetBefore: Double, forgetAfter: Double
    var retainBefore: Double, retainAfter: Double
    var removed: Int, components: Int
    var reachedTarget: Bool

    func section(_ name: String) -> Report.Section {
      var table = Table("Right answers on the test part", columns: ["examples", "before", "after"])
      table.add(["of class \(name)", forgetBefore, forgetAfter])
      table.add(["of all others", retainBefore, retainAfter])
      return Report.Section(
        id: "", title: "",
        blocks: [
          .facts([
            Fact("Inputs of the last layer set to zero", "\(removed) of \(components)"),
            Fact("Target reached", reachedTarget ? "yes" : "no"),
          ]), .table(table),
        ])
    }

    func json(_ name: String) -> JSONValue {
      [
        "class": .string(name), "forget_before": .number(forgetBefore), "forget_after": .number(forgetAfter),
        "retain_before": .number(retainBefore), "retain_after": .number(retainAfter), "removed": .integer(removed),
        "components": .integer(components), "reached_target": .boolean(reachedTarget),
      ]
    }
  }

  func run<Model: Layer<Float>>(_ start: Model, from path: String, head name: String, to output: String) throws
    -> Result
  {
    let checkpoint = try Checkpoint(path)
    try FactoredCheckpoint(checkpoint).requireOther(output)
    var model = start
    try model.load(from: checkpoint)
    guard let head = model.linearLayers.first(where: { $0.name == name })?.layer else {
      throw UsageError("\(path): there is no last layer '\(name)'")
    }
    let before = accuracies(of: model)
    func inputs(_ isForgotten: Bool) -> Tensor<Float> {
      let chosen = parts.train.labels.scalars.indices.filter {
        (parts.train.labels[at: $0] == index) == isForgotten
      }
      return headInputs(of: model, name, parts.train.taken(Tensor(Array(chosen.prefix(2_000)))))
    }
    let result = try unlearner.unlearn(index, from: head, forget: inputs(true), retain: inputs(false))
    model.forEachLinear { if $0 == name { $1 = result.head } }
    let after = accuracies(of: model)
    try model.save(to: output, metadata: checkpoint.metadata.merging(["apus.method": "modhifi"]) { $1 })
    return Result(
      forgetBefore: before.forget, forgetAfter: after.forget, retainBefore: before.retain, retainAfter: after.retain,
      removed: result.removed.count, components: head.inputs, reachedTarget: result.reachedTarget)
  }

  /// What goes into the last layer.
  private func headInputs(of model: some Layer<Float>, _ name: String, _ data: LabelledData<Float>) -> Tensor<Float> {
    let seen = Mutex([Tensor<Float>]())
    let tapped = model.tapped { $0 == name ? LinearTap(input: { x in seen.withLock { $0.append(x) } }) : nil }
    forEachBatch(data) { _ = tapped(prepared($0)) }
    return Tensor.concatenated(seen.withLock { $0 }, axis: 0)
  }

  private func accuracies(of model: some Layer<Float>) -> (forget: Double, retain: Double) {
    var right = [0, 0]
    var count = [0, 0]
    forEachBatch(parts.test) { batch in
      let answers = model(prepared(batch)).argmax(axis: 1)
      for (answer, label) in zip(answers.scalars, batch.labels.scalars) {
        let group = label == index ? 0 : 1
        count[group] += 1
        if answer == label { right[group] += 1 }
      }
    }
    return (Double(right[0]) / Double(max(count[0], 1)), Double(right[1]) / Double(max(count[1], 1)))
  }

  private func forEachBatch(_ data: LabelledData<Float>, _ body: (LabelledData<Float>) -> Void) {
    for start in stride(from: 0, to: data.count, by: 250) {
      body(data.taken(Tensor<Int>(start..<min(start + 250, data.count))))
    }
  }

  /// What the model is given for examples: shifted and scaled as in training, as rows or as images.
  private func prepared(_ data: LabelledData<Float>) -> Tensor<Float> {
    let isImageNetwork = details.model != "mlp"
    var x = isImageNetwork ? data.images : data.features.reshaped([data.count, -1])
    guard let mean = details.featureMean, let deviation = details.featureDeviation else { return x }
    // Of images each channel has its own, of rows each feature, or each channel's stretch of them.
    if isImageNetwork {
      let shape = [1, mean.count, 1, 1]
      return (x - Tensor(shape: shape, scalars: mean)) / Tensor(shape: shape, scalars: deviation)
    }
    if mean.count == x.columns { return (x - Tensor(mean)) / Tensor(deviation) }
    x = x.reshaped([data.count, mean.count, -1])
    let shape = [1, mean.count, 1]
    let scaled = (x - Tensor(shape: shape, scalars: mean)) / Tensor(shape: shape, scalars: deviation)
    return scaled.reshaped([data.count, -1])
  }
}
