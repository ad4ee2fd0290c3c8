public import LinearAlgebra
public import Networks
import SpecialFunctions
import Tensors

/// Follows the gradients of a network's matrices while it trains: how low their rank is, and whether they stay in one
/// subspace.
///
/// The observation behind it: matrices whose gradients have few directions, always the same, end with spectra that fall
/// fast, and are the ones that low-rank factors replace well.
///
/// ```swift
/// var tracker = GradientRankTracker()
/// for step in 0..<steps {
///   let (loss, gradient) = model.valueAndGradient { ... }
///   if step % 25 == 0 { try tracker.record(gradient, at: step) }
///   ...
/// }
/// print(try tracker.link(to: model.parameters).rankCorrelation)
/// ```
///
/// - Complexity: one singular value decomposition for each matrix and recorded step; memory for one gradient of each.
/// - Source: Jaiswal et al., 2024, arXiv 2407.11239, section 3.
public struct GradientRankTracker<Scalar: LinearScalar>: Sendable {
  /// The share of a matrix's squared norm that its counted directions hold.
  public let energy: Double
  /// How many left singular vectors are compared from one recorded step to the next.
  public let subspaceRank: Int
  /// Which parameters are followed, by name, of those with two axes.
  public let isTracked: @Sendable (String) -> Bool
  /// One for each matrix, in the order of the first gradient.
  public private(set) var histories: [GradientHistory] = []
  private var last: [Snapshot] = []

  private struct Snapshot {
    var direction: Tensor<Scalar>
    var basis: Tensor<Scalar>
  }

  /// - Throws: `InvalidArgument` for a share outside (0, 1] and fewer than one direction.
  public init(
    energy: Double = 0.9, subspaceRank: Int = 8, where isTracked: @escaping @Sendable (String) -> Bool = { _ in true }
  ) throws {
    guard energy > 0, energy <= 1 else {
      throw InvalidArgument("energy", found: "\(energy)", wanted: "above 0 and at most 1")
    }
    guard subspaceRank >= 1 else {
      throw InvalidArgument("subspaceRank", found: "\(subspaceRank)", wanted: "at least 1")
    }
    (self.energy, self.subspaceRank, self.isTracked) = (energy, subspaceRank, isTracked)
  }

  /// Takes up the gradient of a step.
  ///
  /// - Throws: `InvalidArgument` naming a gradient that is not finite or not one of those recorded before, for a step
  ///   that is not after the last, and when no parameter is followed.
  public mutating func record(_ gradient: NamedTensors<Scalar>, at step: Int) throws {
    let chosen = zip(gradient.names, gradient.tensors).filter { $0.1.rank == 2 && $0.1.count > 0 && isTracked($0.0) }
    guard !chosen.isEmpty else {
      throw InvalidArgument("gradient", found: "no matrix that is followed", wanted: "at least one")
    }
    guard histories.isEmpty || histories.map(\.name) == chosen.map(\.0) else {
      throw InvalidArgument(
        "gradient", found: "\(chosen.count) matrices", wanted: "the \(histories.count) that were recorded before")
    }
    if let before = histories.first?.points.last?.step, step <= before {
      throw InvalidArgument("step", found: "\(step) after \(before)", wanted: "increasing steps")
    }
    let (energy, subspaceRank, last) = (energy, subspaceRank, last)
    let found = try parallelMap(chosen.count) { i -> (GradientHistory.Point, Snapshot) in
      let (name, matrix) = chosen[i]
      try matrix.requireFinite(name)
      return try Self.point(matrix, at: step, after: last.isEmpty ? nil : last[i], energy, subspaceRank)
    }
    if histories.isEmpty {
      histories = chosen.map { GradientHistory(name: $0.0, rows: $0.1.rows, columns: $0.1.columns) }
    }
    for i in histories.indices { histories[i].points.append(found[i].0) }
    self.last = found.map(\.1)
  }

