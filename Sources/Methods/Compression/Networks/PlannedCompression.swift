public import Networks
import Tensors

/// A compressor of checkpoints as one of networks: plans over the weights of all chosen layers together, by spectra.
public struct PlannedCompression: NetworkCompressor {
  public var compressor: any CheckpointCompressor

  /// - Parameter compressor: such as `TruncatedSVD()`, `WeLore()` or `ConcatenatedSVD()`.
  public init(_ compressor: any CheckpointCompressor) { self.compressor = compressor }

  public var needs: CalibrationNeeds { [] }

  public func compress<Model: SequentialLinearGroups<Float>>(
    _ model: Model, keeping fraction: Double, calibration: Calibration?, data: CalibrationData<Model>?,
    where isIncluded: (String) -> Bool, progress: WorkProgress
  ) throws -> NetworkCompression<Model> {
    let names = try chosenGroups(of: model, where: isIncluded).flatMap { $0 }
    let layers = Dictionary(uniqueKeysWithValues: model.linearLayers).mapValues(\.weight)
    let sources = try names.map { name in
      try MatrixSource(name: name, matrix: layers[name] ?? .zeros([0, 0]))
    }
    let plan = try compressor.plan(
      for: sources, budget: .keepingParameters(fraction), progress: progress.part(0, of: 2))
    var results: [String: NetworkCompression<Model>.Layer] = [:]
    let load: @Sendable (String) throws -> Tensor<Float> = { layers[$0] ?? .zeros([0, 0]) }
    try plan.execute(loading: load, progress: progress.part(1, of: 2)) { group, factors in
      for member in group.members {
        let factored = factors[member.name]
        let error = try factored?.relativeError(to: load(member.name)) ?? 0
        results[member.name] = .init(
          name: member.name, shape: [member.rows, member.columns],
          result: CompressedLayer(
            form: factored.map { .lowRank(left: $0.left, right: $0.right) }, figures: [("weight error", error)]))
      }
    }
    let ordered = names.compactMap { results[$0] }
    return NetworkCompression(model: model.installing(ordered.map { ($0.name, $0.result.form) }), layers: ordered)
  }
}
