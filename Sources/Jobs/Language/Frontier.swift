import CatalogueCore
import Compression
import Foundation
public import Tensors

/// One way to make a model smaller, and what it cost.
public struct FrontierPoint: Sendable {
  public var method: String
  /// The share of the layers' numbers that was to be kept, or the format of quantized ones.
  public var setting: String
  /// The share alone; nothing for a format.
  public var ratio: Double?
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

  /// The smallest model that does no more damage than tolerated and is smaller than the original.
  public var recommendation: FrontierPoint? { efficient.last { $0.damage <= tolerance && $0.size < 1 } }

  /// The least share of the layers' numbers that was kept.
  var smallestRatio: Double? { points.compactMap(\.ratio).min() }

  func point(_ method: String, _ setting: String) -> FrontierPoint? {
    points.first { $0.method == method && $0.setting == setting }
  }
}

/// Compresses a model by every method at every ratio, and measures each result on held-out text.
public struct FrontierJob: Sendable {
  public var methods = NetworkMethods.ids
  /// Formats that the layers' weights are rounded to, each as it is and, below eight bits, repaired by QERA.
  public var formats = ["int8", "rf8", "nf4", "int4", "nf3"]
  /// The rank of the repair.
  public var repairRank = 16
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
  /// - Throws: `UsageError` for an unknown method, and when no setting can be done; `InvalidArgument` when a text does not
  ///   suffice; `FileError` for a model of rounded weights; `CancellationError`. A method that fails at a ratio is listed
  ///   with its reason.
  public func run(
    _ model: TextModel, calibration: String, heldOut: String, named text: String, progress: WorkProgress = .silent
  ) throws -> Frontier {
    let start = ContinuousClock.now
    let jobs = try methods.flatMap { method in
      let compressor = try NetworkMethods.compressor(method)
      return ratios.map { (job: ModelCompressionJob(method: method, ratio: $0), compressor: compressor) }
    }
    let roundings = try roundings()
    let stages = jobs.count + roundings.count + 2
    try model.requireNumbers()
    let reference = try evaluator.reference(of: model, on: heldOut, progress: progress.part(0, of: stages))
    var gathering = CalibrationJob(tokens: tokens)
    gathering.includesFisher = jobs.contains { $0.compressor.needs.contains(.fisher) }
    let data = try model.calibrationData(calibration, tokens: tokens)
    let statistics = try gathering.run(
      model, on: data, of: calibration, named: text, progress: progress.part(1, of: stages))
    var ground = try CompressionGround(model, statistics, layers: Set(model.network.groups.flatMap { $0 }))
    ground.data = data
    var frontier = Frontier(
      model: model.path, isDecoder: model.isDecoder, text: text, reference: reference.evaluation, points: [],
      failures: [], tolerance: tolerance ?? 0.05, seconds: 0)
    for (i, (job, compressor)) in jobs.enumerated() {
      let stage = progress.part(i + 2, of: stages)
      try frontier.add(job.method, "\(job.ratio)") {
        let result = try job.run(on: ground, by: compressor, progress: stage.part(0, of: 2))
        let evaluation = try evaluator.evaluate(result.model, against: reference, progress: stage.part(1, of: 2))
        let size = result.model.sizeInBits / model.sizeInBits
        return FrontierPoint(result, "\(job.ratio)", ratio: job.ratio, size: size, evaluation)
      }
    }
    for (i, rounding) in roundings.enumerated() {
      let stage = progress.part(jobs.count + i + 2, of: stages)
      try frontier.add(rounding.name, rounding.format) {
        let result = try ModelCompressionJob(method: rounding.name, ratio: 1).run(
          on: ground, by: rounding.compressor, progress: stage.part(0, of: 2))
        let evaluation = try evaluator.evaluate(result.model, against: reference, progress: stage.part(1, of: 2))
        return FrontierPoint(result, rounding.format, ratio: nil, size: size(of: result, model), evaluation)
      }
    }
    if frontier.points.isEmpty, let first = frontier.failures.first {
      throw UsageError("nothing of this can be done; \(first.method) at \(first.setting): \(first.reason)")
    }
    frontier.seconds = (ContinuousClock.now - start) / .seconds(1)
    return frontier
  }

  /// A way to round weights.
  private struct Rounding {
    var name: String
    var format: String
    var compressor: QERACompressor
  }

  private func roundings() throws -> [Rounding] {
    try formats.flatMap { name -> [Rounding] in
      let format = try WeightFormats.format(name)
      func compressor(_ format: some WeightQuantizer, _ method: QERA?) -> QERACompressor {
        QERACompressor(format: format, method: method)
      }
      let plain = Rounding(name: "rounded", format: name, compressor: compressor(format, nil))
      guard format.bits < 8 else { return [plain] }
      let repaired = compressor(format, QERA(rank: repairRank))
      return [plain, Rounding(name: "rounded + qera", format: name, compressor: repaired)]
    }
  }

  /// The bits of a model with rounded layers over those that the original is stored in.
  private func size(of result: ModelCompression, _ original: TextModel) -> Double {
    let inLayers = result.layers.reduce(0) { $0 + $1.keptParameters }
    let rest = Double(result.model.parameterCount - inLayers) * original.storedBits
    let rounded = result.layers.reduce(0.0) { sum, layer in
      let bits = layer.figures.first { $0.name == "bits per weight" }?.value ?? original.storedBits
      return sum + bits * Double(layer.originalParameters)
    }
    return (rest + rounded) / original.sizeInBits
  }
}

extension FrontierPoint {
  fileprivate init(
    _ result: ModelCompression, _ setting: String, ratio: Double?, size: Double, _ evaluation: ModelEvaluation
  ) {
    self.init(
      method: result.method, setting: setting, ratio: ratio, size: size, operations: result.model.operationsPerToken,
      evaluation: evaluation, layers: result.layers, warnings: result.warnings, seconds: result.seconds)
  }
}

extension Frontier {
  /// Takes up a point, or why there is none.
  fileprivate mutating func add(_ method: String, _ setting: String, _ point: () throws -> FrontierPoint) throws {
    do {
      points.append(try point())
    } catch let error where !(error is CancellationError) {
      failures.append((method, setting, "\(error)"))
    }
  }
}
