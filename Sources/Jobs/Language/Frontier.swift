import CatalogueCore
import Foundation
public import Tensors

/// One way to make a model smaller, and what it cost.
public struct FrontierPoint: Sendable {
  public var method: String
  /// The share of the layers' numbers that was to be kept, or the format of quantized ones.
  public var setting: String
  /// The bytes of the whole model as it would be stored, over those of the original.
  public var size: Double
  public var operations: Double
  public var evaluation: ModelEvaluation
  public var layers: [ModelCompression.Layer]
  public var warnings: [String]
  /// That it took to compress.
  public var seconds: Double

  /// Nats lost, or one less the mean cosine: zero for the original.
  public var damage: Double { evaluation.damage ?? .nan }
}

/// Every method on one model: what each size costs.
public struct Frontier: Sendable {
  public var model: String
  public var isDecoder: Bool
  public var text: String
  public var reference: ModelEvaluation
  public var points: [FrontierPoint]
  /// Methods and settings that could not be done, and why.
  public var failures: [(method: String, setting: String, reason: String)]
  /// The damage that a recommendation may do.
  public var tolerance: Double
  public var seconds: Double

  /// The points that no other point beats in both size and damage, from the largest to the smallest.
  public var efficient: [FrontierPoint] {
    points.filter { point in
      point.damage.isFinite
        && !points.contains { other in
          let isNotWorse = other.size <= point.size && other.damage <= point.damage
          return isNotWorse && (other.size < point.size || other.damage < point.damage)
        }
    }
    .sorted { $0.size > $1.size }
  }

  /// The smallest model that does no more damage than tolerated.
  public var recommendation: FrontierPoint? { efficient.last { $0.damage <= tolerance } }
}

/// Compresses a model by every method at every ratio, and measures each result on held-out text.
public struct FrontierJob: Sendable {
  public var methods = NetworkMethods.ids
  /// The shares of the layers' numbers to keep.
  public var ratios: [Double] = [0.2, 0.3, 0.5]
  public var evaluator = ModelEvaluator()
  /// Tokens that statistics are gathered on.
  public var tokens = 16_384
  /// Nats for a decoder, one less the mean cosine for an encoder.
  public var tolerance: Double?

  public init() {}

  /// - Parameters:
  ///   - calibration: the text that statistics are gathered on.
  ///   - heldOut: the text that the results are measured on.
  /// - Throws: `UsageError` for an unknown method; `InvalidArgument` when a text does not suffice; `CancellationError`.
  ///   A method that fails at a ratio is listed with its reason.
  public func run(
    _ model: TextModel, calibration: String, heldOut: String, named text: String, progress: WorkProgress = .silent
  ) throws -> Frontier {
    let start = ContinuousClock.now
    let jobs = try methods.flatMap { method in
      try ratios.map { ratio in
        _ = try NetworkMethods.compressor(method)
        return ModelCompressionJob(method: method, ratio: ratio)
      }
    }
    let stages = jobs.count + 2
    let reference = try evaluator.evaluate(model, against: model, on: heldOut, progress: progress.part(0, of: stages))
    var gathering = CalibrationJob(tokens: tokens)
    gathering.includesFisher = try jobs.contains { try $0.calibration?.includesFisher == true }
    let statistics = try gathering.run(model, on: calibration, named: text, progress: progress.part(1, of: stages))
    var frontier = Frontier(
      model: model.path, isDecoder: model.isDecoder, text: text, reference: reference, points: [], failures: [],
      tolerance: tolerance ?? 0.05, seconds: 0)
    for (i, job) in jobs.enumerated() {
      let setting = "\(job.ratio)"
      let stage = progress.part(i + 2, of: stages)
      do {
        let result = try job.run(
          model, calibration: statistics, text: calibration, tokens: tokens, progress: stage.part(0, of: 2))
        let evaluation = try evaluator.evaluate(
          result.model, against: model, on: heldOut, progress: stage.part(1, of: 2))
        frontier.points.append(
          FrontierPoint(
            method: job.method, setting: setting,
            size: Double(result.model.parameterCount) / Double(model.parameterCount),
            operations: result.model.operationsPerToken, evaluation: evaluation, layers: result.layers,
            warnings: result.warnings, seconds: result.seconds))
      } catch let error as InvalidArgument {
        frontier.failures.append((job.method, setting, error.description))
      }
    }
    frontier.seconds = (ContinuousClock.now - start) / .seconds(1)
    return frontier
  }
}
