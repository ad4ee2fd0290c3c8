import CatalogueCore
import LinearAlgebra
import LinearSolvers
import SpecialFunctions
import Tensors

/// What the claim of `convergent-graph-solver` says of flow networks, of whole graphs, and of the ways to a fixed point.
extension ConvergentGraphSolverClaim {
  private func networks(
    nodeFeatures: Int, edgeFeatures: Int, task: ConvergentGraphSolver<Float>.Task, gamma: Double, seed: UInt64
  ) throws -> [(name: String, network: ConvergentGraphSolver<Float>)] {
    try [true, false].map { usesFixedPoint in
      var random = RandomStream(seed: seed)
      let network = try ConvergentGraphSolver<Float>(
        nodeFeatures: nodeFeatures, edgeFeatures: edgeFeatures, heads: 16, gamma: gamma,
        hiddenLayers: usesFixedPoint ? 1 : 3, hidden: 32, task: task, usesFixedPoint: usesFixedPoint, random: &random)
      return (usesFixedPoint ? "fixed points" : "three layers", network)
    }
  }

  private func testSet(_ task: some GraphTask, _ count: Int) throws -> GraphExample {
    var random = RandomStream(seed: settings.seed &+ 999)
    return try .union((0..<count).map { _ in try task.example(random: &random) })
  }

  // MARK: Flow

  func networkFlow(_ evidence: inout Evidence) throws {
    let steps = settings.size(quick: 240, full: 2_000)
    let seeds: [UInt64] = settings.isFull ? [1, 2, 3] : [settings.seed]
    let sizes = [30, 100, 200]
    let tests = try sizes.map { try testSet(NetworkFlowTask(nodes: $0..<$0 + 1), 20) }
    var errors: [String: [[Double]]] = [:]
    let log = FixedPointLog()
    for seed in seeds {
      for (name, network) in try networks(nodeFeatures: 2, edgeFeatures: 1, task: .node, gamma: 0.95, seed: seed) {
        var model = network
        let training = GraphTraining(NetworkFlowTask(nodes: 20..<40), steps: steps, seed: seed)
        _ = try training.train(&model, log: log, progress: settings.progress)
        let row = tests.map { test in
          (Tensor<Double>(test.answers(of: model)) - test.countedTargets).squared().mean().scalar.squareRoot()
        }
        errors[name, default: []].append(row)
      }
    }
    var table = Table(
      "Potentials of a flow network, root mean square error, trained on 20 to 39 nodes",
      columns: ["network"] + sizes.map { "\($0) nodes" },
      caption: "\(steps) updates of either; Gabriel graphs with a tenth of the potentials prescribed; medians of "
        + "\(seeds.count). The last line predicts their mean.")
    func medians(_ name: String) -> [Double] {
      let rows = errors[name] ?? []
      return sizes.indices.map { k in median(rows.map { $0[k] }) }
    }
    for name in ["fixed points", "three layers"] {
      table.add([name] + medians(name).map { $0 as any DatumConvertible })
    }
    let spread = tests.map { test in
      (test.countedTargets - test.countedTargets.mean().scalar).squared().mean().scalar.squareRoot()
    }
    table.add(["the mean"] + spread.map { $0 as any DatumConvertible })
    evidence.tables.append(table)
    evidence.check(
      "solves of flow networks that did not converge", claimed: "0", measured: Double(log.failures), .atMost(0))
    let (own, other) = (medians("fixed points"), medians("three layers"))
    evidence.notes.append(
      "Potentials of flow networks: the fixed points' error is "
        + zip(own, other).map { ($0 / $1).formatted(digits: 3) }.joined(separator: ", ")
        + " times that of three layers on "
        + sizes.map(String.init).joined(separator: ", ") + " nodes.")
  }

  // MARK: Whole graphs

  func molecules(_ evidence: inout Evidence) throws {
    let steps = settings.size(quick: 160, full: 1_500)
    let seeds: [UInt64] = settings.isFull ? [1, 2, 3] : [settings.seed]
    let test = try testSet(MoleculeTask(), 400)
    let isActive = test.targets .> 0.5
    let share = Double(isActive.trueIndices.count) / 400
    var accuracies: [String: [Double]] = [:]
    for seed in seeds {
      for (name, network) in try networks(nodeFeatures: 4, edgeFeatures: 3, task: .graphSum, gamma: 0.5, seed: seed) {
        var model = network
        let training = GraphTraining(MoleculeTask(), steps: steps, batchSize: 16, seed: seed)
        _ = try training.train(&model, progress: settings.progress)
        let answers = (test.answers(of: model) .> 0).scalars
        let agree = zip(answers, isActive.scalars).count { $0 == $1 }
        accuracies[name, default: []].append(Double(agree) / 400)
      }
    }
    var table = Table(
      "Classes of whole graphs by the sum of their states", columns: ["network", "accuracy on 400 graphs"],
      caption:
        "\(steps) updates of 16 graphs; medians of \(seeds.count). The graphs are made up after the pattern of MUTAG, "
        + "with an invented rule about rings and nitro groups: nothing is said about real molecules.")
    for name in ["fixed points", "three layers"] { table.add([name, median(accuracies[name] ?? [])]) }
    table.add(["the larger class", max(share, 1 - share)])
    evidence.tables.append(table)
  }

  // MARK: Ways to the fixed point

  func waysToTheFixedPoint(_ evidence: inout Evidence) throws {
    var random = RandomStream(seed: settings.seed)
    let example = try GraphValueTask(.mean, nodes: 200..<201, inEdges: 5..<6).example(random: &random)
    let graph = example.graph
    let shares = Tensor(graph.inDegrees.map { 1 / Double($0) }).gathered(graph.destinations).expanded(axis: 1)
    let inputs = graph.summedByDestination(example.edges * shares)
    var table = Table(
      "Iterations to an error of 1e-10 on 200 nodes", columns: ["γ", "Picard", "Anderson", "direct", "difference"])
    var worst = 0.0
    var isFewer = true
    for gamma in [0.5, 0.9, 0.99] {
      let results = try [ContractiveFixedPoint.Solver.picard, .anderson(), .direct].map { way in
        try ContractiveFixedPoint(gamma: gamma, tolerance: 1e-10, iterationLimit: 10_000, solver: way).solve(
          graph, weights: shares, inputs: inputs)
      }
      let difference = results.map { ($0.value - results[2].value).absolute().maximum().scalar }.max() ?? .infinity
      let bound = results.map(\.errorBound).reduce(0, +)
      worst.keepMaximum(of: difference / bound)
      isFewer = isFewer && results[1].iterations <= results[0].iterations && results.allSatisfy(\.isConverged)
      table.add([gamma, results[0].iterations, results[1].iterations, results[2].iterations, difference])
    }
    evidence.tables.append(table)
    evidence.check(
      "difference of the three solvers over their error bounds", claimed: "≤ 1", measured: worst, .atMost(1))
    evidence.check(
      "Anderson's iterations are no more than Picard's", claimed: "yes", measured: isFewer ? "yes" : "no",
      holds: isFewer)
  }
}
