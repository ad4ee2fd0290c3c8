import CatalogueCore
import FileFormats
import Tensors
import Training

/// What a person is told of a run that has ended.
struct TrainSummary {
  let settings: TrainSettings
  let outcome: TrainRunner.Outcome
  let folder: String
  let seconds: Double

  private var record: TrainingRecord { outcome.record }
  private var isText: Bool { settings.model == "gpt" }

  private var facts: [Fact] {
    var facts = [
      Fact("Data", settings.data), Fact("Predicted", outcome.task), Fact("Model", settings.model),
      Fact("Parameters", outcome.parameterCount), Fact("Optimizer", settings.optimizer), Fact("Steps", record.steps),
      Fact("Training loss", record.finalLoss),
    ]
    if settings.patience != nil, let best = record.best { facts.append(Fact("Best step", best.step)) }
    func add(_ name: String, _ evaluation: Evaluation?, _ count: Int) {
      guard let evaluation else { return }
      facts.append(Fact("\(name) \(isText ? "tokens" : "examples")", count))
      facts.append(Fact("\(name) loss\(isText ? " (nats a token)" : "")", evaluation.loss))
      if let accuracy = evaluation.accuracy { facts.append(Fact("\(name) accuracy", accuracy)) }
    }
    add("Validation", outcome.validation, outcome.validationCount)
    add("Test", outcome.test, outcome.testCount)
    facts.append(Fact("Seconds", (seconds * 100).rounded() / 100))
    return facts
  }

  var textSection: Report.Section { Report.Section(id: "", title: "", blocks: [.facts(facts)]) }

  var json: JSONValue {
    func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
    return [
      "data": .string(settings.data), "predicted": .string(outcome.task), "model": .string(settings.model),
      "parameters": .integer(outcome.parameterCount),
      "optimizer": .string(settings.optimizer), "seed": .string("\(settings.seed)"), "steps": .integer(record.steps),
      "stoppedEarly": .boolean(record.stoppedEarly), "trainingLoss": .number(record.finalLoss),
      "validationLoss": number(outcome.validation?.loss),
      "validationAccuracy": number(outcome.validation?.accuracy), "testLoss": number(outcome.test?.loss),
      "testAccuracy": number(outcome.test?.accuracy), "trainingSeconds": .number(record.seconds),
      "seconds": .number(seconds), "path": .string(folder),
    ]
  }

  var report: Report {
    var blocks: [Report.Block] = [.facts(facts)]
    blocks += plots.map { .plot($0) }
    blocks.append(.command(CommandLine.typed))
    return Report(
      title: "Training of \(settings.model) on \(settings.data)",
      subtitle: "How the loss went down, and what the model does on data that it has not seen.",
      sections: [Report.Section(id: "training", title: "Training", blocks: blocks)],
      provenance: Provenance.facts(seconds: seconds, seed: settings.seed))
  }

  private var plots: [Plot] {
    let log = record.log
    let steps = log.map { Double($0.step) }
    let evaluated = log.filter { $0.validation != nil }
    let evaluatedSteps = evaluated.map { Double($0.step) }
    var losses = [Series("training", x: steps, y: log.map(\.loss))]
    if !evaluated.isEmpty {
      let held = evaluated.map { $0.validation?.loss ?? .nan }
      losses.append(Series("validation", x: evaluatedSteps, y: held, .lineAndPoints))
    }
    var plots = [
      Plot(
        "Loss",
        caption: "The mean loss of the batches since the line of the log before, and on data that is not trained on.",
        x: "step", y: isText ? "nats a token" : .logarithmic("loss"), losses)
    ]
    let accuracies = evaluated.compactMap { $0.validation?.accuracy }
    if accuracies.count == evaluated.count, !accuracies.isEmpty {
      plots.append(
        Plot(
          "Accuracy", caption: "The share of the validation examples whose class is found.", x: "step", y: "accuracy",
          [Series("validation", x: evaluatedSteps, y: accuracies, .lineAndPoints)]))
    }
    plots.append(
      Plot(
        "Gradient norm", caption: "Of the last step of each line of the log, before clipping.", x: "step",
        y: .logarithmic("norm"), [Series("", x: steps, y: log.map { $0.gradientNorm ?? .nan })]))
    plots.append(
      Plot(
        "Learning rate", x: "step", y: "rate",
        [Series("", x: steps, y: log.map { $0.rateFactor * settings.learningRate })]))
    if let confusion = outcome.confusion {
      plots.append(
        Plot(
          "Which class is taken for which",
          caption:
            "Rows are the right classes of the test examples, columns the ones found; colours are numbers of examples.",
          x: "found", y: "right", heatMap: confusion))
    }
    return plots
  }
}
