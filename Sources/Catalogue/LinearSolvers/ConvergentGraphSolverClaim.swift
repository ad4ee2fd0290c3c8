import CatalogueCore
import LinearAlgebra
import LinearSolvers
import Networks
import SpecialFunctions
import Tensors

/// Values of random graphs, up to eight times as large as those of the training, by fixed points and by depth.
struct ConvergentGraphSolverClaim {
  let settings: ClaimSettings
  private let sizes = [(25, 4), (100, 5), (200, 5)]

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try policies(&evidence)
    try convergence(&evidence)
    try waysToTheFixedPoint(&evidence)
    if settings.isFull { try valueIteration(&evidence) } else { try sanity(&evidence) }
    try networkFlow(&evidence)
    try molecules(&evidence)
    return evidence
  }

  private struct Score { var error, explained, relative: Double }

  private func score(
    _ model: ConvergentGraphSolver<Float>, nodes: Int, inEdges: Int, _ policy: GraphValueTask.Policy,
    log: FixedPointLog? = nil
  ) throws -> Score {
    let all = try testGraphs(nodes, inEdges, policy)
    let y = Tensor<Double>(
      model(all.graph, nodes: Tensor<Float>(all.nodes), edges: Tensor<Float>(all.edges), log: log)
    ).flattened
    let error = (y - all.targets).squared().mean().scalar
    let variance = (all.targets - all.targets.mean().scalar).squared().mean().scalar
    return Score(
      error: error.squareRoot(), explained: 1 - error / variance,
      relative: ((y - all.targets) / all.targets).absolute().mean().scalar)
  }

  /// Twenty graphs as one.
  private func testGraphs(
    _ nodes: Int, _ inEdges: Int, _ policy: GraphValueTask.Policy
  ) throws -> GraphExample {
    var random = RandomStream(seed: settings.seed &+ 999)
    let task = GraphValueTask(policy, nodes: nodes..<nodes + 1, inEdges: inEdges..<inEdges + 1)
    return try .union((0..<20).map { _ in try task.example(random: &random) })
  }

  private func policies(_ evidence: inout Evidence) throws {
    let claimed = [
      (".090 / .974", ".163 / .915"), (".071 / .971", ".137 / .895"), (".071 / .962", ".133 / .865"),
    ]
    let seeds = settings.isFull ? [1, 2, 3] as [UInt64] : [1]
    var scores = (convergent: [[Score]](), plain: [[Score]]())
    let log = FixedPointLog()
    for seed in seeds {
      var networks: [ConvergentGraphSolver<Float>] = []
      for usesFixedPoint in [true, false] {
        guard settings.isFull else {
          networks.append(try policyNetwork(usesFixedPoint: usesFixedPoint))
          continue
        }
        var model = try emptyPolicyNetwork(usesFixedPoint: usesFixedPoint, seed: seed)
        let training = GraphTraining(
          GraphValueTask(.mean, nodes: 15..<30, inEdges: 3..<6), steps: 1_100, seed: seed)
        _ = try training.train(&model, progress: settings.progress)
        networks.append(model)
      }
      scores.convergent.append(try sizes.map { try score(networks[0], nodes: $0.0, inEdges: $0.1, .mean, log: log) })
      scores.plain.append(try sizes.map { try score(networks[1], nodes: $0.0, inEdges: $0.1, .mean) })
    }
    var table = Table(
      "Values under the mean policy, trained on 15 to 29 nodes",
      columns: [
        "nodes", "fixed points: RMSE", "R²", "specification", "three layers: RMSE", "R²", "specification", "ratio",
      ],
      caption: "1,100 updates of either network on the same graphs; medians of \(seeds.count).")
    var curves: [[Double]] = [[], []]
    for (k, (nodes, _)) in sizes.enumerated() {
      let own = scores.convergent.map { $0[k] }
      let other = scores.plain.map { $0[k] }
      let ratio = median(own.map(\.error)) / median(other.map(\.error))
      table.add([
        nodes, median(own.map(\.error)), median(own.map(\.explained)), claimed[k].0, median(other.map(\.error)),
        median(other.map(\.explained)), claimed[k].1, ratio,
      ])
      curves[0].append(median(own.map(\.error)))
      curves[1].append(median(other.map(\.error)))
      evidence.check(
        "RMSE over that of the layers, \(nodes) nodes", claimed: "0.52 to 0.55", measured: ratio, .atMost(0.65))
      if nodes == 25 {
        evidence.check(
          "R² on 25 nodes", claimed: ".974", measured: median(own.map(\.explained)), .atLeast(0.95))
      } else if nodes == 200 {
        evidence.check(
          "R² on 200 nodes", claimed: ".962", measured: median(own.map(\.explained)), .atLeast(0.93))
      }
    }
    evidence.tables.append(table)
    evidence.check(
      "solves that did not converge", claimed: "0", measured: Double(log.failures), .atMost(0))
    evidence.notes.append("The longest solve under the mean policy took \(log.forwardIterations) iterations.")
    let x = sizes.map { Double($0.0) }
    evidence.plots.append(
      Plot(
        "Error against size", x: "nodes", y: "root mean square error",
        [
          Series("fixed points", x: x, y: curves[0], .lineAndPoints),
          Series("three layers", x: x, y: curves[1], .lineAndPoints),
        ]))
  }

  /// Iterations against their bound, and what happens without the contraction.
  private func convergence(_ evidence: inout Evidence) throws {
    let model = try policyNetwork(usesFixedPoint: true)
    var (isWithin, diverging): (Bool, Int) = (true, 0)
    var random = RandomStream(seed: settings.seed)
    let task = GraphValueTask(.mean, nodes: 25..<201, inEdges: 3..<6)
    let count = 20
    for k in 0..<count {
      let example = try task.example(random: &random)
      let (b, w) = model.encode(
        example.graph, nodes: Tensor<Float>(example.nodes), edges: Tensor<Float>(example.edges))
      let found = try model.fixedPoint.solve(example.graph, weights: w, inputs: b)
      isWithin = isWithin && found.isConverged && found.iterations <= found.iterationBound
      if k == 0 {
        let first = found.changes.first ?? 1
        evidence.plots.append(
          Plot(
            "Changes of the fixed point", x: "iteration", y: .logarithmic("largest change"),
            [
              Series("measured", found.changes),
              Series("first change times 0.9^k", found.changes.indices.map { first * .pow(0.9, $0) }),
            ]))
      }
      // Absolute weights, every row rescaled to 1.5 / γ: no contraction any more.
      let sums = example.graph.summedByDestination(w.absolute()).maximum(1e-20).gathered(example.graph.destinations)
      let wild = w.absolute() / sums * Float(1.5 / 0.9)
      var z = Tensor<Float>.zeros(b.shape)
      var changes: [Float] = []
      for _ in 0..<60 {
        let next = example.graph.summedByDestination(wild * z.gathered(example.graph.sources)) * 0.9 + b
        changes.append((next - z).absolute().maximum().scalar)
        z = next
      }
      if changes[59] > 1e3 * changes[0] { diverging += 1 }
    }
    evidence.check(
      "iterations within the geometric bound, on \(count) graphs", claimed: "all",
      measured: isWithin ? "all" : "not all",
      holds: isWithin)
    evidence.check(
      "graphs on which rows of sum 1.5 / γ diverge, of \(count)", claimed: "all", measured: Double(diverging),
      .atLeast(Double(count)))
  }

  /// That training still learns.
  private func sanity(_ evidence: inout Evidence) throws {
    var model = try emptyPolicyNetwork(usesFixedPoint: true, seed: settings.seed)
    let before = try score(model, nodes: 25, inEdges: 4, .mean).error
    let training = GraphTraining(
      GraphValueTask(.mean, nodes: 15..<30, inEdges: 3..<6), steps: 300, seed: settings.seed)
    _ = try training.train(&model, progress: settings.progress)
    let ratio = try score(model, nodes: 25, inEdges: 4, .mean).error / before
    evidence.check(
      "RMSE on 25 nodes after 300 updates from scratch over that before", claimed: "falls", measured: ratio, .below(0.8)
    )
    evidence.notes.append(
      "The quick form reads the weights that this training wrote, from the program; the full form trains three of each "
        + "network, and learns value iteration with the best edge.")
  }

  // MARK: Value iteration

  private func valueIteration(_ evidence: inout Evidence) throws {
    let sizes = [(35, 8), (100, 8), (200, 8)]
    let variants: [(String, Double, Bool, String)] = [
      ("fixed points, γ = 0.9", 0.9, true, "4.2 4.0 3.7"), ("fixed points, γ = 0.5", 0.5, true, "5.6 7.1 7.1"),
      ("three layers", 0.9, false, "5.8 7.5 7.4"),
    ]
    var table = Table(
      "Values under the best policy, mean relative error in %, medians of 3 seeds",
      columns: ["network", "specification", "35 nodes", "100 nodes", "200 nodes"],
      caption: "Every network learned for 240 updates of 16 graphs with 20 to 49 nodes.")
    var medians: [[Double]] = []
    for (name, gamma, usesFixedPoint, claimed) in variants {
      var errors: [[Double]] = []
      for seed in [1, 2, 3] as [UInt64] {
        var random = RandomStream(seed: seed)
        var model = try ConvergentGraphSolver<Float>(
          nodeFeatures: 1, edgeFeatures: 1, heads: 32, gamma: gamma, hiddenLayers: usesFixedPoint ? 1 : 3, hidden: 32,
          usesFixedPoint: usesFixedPoint, random: &random)
        let training = GraphTraining(
          GraphValueTask(.best, nodes: 20..<50, inEdges: 5..<10), steps: 240, batchSize: 16, seed: seed)
        _ = try training.train(&model, progress: settings.progress)
        errors.append(
          try sizes.map { try score(model, nodes: $0.0, inEdges: $0.1, .best).relative * 100 })
      }
      let row = sizes.indices.map { k in median(errors.map { $0[k] }) }
      medians.append(row)
      table.add([name, claimed, row[0], row[1], row[2]])
    }
    evidence.tables.append(table)
    evidence.check(
      "relative error on 200 nodes over that on 35", claimed: "0.88", measured: medians[0][2] / medians[0][0],
      .atMost(1.1))
    let ratio = medians[0][2] / medians[2][2]
    evidence.notes.append(
      "Under the best policy the fixed points' relative error on 200 nodes is \(ratio.formatted(digits: 3)) times that of three "
        + "layers, where the specification has 0.5: not asserted. Here the layers do as well as the fixed points, also after "
        + "1,000 updates (3.7 and 3.8 %): values under the best policy vary little within a graph of equal in-degrees, and "
        + "both networks are near the error of predicting their mean.")
  }
}
