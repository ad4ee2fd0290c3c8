public import Tensors

/// A layer's weight and what is known of its gradients.
public struct FisherLayer: Sendable {
  public var name: String
  public var weight: Tensor<Float>
  public var fisher: FisherMoments

  public init(name: String, weight: Tensor<Float>, fisher: FisherMoments) {
    (self.name, self.weight, self.fisher) = (name, weight, fisher)
  }
}

/// Ranks chosen by ``FWSVD/allocateRanks(_:keeping:)``.
public struct FisherRanks: Sendable {
  /// The rank of each layer; nothing where it stays dense.
  public var ranks: [Int?]
  /// The rise of the loss that the diagonal model predicts for all of them.
  public var predictedLossIncrease: Double
  public var keptFraction: Double
}

extension FWSVD {
  /// Ranks for all layers within one budget: parameters go where they lower the predicted loss increase most.
  ///
  /// For each layer 1/2 Σ I_ij (W - A B)_ij² is known at every rank; the steps of its lower convex hull are taken in the
  /// order of their gain a parameter, over all layers.
  /// - Throws: `InvalidArgument` as ``fisherWeightedSVD(_:fisher:rank:axis:)`` with the layer's name, and for a fraction
  ///   outside (0, 1] or below what rank one everywhere keeps.
  /// - Complexity: O(m n min(m, n)) time a layer.
  public func allocateRanks(_ layers: [FisherLayer], keeping fraction: Double) throws -> FisherRanks {
    guard fraction > 0, fraction <= 1 else {
      throw InvalidArgument("fraction", found: "\(fraction)", wanted: "in (0, 1]")
    }
    let curves = try parallelMap(layers.count) { i in
      try naming(layers[i].name) { try FisherCurve(layers[i].weight, layers[i].fisher, axis) }
    }
    let total = Double(curves.reduce(0) { $0 + $1.numbers })
    var ranks = [Int](repeating: 1, count: layers.count)
    var stored = Double(curves.reduce(0) { $0 + $1.stored(1) })
    guard stored <= fraction * total else { throw InvalidArgument.unreachable(fraction, least: stored / total) }
    let steps = curves.enumerated().flatMap { layer, curve in
      curve.hullSteps.map { (layer: layer, from: $0.from, to: $0.to, gain: $0.gain) }
    }
    for step in steps.sorted(by: { $0.gain > $1.gain }) where ranks[step.layer] == step.from {
      let curve = curves[step.layer]
      let each = Double(curve.stored(1))
      // The last step that does not fit whole is taken in part.
      let room = Int((fraction * total - stored) / each)
      let whole = Double(curve.stored(step.to) - curve.stored(step.from))
      if stored + whole <= fraction * total {
        ranks[step.layer] = step.to
        stored += whole
      } else if room > 0, step.from + room < curve.denseRank {
        ranks[step.layer] = step.from + room
        stored += Double(room) * each
      }
    }
    let losses = zip(curves, ranks).map { $0.losses[$1 - 1] }
    return FisherRanks(
      ranks: zip(curves, ranks).map { $1 >= $0.denseRank ? nil : $1 }, predictedLossIncrease: losses.reduce(0, +),
      keptFraction: stored / total)
  }
}

/// The predicted loss increase of one layer at every rank.
private struct FisherCurve {
  let numbers: Int
  private let each: Int
  /// At rank 1, 2, ..., up to the rank at which the matrix itself is no larger, where nothing is lost.
  let losses: [Double]

  var denseRank: Int { losses.count }
  func stored(_ rank: Int) -> Int { min(rank * each, numbers) }

  init(_ weight: Tensor<Float>, _ fisher: FisherMoments, _ axis: FisherAxis) throws {
    let problem = try FisherProblem(weight, fisher, axis)
    let (rows, columns) = (weight.rows, weight.columns)
    numbers = rows * columns
    each = rows + columns
    let last = min(max(1, (numbers + each - 1) / each), min(rows, columns))
    let factors = try GramFactors(of: problem.weighted, rank: last)
    let left = factors.left / problem.rowRoots.expanded(axis: 1)
    let right = factors.right / problem.columnRoots
    var error = problem.weight
    var losses: [Double] = []
    for k in 0..<last - 1 {
      error -= left[.all, k].outer(right[k])
      losses.append(problem.predictedIncrease(error))
    }
    self.losses = losses + [0]
  }

  /// From corner to corner of the lower convex hull, with the gain a parameter of each, decreasing.
  var hullSteps: [(from: Int, to: Int, gain: Double)] {
    var corners = [1]
    func gain(_ from: Int, _ to: Int) -> Double {
      (losses[from - 1] - losses[to - 1]) / Double(max(stored(to) - stored(from), 1))
    }
    for rank in 2..<max(losses.count + 1, 2) {
      while corners.count > 1,
        gain(corners[corners.count - 2], corners[corners.count - 1]) <= gain(corners[corners.count - 1], rank)
      {
        corners.removeLast()
      }
      corners.append(rank)
    }
    return zip(corners, corners.dropFirst()).map { ($0, $1, gain($0, $1)) }
  }
}
