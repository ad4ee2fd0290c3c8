public import LinearAlgebra
import Synchronization
public import Tensors

/// The fixed point z = γ A z + b of contractive linear maps on a graph, one for each head, with exact derivatives.
///
/// (A z)_v = Σ over edges e from u to v of w_e z_u. With weights that are not negative and sum to at most one over the edges
/// into a node, the map shrinks every distance by γ: its fixed point exists, is unique, and
/// ‖z - z*‖∞ <= γ / (1 - γ) ‖z_new - z‖∞. The way back solves yᵀ = gᵀ + γ yᵀ A by the same iteration on the reversed graph,
/// in memory independent of the iterations, and is itself differentiable.
///
/// - Complexity: O(edges heads) time an iteration, forwards and backwards.
/// - Source: Park, Choo and Park, ICLR 2022, arXiv 2106.01680, equations 4 to 8.
public struct ContractiveFixedPoint: Sendable, Hashable {
  public enum Solver: Sendable, Hashable {
    /// Iteration from zero.
    case picard
    /// The same with Anderson's acceleration over this many iterations: fewer of them where γ is near one, each two to
    /// three times as costly. A step that did not help is taken back, so that the contraction's guarantee stays.
    case anderson(depth: Int = 5)
    /// LU decomposition of I - γ A, for each head: for small graphs.
    case direct
  }

  /// γ, above 0 and below 1.
  public var gamma: Double
  /// Of the bound on ‖z - z*‖∞.
  public var tolerance: Double
  public var iterationLimit: Int
  public var solver: Solver

  /// - Throws: `InvalidArgument` for a γ that is not between 0 and 1, or other settings out of range.
  public init(
    gamma: Double = 0.5, tolerance: Double = 1e-6, iterationLimit: Int = 2_000, solver: Solver = .picard
  ) throws {
    guard gamma > 0, gamma < 1 else {
      throw InvalidArgument("gamma", found: "\(gamma)", wanted: "above 0, below 1")
    }
    try requireSettings(tolerance: tolerance, iterationLimit: iterationLimit)
    if case .anderson(let depth) = solver, depth < 1 {
      throw InvalidArgument("depth", found: "\(depth)", wanted: "at least 1")
    }
    (self.gamma, self.tolerance, self.iterationLimit, self.solver) = (gamma, tolerance, iterationLimit, solver)
  }

  /// A fixed point, and how near it is.
  public struct Result<Scalar: LinearScalar>: Sendable {
    /// z, shape [nodes, heads].
    public let value: Tensor<Scalar>
    public let iterations: Int
    /// A bound on ‖z - z*‖∞.
    public let errorBound: Double
    /// Iterations that suffice for these data, by the rate of the contraction.
    public let iterationBound: Int
    /// Whether the bound met the tolerance, or what rounding allows where that is more.
    public let isConverged: Bool
    /// ‖z_new - z‖∞ after each iteration.
    public let changes: [Double]
  }

  /// z without derivatives, with its error bound.
  ///
  /// - Parameters:
  ///   - weights: w, shape [edges, heads]: not negative, and at most one in the sum over the edges into any node.
  ///   - inputs: b, shape [nodes, heads].
  ///   - start: where to begin instead of zero.
  /// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite; ``ContractionError`` for
  ///   weights that exceed the bound.
  public func solve<Scalar: LinearScalar>(
    _ graph: GraphStructure, weights: Tensor<Scalar>, inputs: Tensor<Scalar>, startingFrom start: Tensor<Scalar>? = nil
  ) throws -> Result<Scalar> {
    try require(graph, weights, inputs)
    if let start, start.shape != inputs.shape {
      throw InvalidArgument("startingFrom", found: "shape \(start.shape)", wanted: "shape \(inputs.shape)")
    }
    let largest = weights.isEmpty ? 0 : graph.summedByDestination(weights.absolute()).maximum().scalar
    guard Double(largest) <= 1 + 1e-5 else { throw ContractionError.weightsTooLarge(Double(largest)) }
    return fixedPoint(graph, weights.dense, inputs.dense, start?.dense)
  }

