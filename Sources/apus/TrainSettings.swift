import CatalogueCore
import Datasets
import Foundation
import Networks
import Tensors

/// Everything that decides how a run of `apus train` ends: what its `config.json` keeps for resuming.
struct TrainSettings: Codable, Hashable {
  var data: String
  /// What the numbers that belong to the examples of a file are.
  var labels = LabelKind.automatic
  var model: String
  /// The widths of a perceptron's hidden layers.
  var hidden = [512]
  /// The shape of a language model.
  var layers = 4
  var width = 128
  var heads = 4
  var feedForward = 384
  var context = 128
  var tokenizer = "characters"

  var optimizer = "adamw"
  var learningRate = 2e-3
  var weightDecay = 0.01
  var schedule = "cosine"
  var warmUp = 0
  /// What is left of the learning rate at the end.
  var floor = 0.0
  var steps = 0
  var batch = 64
  var accumulation = 1
  var clip: Double?
  var averageDecay: Double?
  var smoothing = 0.0
  var shift = 0
  var patience: Int?

  var validation = 0.1
  var test = 0.2
  var evaluationInterval = 0
  var checkpointInterval = 0
  var logInterval = 10
  var seed: UInt64 = 1
  /// How the numbers of model.safetensors are stored: f32, f16 or bf16.
  var storage = "f32"

  /// Passes over the data, until they are turned into steps.
  var epochs: Double? = 40

  static let storages = ["f32", "f16", "bf16"]
  static let models = ["mlp", "lenet", "resnet8", "gpt"]

  /// What is good for this model on this data.
  init(data: String, content: TrainData, model: String?) throws {
    self.data = data
    self.model = model ?? (content.isText ? "gpt" : "mlp")
    switch self.model {
    case "gpt":
      optimizer = "adamw"
      weightDecay = 0.1
      (batch, steps, epochs) = (16, 900, nil)
      (warmUp, floor, clip) = (50, 0.1, 1)
      (validation, test) = (0.1, 0)
    case "lenet":
      (epochs, shift) = (20, 1)
    case "resnet8":
      (learningRate, epochs, shift) = (5e-3, 40, 1)
    default:
      (hidden, learningRate, epochs) = ([512], 4e-3, 60)
      smoothing = content.hasClasses ? 0.1 : 0
    }
  }

  /// The shape of a language model.
  func decoder(vocabulary: Int) -> GPTConfiguration {
    GPTConfiguration(
      vocabulary: vocabulary, width: width, layers: layers, heads: heads, hidden: feedForward, contextLength: context)
  }

  /// Steps instead of epochs, and intervals that fit them.
  mutating func resolve(examples: Int) throws {
    let perEpoch = max(1, (examples + batch - 1) / batch)
    if let epochs {
      let wanted = epochs * Double(perEpoch) / Double(accumulation)
      guard wanted >= 0, wanted <= 1e9 else { throw UsageError("--epochs \(epochs) must be a reasonable number") }
      steps = max(1, Int(wanted.rounded()))
    }
    guard (1...1_000_000_000).contains(steps) else { throw UsageError("--steps \(steps) must be in 1...1000000000") }
    epochs = nil
    if evaluationInterval == 0 { evaluationInterval = min(perEpoch, max(1, steps / 10)) }
    if checkpointInterval == 0 { checkpointInterval = max(20, min(500, steps / 10)) }
  }

  /// The first setting that differs from those of an earlier run, as "name found wanted".
  func difference(from earlier: TrainSettings) throws -> (name: String, earlier: String, now: String)? {
    var (a, b) = (earlier, self)
    // These may change: how long, and how often something is noted that has no influence on the weights.
    for keyPath in [\TrainSettings.steps, \.checkpointInterval, \.logInterval] {
      a[keyPath: keyPath] = b[keyPath: keyPath]
    }
    if b.patience == nil { a.evaluationInterval = b.evaluationInterval }
    (a.epochs, b.epochs) = (nil, nil)
    func members(_ settings: TrainSettings) throws -> [String: Any] {
      try JSONSerialization.jsonObject(with: JSONEncoder().encode(settings)) as? [String: Any] ?? [:]
    }
    let (old, new) = (try members(a), try members(b))
    for name in Set(old.keys).union(new.keys).sorted() {
      let (x, y) = (old[name].map { "\($0)" } ?? "none", new[name].map { "\($0)" } ?? "none")
      if x != y { return (name, x, y) }
    }
    return nil
  }
}
