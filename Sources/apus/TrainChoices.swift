import Optimizers
import Tensors

/// The optimizers and schedules that `apus train` knows by name.
enum TrainChoices {
  static let optimizers = ["sgd", "adam", "adamw", "rmsprop", "adagrad", "lion", "signum", "ademamix", "muon"]
  static let schedules = ["constant", "cosine", "linear", "wsd", "inverse-sqrt", "one-cycle"]

  /// A rate that suits an optimizer, when the model's default is for another one.
  static func learningRate(of optimizer: String, _ settings: TrainSettings) -> Double {
    switch optimizer {
    case "sgd": 0.05
    case "rmsprop": 1e-3
    case "adagrad": 2e-2
    case "lion": 3e-4
    case "signum": 1e-3
    case "muon": 0.02
    default: settings.learningRate
    }
  }

  /// Weight decay is for matrices and filters; biases and scales have none.
  static func optimizer(_ settings: TrainSettings) -> any Optimizer<Float> {
    let (rate, decay) = (settings.learningRate, settings.weightDecay)
    let groups = [ParameterGroup.vectors(weightDecay: 0)]
    // Language models gain from a shorter memory of squares.
    let secondDecay = settings.model == "gpt" ? 0.95 : 0.999
    switch settings.optimizer {
    case "sgd": return SGD<Float>(learningRate: rate, momentum: 0.9, nesterov: true, weightDecay: decay, groups: groups)
    case "adam": return Adam<Float>(learningRate: rate, secondDecay: secondDecay, weightDecay: decay, groups: groups)
    case "rmsprop": return RMSProp<Float>(learningRate: rate, weightDecay: decay, groups: groups)
    case "adagrad": return Adagrad<Float>(learningRate: rate, weightDecay: decay, groups: groups)
    case "lion": return Lion<Float>(learningRate: rate, weightDecay: decay, groups: groups)
    case "signum": return Signum<Float>(learningRate: rate, weightDecay: decay, groups: groups)
    case "ademamix":
      // The source's recipe: the slow mean comes in over the whole training.
      return AdEMAMix<Float>(learningRate: rate, warmUp: settings.steps, weightDecay: decay, groups: groups)
    case "muon":
      let rest = AdamW<Float>(learningRate: rate / 10, secondDecay: 0.95, weightDecay: decay, groups: groups)
      let last = lastLayer(settings)
      return Muon<Float>(learningRate: rate, weightDecay: decay, rest: rest) { name, shape in
        Muon<Float>.isHiddenMatrix(name, shape) && !name.hasPrefix(last)
      }
    default: return AdamW<Float>(learningRate: rate, secondDecay: secondDecay, weightDecay: decay, groups: groups)
    }
  }

  /// What the names of the output layer's parameters begin with.
  private static func lastLayer(_ settings: TrainSettings) -> String {
    switch settings.model {
    case "mlp": "\(2 * settings.hidden.count)."
    case "lenet": "fc3."
    case "resnet8": "fc."
    default: "lm_head."
    }
  }

  static func schedule(_ settings: TrainSettings) -> Schedule {
    let rest = max(1, settings.steps - settings.warmUp)
    let schedule: Schedule
    switch settings.schedule {
    case "constant": schedule = .constant
    case "linear": schedule = .linear(steps: rest, floor: settings.floor)
    case "wsd": schedule = .stableDecay(stable: rest * 4 / 5, decay: rest - rest * 4 / 5, floor: settings.floor)
    case "inverse-sqrt":
      schedule = .inverseSquareRoot(timescale: settings.warmUp > 0 ? settings.warmUp : max(1, rest / 20))
    case "one-cycle": schedule = .oneCycle(steps: rest)
    default: schedule = .cosine(steps: rest, floor: settings.floor)
    }
    return settings.warmUp > 0 ? schedule.warmedUp(over: settings.warmUp) : schedule
  }
}