  private func require<Scalar: LinearScalar>(
    _ graph: GraphStructure, _ weights: Tensor<Scalar>, _ inputs: Tensor<Scalar>
  ) throws {
    guard weights.rank == 2, inputs.rank == 2, weights.shape[0] == graph.edgeCount,
      inputs.shape == [graph.nodeCount, weights.columns]
    else {
      throw InvalidArgument(
        "weights", found: "shapes \(weights.shape) and \(inputs.shape) of inputs",
        wanted: "shapes [\(graph.edgeCount), heads] and [\(graph.nodeCount), heads]")
    }
    try weights.requireFinite("weights")
    try inputs.requireFinite("inputs")
  }

  /// How many iterations from zero suffice: γ^k ‖b‖ / (1 - γ) <= tolerance.
  func iterationBound(_ size: Double, tolerance: Double) -> Int {
    guard size > 0 else { return 1 }
    let steps = Double.log(tolerance * (1 - gamma) / size) / .log(gamma)
    return max(1, Int(min(steps.rounded(.up), 1e9)) + 1)
  }

  private func fixedPoint<Scalar: LinearScalar>(
    _ graph: GraphStructure, _ weights: Tensor<Scalar>, _ inputs: Tensor<Scalar>, _ start: Tensor<Scalar>?
  ) -> Result<Scalar> {
    var run = Run(graph, weights, inputs, self)
    switch solver {
    case .picard: return run.picard(from: start)
    case .anderson(let depth): return run.anderson(depth: depth, from: start)
    case .direct:
      // One iteration more tells how near the solution is; where there is none the iteration finds it.
      return run.picard(from: (try? direct(graph, weights, inputs)) ?? start)
    }
  }

  /// One solve: the map, and what was seen of it.
  private struct Run<Scalar: LinearScalar> {
    let settings: ContractiveFixedPoint
    let graph: GraphStructure
    let inputs: Tensor<Scalar>
    /// γ w in the order in which the sums take them.
    let ordered: Tensor<Scalar>
    let inputSize: Double
    /// The bound that is aimed at: rounding allows no less than a few units in the last place of the result.
    let limit: Double
    var next: Tensor<Scalar>
    var changes: [Double] = []
    var bound = Double.infinity

    init(
      _ graph: GraphStructure, _ weights: Tensor<Scalar>, _ inputs: Tensor<Scalar>, _ settings: ContractiveFixedPoint
    ) {
      (self.settings, self.graph, self.inputs) = (settings, graph, inputs)
      let gamma = settings.gamma
      ordered = weights.gathered(Tensor(graph.incoming.order.map(Int.init))) * Scalar(gamma)
      inputSize = inputs.isEmpty ? 0 : Double(inputs.absolute().maximum().scalar)
      limit = max(settings.tolerance, 4 * Double(Scalar.ulpOfOne) * inputSize / (1 - gamma) / (1 - gamma))
      next = .zeros(inputs.shape)
    }

    /// Puts the image of z into `next`, notes the change; returns whether another iteration is wanted.
    private mutating func advance(_ z: Tensor<Scalar>) -> Bool {
      let change = Double(mapStep(graph.incoming, ordered, inputs, z, &next))
      changes.append(change)
      bound = settings.gamma / (1 - settings.gamma) * change
      return bound > limit && bound.isFinite && changes.count < settings.iterationLimit
    }

    mutating func picard(from start: Tensor<Scalar>?) -> Result<Scalar> {
      var z = start ?? .zeros(inputs.shape)
      while advance(z) { swap(&z, &next) }
      return result(next, start)
    }

    mutating func anderson(depth: Int, from start: Tensor<Scalar>?) -> Result<Scalar> {
      var z = start ?? .zeros(inputs.shape)
      var memory = AndersonMemory<Scalar>(depth: depth)
      var best: (change: Double, image: Tensor<Scalar>) = (.infinity, z)
      while advance(z) {
        let image = next.copied()
        let change = changes[changes.count - 1]
        guard change < best.change else {
          // From the image of the best iterate the next change is smaller by γ.
          memory.forget()
          z = best.image
          best.change = .infinity
          continue
        }
        best = (change, image)
        z = memory.next(image: image, change: image - z)
      }
      return result(next, start)
    }

