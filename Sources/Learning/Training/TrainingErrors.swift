// Why a run cannot begin, or cannot go on.

import FileFormats
public import Networks

/// Training met a number that is none.
public struct NonFiniteTraining: Error, Sendable, CustomStringConvertible {
  public enum Place: Sendable, Hashable {
    /// A weight, after the update of the step.
    case weight(String)
    /// The gradient of a weight; the weights themselves are good.
    case gradient(of: String)
    /// The loss, although weights and gradients are finite.
    case loss
    /// The loss of an evaluation, although the weights are finite.
    case evaluation
  }

  /// The step, counted from one.
  public var step: Int
  public var loss: Double
  /// What went bad first, in the order of the model's parameters.
  public var place: Place
  /// The step of the checkpoint that is still there, if any.
  public var lastCheckpoint: Int?

  public var description: String {
    let what =
      switch place {
      case .weight(let name): "the update made \(name) not finite"
      case .gradient(let name): "the loss is \(loss), and the gradient of \(name) is not finite"
      case .loss: "the loss is \(loss), although all weights and gradients are finite"
      case .evaluation: "the loss of the evaluation is \(loss), although all weights are finite"
      }
    let kept = lastCheckpoint.map { "the checkpoint of step \($0) is kept" } ?? "there is no checkpoint yet"
    return "step \(step): \(what); \(kept); try a lower learning rate, a warm-up, or clipping"
  }
}

/// A folder whose run cannot be continued.
public enum ResumeError: Error, Sendable, CustomStringConvertible {
  /// The folder has no checkpoint.
  case missing(folder: String)
  /// The checkpoint cannot be read, or is not one of a training run.
  case unreadable(path: String, reason: String)
  /// It is the checkpoint of another model.
  case otherModel(path: String, StateMismatch)
  /// It was made with another setting.
  case otherSetting(path: String, name: String, found: String, wanted: String)

  public var description: String {
    switch self {
    case .missing(let folder): "\(folder): there is no checkpoint to resume from; start the run without resuming"
    case .unreadable(let path, let reason): "\(path): cannot resume from this file: \(reason)"
    case .otherModel(let path, let mismatch): "\(path): this is the checkpoint of another model: \(mismatch)"
    case .otherSetting(let path, let name, let found, let wanted):
      "\(path): the run was made with \(name) \(found), not \(wanted); resume with the same settings"
    }
  }
}
