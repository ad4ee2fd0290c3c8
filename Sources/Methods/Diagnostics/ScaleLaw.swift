import SpecialFunctions
import Tensors

/// One training run, as the scale law sees it.
public struct TrainingRun: Sendable, Hashable {
  public var clock: TrainingClock
  public var steps: Int
  /// The Weibull scale lambda at its end.
  public var terminalScale: Double

  public init(clock: TrainingClock, steps: Int, terminalScale: Double) {
    self.clock = clock
    self.steps = steps
    self.terminalScale = terminalScale
  }
}

/// The law that the scale of trained weights follows from the optimizer's settings alone:
/// lambda = c sqrt(learning rate / weight decay), a line through the origin.
///
/// It describes weights whose scale has settled. Runs that were stopped before are left out, and counted.
///
/// - Source: Ding 2026, arXiv 2605.18898 (c = 0.087, r = 0.94 over five sizes of Pythia).
public struct ScaleLaw: Sendable {
  /// The shortest run that counts, in periods of its clock.
  public var minimumCycles = 1.0

  public init(minimumCycles: Double = 1) { self.minimumCycles = minimumCycles }

  public struct Fit: Sendable, Hashable {
    /// c, the least-squares slope through the origin.
    public var coefficient: Double
    /// Pearson's correlation of lambda with sqrt(learning rate / weight decay).
    public var correlation: Double
    public var runsUsed: Int
    public var runsLeftOut: Int

    public func scale(learningRate: Double, weightDecay: Double) -> Double {
      coefficient * (learningRate / weightDecay).squareRoot()
    }
  }

  /// - Throws: `InvalidArgument` for a scale that is not positive, or fewer than three runs that are long enough and
  ///   differ in their settings and scales.
  public func fit(_ runs: [TrainingRun]) throws -> Fit {
    if let bad = runs.first(where: { !($0.terminalScale > 0 && $0.terminalScale.isFinite) }) {
      throw InvalidArgument("terminalScale", found: "\(bad.terminalScale)", wanted: "a positive number")
    }
    let used = runs.filter { $0.clock.cycles(after: $0.steps) >= minimumCycles }
    let predictors = used.map { ($0.clock.learningRate / $0.clock.weightDecay).squareRoot() }
    let scales = used.map(\.terminalScale)
    guard used.count >= 3, let correlation = pearsonCorrelation(predictors, scales) else {
      throw InvalidArgument(
        "runs", found: "\(used.count) of at least \(minimumCycles) periods of their clock",
        wanted: "at least three with different settings and scales")
    }
    let products = zip(predictors, scales).reduce(0) { $0 + $1.0 * $1.1 }
    let squares = predictors.reduce(0) { $0 + $1 * $1 }
    return Fit(
      coefficient: products / squares, correlation: correlation, runsUsed: used.count,
      runsLeftOut: runs.count - used.count)
  }
}