    private func result(_ value: Tensor<Scalar>, _ start: Tensor<Scalar>?) -> Result<Scalar> {
      let startSize = start.map { Double(($0 - inputs).absolute().maximum().scalar) * 2 } ?? inputSize
      return Result(
        value: value, iterations: changes.count, errorBound: bound,
        iterationBound: settings.iterationBound(max(startSize, inputSize), tolerance: limit),
        isConverged: bound <= limit, changes: changes)
    }
  }

  private func direct<Scalar: LinearScalar>(
    _ graph: GraphStructure, _ weights: Tensor<Scalar>, _ inputs: Tensor<Scalar>
  ) throws -> Tensor<Scalar> {
    let count = graph.nodeCount
    let places = graph.destinations * count + graph.sources
    let columns = try (0..<weights.columns).map { head in
      let a = Tensor<Scalar>.zeros([count * count]).scatterAdded(weights[.all, head].copied(), at: places)
      let system = Tensor<Scalar>.identity(count) - a.reshaped([count, count]) * Scalar(gamma)
      return try LUDecomposition(of: system).solve(inputs[.all, head].copied())
    }
    return .stacked(columns, axis: 1)
  }

  /// z as a differentiable function of weights and inputs, to any order.
  ///
  /// - Parameter log: notes iterations and convergence, also of the way back.
  /// - Precondition: shapes as in ``solve(_:weights:inputs:startingFrom:)``, and weights within its bound.
  public func callAsFunction<Scalar: LinearScalar>(
    _ graph: GraphStructure, weights: Tensor<Scalar>, inputs: Tensor<Scalar>, log: FixedPointLog? = nil
  ) -> Tensor<Scalar> {
    value(graph, weights, inputs, log, isBackward: false)
  }

  private func value<Scalar: LinearScalar>(
    _ graph: GraphStructure, _ weights: Tensor<Scalar>, _ inputs: Tensor<Scalar>, _ log: FixedPointLog?,
    isBackward: Bool
  ) -> Tensor<Scalar> {
    guard weights.isDifferentiated || inputs.isDifferentiated else {
      precondition(
        weights.rank == 2 && weights.shape[0] == graph.edgeCount && inputs.shape == [graph.nodeCount, weights.columns],
        "weights of shape \(weights.shape) and inputs of shape \(inputs.shape) for \(graph.edgeCount) edges between "
          + "\(graph.nodeCount) nodes")
      let found = fixedPoint(graph, weights.dense, inputs.dense, nil)
      log?.note(found.iterations, isConverged: found.isConverged, isBackward: isBackward)
      return found.value
    }
    return customDerivatives(at: [weights, inputs]) { arguments in
      let (weights, inputs) = (arguments[0], arguments[1])
      let z = value(graph, weights, inputs, log, isBackward: isBackward)
      return (
        values: [z],
        pullback: { cotangents, wanted in
          guard let cotangent = cotangents[0] else { return [nil, nil] }
          let y = value(graph.reversed, weights, cotangent, log, isBackward: true)
          let byWeight = wanted[0] ? y.gathered(graph.destinations) * z.gathered(graph.sources) * Scalar(gamma) : nil
          return [byWeight, wanted[1] ? y : nil]
        }
      )
    }[0]
  }

  /// z = φ(γ A z + b) for a function φ that must not increase distances, by iteration.
  ///
  /// - Throws: as ``solve(_:weights:inputs:startingFrom:)``; ``ContractionError/growing`` when changes grow, which a φ that
  ///   increases distances brings about.
  public func solve<Scalar: LinearScalar>(
    _ graph: GraphStructure, weights: Tensor<Scalar>, inputs: Tensor<Scalar>,
    activation: (Tensor<Scalar>) -> Tensor<Scalar>
  ) throws -> Result<Scalar> {
    try require(graph, weights, inputs)
    return try iterated(inputs, weights) { z in
      activation(graph.summedByDestination(weights * z.gathered(graph.sources)) * Scalar(gamma) + inputs)
    }
  }

