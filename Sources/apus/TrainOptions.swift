import ArgumentParser
import CatalogueCore

/// What a person can say about a run; what is left out follows the model and the data.
struct TrainOptions: ParsableArguments {
  @Option(help: "What is trained: mlp, lenet, resnet8 or gpt; by default mlp, and gpt for texts.")
  var model: String?

  @Flag(help: "Take the numbers in a file's labels for targets, whole ones too.")
  var regression = false

  @Flag(help: "Take the numbers in a file's labels for classes, whatever they are.")
  var classes = false

  @Option(help: ArgumentHelp("mlp: the widths of the hidden layers.", valueName: "n,n,..."))
  var hidden: String?

  @Option(help: "gpt: the number of layers.")
  var layers: Int?

  @Option(help: "gpt: the width of the layers.")
  var width: Int?

  @Option(help: "gpt: the number of attention heads.")
  var heads: Int?

  @Option(help: "gpt: the tokens that a prediction can see.")
  var context: Int?

  @Option(help: "gpt: characters, bytes, or bpe:N for N byte pairs learned from the text.")
  var tokenizer: String?

  @Option(help: "sgd, adam, adamw, rmsprop, adagrad, lion, signum, ademamix or muon.")
  var optimizer: String?

  @Option(help: ArgumentHelp("The learning rate at its highest.", valueName: "x"))
  var learningRate: Double?

  @Option(help: ArgumentHelp("The weight decay of matrices.", valueName: "x"))
  var weightDecay: Double?

  @Option(help: ArgumentHelp("How many steps.", valueName: "n"))
  var steps: Int?

  @Option(help: ArgumentHelp("How many passes over the data.", valueName: "n"))
  var epochs: Double?

  @Option(help: ArgumentHelp("Examples in a step.", valueName: "n"))
  var batch: Int?

  @Option(help: ArgumentHelp("Average the gradients of so many batches for a step.", valueName: "n"))
  var accumulate: Int?

  @Option(help: "The learning rate over time: constant, cosine, linear, wsd, inverse-sqrt or one-cycle.")
  var schedule: String?

  @Option(help: ArgumentHelp("Steps in which the learning rate rises.", valueName: "n"))
  var warmup: Int?

  @Option(help: ArgumentHelp("The part of the learning rate that is left at the end.", valueName: "x"))
  var floor: Double?

  @Option(help: ArgumentHelp("The largest norm of a gradient.", valueName: "x"))
  var clip: Double?

  @Option(help: ArgumentHelp("Average the weights with this decay, for instance 0.99.", valueName: "x"))
  var average: Double?

  @Option(help: ArgumentHelp("The part of each label that is spread over all classes.", valueName: "x"))
  var smoothing: Double?

  @Option(help: ArgumentHelp("Move images at random by up to so many pixels.", valueName: "n"))
  var shift: Int?

  @Option(help: ArgumentHelp("The fraction of the examples for watching the training.", valueName: "x"))
  var validation: Double?

  @Option(help: ArgumentHelp("The fraction of the examples for the final test.", valueName: "x"))
  var test: Double?

  @Option(help: ArgumentHelp("Stop after so many evaluations without a better one.", valueName: "n"))
  var patience: Int?

  @Option(help: ArgumentHelp("Steps between evaluations.", valueName: "n"))
  var evaluateEvery: Int?

  @Option(help: ArgumentHelp("Steps between checkpoints.", valueName: "n"))
  var checkpointEvery: Int?

  @Option(help: ArgumentHelp("Steps between lines of the log.", valueName: "n"))
  var logEvery: Int?

  @Option(help: ArgumentHelp("The seed of everything random.", valueName: "n"))
  var seed: UInt64?

  @Option(help: "How model.safetensors stores numbers: f32, f16 or bf16.")
  var store: String?

  /// Replaces in `settings` what was said.
  func apply(to settings: inout TrainSettings) throws {
    func set<Value>(_ place: WritableKeyPath<TrainSettings, Value>, _ value: Value?) {
      if let value { settings[keyPath: place] = value }
    }
    if let model { settings.model = try Self.choice(model, of: "--model", among: TrainSettings.models) }
    if let optimizer {
      settings.optimizer = try Self.choice(optimizer, of: "--optimizer", among: TrainChoices.optimizers)
      if learningRate == nil { settings.learningRate = TrainChoices.learningRate(of: settings.optimizer, settings) }
    }
    if let schedule { settings.schedule = try Self.choice(schedule, of: "--schedule", among: TrainChoices.schedules) }
    if let store { settings.storage = try Self.choice(store, of: "--store", among: TrainSettings.storages) }
    if let hidden { settings.hidden = try Self.widths(hidden) }
    if steps != nil, epochs != nil { throw UsageError("give either --steps or --epochs, not both") }
    if let steps { (settings.steps, settings.epochs) = (steps, nil) }
    if let epochs { settings.epochs = epochs }
    if regression { settings.labels = .targets }
    if classes { settings.labels = .classes }
    // The width is checked below; a hidden one that cannot be counted must not stop that.
    if let width { settings.feedForward = (min(max(width, 1), 1 << 16) * 3 + 31) / 32 * 32 }
    set(\.layers, layers)
    set(\.width, width)
    set(\.heads, heads)
    set(\.context, context)
    set(\.tokenizer, tokenizer)
    set(\.learningRate, learningRate)
    set(\.weightDecay, weightDecay)
    set(\.batch, batch)
    set(\.accumulation, accumulate)
    set(\.warmUp, warmup)
    set(\.floor, floor)
    set(\.smoothing, smoothing)
    set(\.shift, shift)
    set(\.validation, validation)
    set(\.test, test)
    set(\.evaluationInterval, evaluateEvery)
    set(\.checkpointInterval, checkpointEvery)
    set(\.logInterval, logEvery)
    set(\.seed, seed)
    if let clip { settings.clip = clip }
    if let average { settings.averageDecay = average }
    if let patience { settings.patience = patience }
    try settings.check()
  }

  static func choice(_ word: String, of option: String, among known: [String]) throws -> String {
    if known.contains(word) { return word }
    throw UsageError(noSuch: "choice '\(word)' of \(option)", word, among: known)
  }

  private static func widths(_ text: String) throws -> [Int] {
    if text == "none" { return [] }
    let widths = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard !widths.contains(nil), widths.allSatisfy({ ($0 ?? 0) > 0 && ($0 ?? 0) < 1 << 20 }) else {
      throw UsageError("--hidden '\(text)' must be widths such as 256,256, or none")
    }
    return widths.compactMap(\.self)
  }
}