  private static func point(
    _ matrix: Tensor<Scalar>, at step: Int, after last: Snapshot?, _ energy: Double, _ subspaceRank: Int
  ) throws -> (GradientHistory.Point, Snapshot) {
    let parts = try SingularValueDecomposition(of: matrix)
    let basis = parts.left[.all, ..<min(subspaceRank, parts.values.count)].copied()
    let norm = matrix.frobeniusNorm()
    let direction = norm > 0 ? matrix / norm : matrix
    let point = GradientHistory.Point(
      step: step, norm: Double(norm),
      rankFraction: energyRankFraction(parts.values.scalars.map { Double($0) }, energy: energy),
      similarity: last.map { Double(($0.direction * direction).sum().scalar) },
      alignment: last.map {
        Double($0.basis.matmul(basis, transposingA: true).sumOfSquares().scalar) / Double(basis.columns)
      })
    return (point, Snapshot(direction: direction, basis: basis))
  }

  /// How the ranks of the gradients go with those of the weights that they led to.
  ///
  /// - Parameter weights: with a matrix of every name and shape that was followed; others are not looked at.
  /// - Throws: `InvalidArgument` when one is missing or not finite, or nothing was recorded.
  public func link(to weights: NamedTensors<Scalar>) throws -> GradientLink {
    guard !histories.isEmpty else {
      throw InvalidArgument("gradients", found: "none recorded", wanted: "at least one step")
    }
    let energy = energy
    let rows = try parallelMap(histories.count) { i -> GradientLink.Row in
      let history = histories[i]
      guard let weight = weights[history.name], weight.shape == [history.rows, history.columns] else {
        throw InvalidArgument(
          history.name, found: weights[history.name].map { "shape \($0.shape)" } ?? "no weight of this name",
          wanted: "shape [\(history.rows), \(history.columns)]")
      }
      let values = try weight.singularValues().scalars.map { Double($0) }
      return GradientLink.Row(history: history, weightRankFraction: energyRankFraction(values, energy: energy))
    }
    return GradientLink(rows: rows)
  }
}

/// The least number of leading values with this share of the squares of all, as a fraction of their count; zero for zeros.
private func energyRankFraction(_ values: [Double], energy: Double) -> Double {
  let total = values.reduce(0) { $0 + $1 * $1 }
  guard total > 0 else { return 0 }
  var sum = 0.0
  for (i, value) in values.enumerated() {
    sum += value * value
    if sum >= energy * total { return Double(i + 1) / Double(values.count) }
  }
  return 1
}

/// The gradients of one matrix over the recorded steps.
public struct GradientHistory: Sendable, Hashable {
  /// One recorded step.
  public struct Point: Sendable, Hashable {
    public let step: Int
    /// In the Frobenius norm.
    public let norm: Double
    /// The least rank that holds the tracker's share of the squared norm, over the short side.
    public let rankFraction: Double
    /// The cosine of the angle to the gradient recorded before; nil for the first.
    public let similarity: Double?
    /// The mean squared cosine of the angles between the leading left singular subspaces of this and the gradient before:
    /// one for the same subspace; nil for the first.
    public let alignment: Double?
  }

  public let name: String
  public let rows, columns: Int
  public internal(set) var points: [Point] = []

  /// One less the mean rank fraction: near one for gradients of few directions.
  public var lowRankness: Double { 1 - points.reduce(0) { $0 + $1.rankFraction } / Double(max(points.count, 1)) }
  /// Over the recorded steps; nil for fewer than two.
  public var meanSimilarity: Double? { mean(points.compactMap(\.similarity)) }
  public var meanAlignment: Double? { mean(points.compactMap(\.alignment)) }

  private func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }
}

/// Gradients beside the weights that they led to.
public struct GradientLink: Sendable, Hashable {
  public struct Row: Sendable, Hashable {
    public let history: GradientHistory
    /// Of the weight: the least rank that holds the tracker's share of the squared norm, over the short side.
    public let weightRankFraction: Double
  }

  public let rows: [Row]

  public init(rows: [Row]) { self.rows = rows }

  /// Spearman's correlation over the matrices of the gradients' mean low-rankness with the weight's: above zero where low
  /// ranks go together. Nil when one of them is the same for all.
  public var rankCorrelation: Double? {
    spearmanCorrelation(rows.map(\.history.lowRankness), rows.map { 1 - $0.weightRankFraction })
  }

  /// The same of how steady the gradients' subspaces were with the weight's low-rankness.
  public var alignmentCorrelation: Double? {
    spearmanCorrelation(rows.map { $0.history.meanAlignment ?? 0 }, rows.map { 1 - $0.weightRankFraction })
  }
}