  private func iterated<Scalar: LinearScalar>(
    _ inputs: Tensor<Scalar>, _ weights: Tensor<Scalar>, _ map: (Tensor<Scalar>) -> Tensor<Scalar>
  ) throws -> Result<Scalar> {
    var z = Tensor<Scalar>.zeros(inputs.shape)
    var changes: [Double] = []
    var bound = Double.infinity
    while changes.count < iterationLimit {
      let next = map(z)
      let change = Double((next - z).absolute().maximum().scalar)
      z = next
      changes.append(change)
      bound = gamma / (1 - gamma) * change
      if bound <= tolerance { break }
      // A contraction reduces every change by γ.
      let isGrowing = changes.count > 1 && change > 1.001 * changes[changes.count - 2]
      if !change.isFinite || isGrowing && change > Double(Scalar.ulpOfOne) * 1e3 * (changes.first ?? 1) {
        throw ContractionError.growing(change / max(changes[max(changes.count - 2, 0)], .leastNormalMagnitude))
      }
    }
    let size = Double(inputs.absolute().maximum().scalar)
    return Result(
      value: z, iterations: changes.count, errorBound: bound,
      iterationBound: iterationBound(max(size, changes.first ?? 0), tolerance: tolerance),
      isConverged: bound <= tolerance, changes: changes)
  }
}

/// Why an iteration on a graph is no contraction.
public enum ContractionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The magnitudes of the weights into some node sum to this.
  case weightsTooLarge(Double)
  /// A change was this many times the one before.
  case growing(Double)

  public var description: String {
    switch self {
    case .weightsTooLarge(let sum):
      "the map is not contractive: weights into a node sum to \(sum.formatted(digits: 4)), more than 1"
    case .growing(let factor):
      "the map is not contractive: a change was \(factor.formatted(digits: 4)) times the one before"
    }
  }
}

/// What the solves of a network were like.
public final class FixedPointLog: Sendable {
  private let state = Mutex((forward: 0, backward: 0, solves: 0, failures: 0))

  public init() {}

  /// The most iterations of a solve on the way forth, and back.
  public var forwardIterations: Int { state.withLock { $0.forward } }
  public var backwardIterations: Int { state.withLock { $0.backward } }
  public var solves: Int { state.withLock { $0.solves } }
  /// Solves that did not reach the tolerance.
  public var failures: Int { state.withLock { $0.failures } }

  func note(_ iterations: Int, isConverged: Bool, isBackward: Bool) {
    state.withLock {
      if isBackward { $0.backward = max($0.backward, iterations) } else { $0.forward = max($0.forward, iterations) }
      $0.solves += 1
      if !isConverged { $0.failures += 1 }
    }
  }
}

/// next = A z + b with the weights in the order of the arrangement; returns the largest change.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func mapStep<Scalar: LinearScalar>(
  _ edges: GraphStructure.Arrangement, _ weights: Tensor<Scalar>, _ inputs: Tensor<Scalar>, _ z: Tensor<Scalar>,
  _ next: inout Tensor<Scalar>
) -> Scalar {
  let nodes = inputs.rows
  let heads = inputs.columns
  var largest: Scalar = 0
  next.withUnsafeMutableBuffer { next in
    guard let to = next.baseAddress else { return }
    z.withUnsafeBuffer { z in
      inputs.withUnsafeBuffer { inputs in
        weights.withUnsafeBuffer { weights in
          for v in 0..<nodes {
            let row = to + v &* heads
            row.update(from: inputs.baseAddress! + v &* heads, count: heads)
            for k in Int(edges.starts[v])..<Int(edges.starts[v + 1]) {
              let from = z.baseAddress! + Int(edges.others[k]) &* heads
              let w = weights.baseAddress! + k &* heads
              for h in 0..<heads { row[h] += w[h] * from[h] }
            }
            let old = z.baseAddress! + v &* heads
            var change: Scalar = 0
            for h in 0..<heads {
              let difference = (row[h] - old[h]).magnitude
              // NaN must not be lost.
              if !(difference <= change) { change = difference }
            }
            if !(change <= largest) { largest = change }
          }
        }
      }
    }
  }
  return largest
}
