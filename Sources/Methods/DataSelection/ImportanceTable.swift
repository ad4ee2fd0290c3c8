import SpecialFunctions
public import Tensors

/// One score after one number of epochs, over all runs.
public struct ImportanceTable: Sendable, Equatable {
  public let score: ImportanceScore
  public let epoch: Int
  /// Shape [runs, examples].
  public let perRun: Tensor<Double>

  /// Shape [examples].
  public var mean: Tensor<Double> { perRun.mean(axis: 0) }

  /// The mean of Spearman's correlations between pairs of runs: how much of the ranking is the examples' own. Nil for a
  /// single run, or when a run gives all examples the same score.
  public var rankCorrelationBetweenRuns: Double? {
    let runs = (0..<perRun.rows).map { perRun[$0].scalars }
    guard runs.count > 1 else { return nil }
    var correlations: [Double] = []
    for i in runs.indices {
      for j in runs.indices where j > i {
        guard let correlation = spearmanCorrelation(runs[i], runs[j]) else { return nil }
        correlations.append(correlation)
      }
    }
    return correlations.reduce(0, +) / Double(correlations.count)
  }
}

/// The scores of all examples, by score and epoch.
public struct ImportanceReport: Sendable, Equatable {
  public let tables: [ImportanceTable]

  /// The table of a score after an epoch; traps when it was not asked for.
  public func table(_ score: ImportanceScore, epoch: Int) -> ImportanceTable {
    guard let table = tables.first(where: { $0.score == score && $0.epoch == epoch }) else {
      preconditionFailure("there are no scores \(score.rawValue) of epoch \(epoch)")
    }
    return table
  }
}
