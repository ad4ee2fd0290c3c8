import LinearAlgebra
import LinearSolvers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct GraphSolverTests {
  private func graph(_ nodes: Int, _ edges: Int, _ generator: inout TestGenerator) throws -> GraphStructure {
    try GraphStructure(
      nodeCount: nodes, sources: (0..<edges).map { _ in Int.random(in: 0..<nodes, using: &generator) },
      destinations: (0..<edges).map { _ in Int.random(in: 0..<nodes, using: &generator) })
  }

  /// Weights that sum to at most one over the edges into a node.
  private func weights(_ graph: GraphStructure, _ heads: Int, _ generator: inout TestGenerator) -> Tensor<Double> {
    let raw = (generator.tensor([graph.edgeCount, heads]) as Tensor<Double>).absolute()
    return raw / Tensor(graph.inDegrees.map { Double(max($0, 1)) }).gathered(graph.destinations).expanded(axis: 1)
  }

  private func dense(_ graph: GraphStructure, _ weights: Tensor<Double>) -> Tensor<Double> {
    let places = graph.destinations * graph.nodeCount + graph.sources
    return Tensor<Double>.zeros([graph.nodeCount * graph.nodeCount]).scatterAdded(weights, at: places)
      .reshaped([graph.nodeCount, graph.nodeCount])
  }

  @Test(arguments: 0..<6)
  func fixedPointsAreThoseOfTheLinearSystem(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let graph = try graph(20, 70, &generator)
    let w = weights(graph, 3, &generator)
    let b: Tensor<Double> = generator.tensor([20, 3])
    for gamma in [0.3, 0.9] {
      let solver = try ContractiveFixedPoint(gamma: gamma, tolerance: 1e-9)
      let found = try solver.solve(graph, weights: w, inputs: b)
      #expect(found.isConverged && found.errorBound <= 1e-9 && found.iterations <= found.iterationBound, "seed \(seed)")
      for head in 0..<3 {
        let system = Tensor<Double>.identity(20) - dense(graph, w[.all, head].copied()) * gamma
        let exact = try LUDecomposition(of: system).solve(b[.all, head].copied())
        #expect(distance(found.value[.all, head].copied(), exact) <= found.errorBound + 1e-13, "seed \(seed)")
      }
      for (before, after) in zip(found.changes, found.changes.dropFirst()) {
        #expect(after <= gamma * before * (1 + 1e-9) + 1e-15)
      }
      let elsewhere = try solver.solve(
        graph, weights: w, inputs: b, startingFrom: generator.tensor([20, 3]) * 50)
      #expect(distance(elsewhere.value, found.value) < 1e-6)
      let direct = try ContractiveFixedPoint(gamma: gamma, tolerance: 1e-9, solver: .direct)
      #expect(distance(direct(graph, weights: w, inputs: b), found.value) < 1e-8)
      let solved = try direct.solve(graph, weights: w, inputs: b)
      #expect(solved.iterations == 1 && solved.errorBound < 1e-12 && solved.isConverged)
      for depth in [1, 5] {
        let accelerated = try ContractiveFixedPoint(gamma: gamma, tolerance: 1e-9, solver: .anderson(depth: depth))
        let quick = try accelerated.solve(graph, weights: w, inputs: b)
        #expect(quick.isConverged && quick.errorBound <= 1e-9 && quick.iterations <= found.iterations, "seed \(seed)")
        #expect(distance(quick.value, found.value) <= quick.errorBound + found.errorBound, "seed \(seed)")
      }
    }
    // Weights that sum to one into every node, and a factor near one: where the iteration is slow.
    let sums = graph.summedByDestination(w).maximum(1e-9).gathered(graph.destinations)
    let slow = try ContractiveFixedPoint(gamma: 0.99, tolerance: 1e-8, iterationLimit: 10_000)
      .solve(graph, weights: w / sums, inputs: b)
    let quick = try ContractiveFixedPoint(gamma: 0.99, tolerance: 1e-8, solver: .anderson())
      .solve(graph, weights: w / sums, inputs: b)
    #expect(slow.isConverged && quick.isConverged && quick.iterations < slow.iterations / 10, "seed \(seed)")
    let bound = quick.errorBound + slow.errorBound
    #expect(distance(quick.value, slow.value) <= bound, "seed \(seed)")
    let nearly = try ContractiveFixedPoint(gamma: 1e-9).solve(graph, weights: w, inputs: b)
    #expect(distance(nearly.value, b) < 1e-7)
  }

  @Test(arguments: [0.0, 1e6, -1e6])
  func logitsOfAnySizeAreContractions(size: Double) throws {
    var generator = TestGenerator(seed: 2)
    let graph = try graph(15, 60, &generator)
    var random = RandomStream(seed: 1)
    for normalizer in [ConvergentGraphSolver<Double>.Normalizer.inDegree, .outDegree, .softmax] {
      let model = try ConvergentGraphSolver<Double>(
        nodeFeatures: 1, edgeFeatures: 1, heads: 4, normalizer: normalizer, random: &random)
      let w = model.normalized(generator.tensor([60, 4]) + size, graph)
      let along = normalizer == .outDegree ? graph.reversed : graph
      #expect(w.isFinite && w.minimum().scalar >= 0)
      #expect(along.summedByDestination(w).maximum().scalar <= 1 + 1e-12)
      let found = try ContractiveFixedPoint().solve(along, weights: w, inputs: .ones([15, 4]))
      #expect(found.isConverged)
    }
  }

  @Test(arguments: 0..<4)
  func derivativesOfAnyOrder(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let graph = try graph(4, 9, &generator)
    let w = weights(graph, 2, &generator)
    let solver = try ContractiveFixedPoint(gamma: 0.7, tolerance: 1e-14)
    for way in [ContractiveFixedPoint.Solver.picard, .anderson(depth: 4), .direct] {
      let solver = try ContractiveFixedPoint(gamma: 0.7, tolerance: 1e-14, solver: way)
      let check = DerivativeCase(
        "fixed point", at: { random in [w, random.tensor([4, 2])] },
        function: { [solver(graph, weights: $0[0], inputs: $0[1]).squared()] })
      let errors = try check.errors(seed: seed)
      #expect(errors.first < 1e-7 && errors.second < 1e-5, "\(way), seed \(seed): \(errors)")
    }
    // The same as through two hundred iterations.
    let b: Tensor<Double> = generator.tensor([4, 2])
    let implicit = valueAndGradients(at: [w, b]) {
      solver(graph, weights: $0[0], inputs: $0[1]).squared().sum()
    }.gradients
    let unrolled = valueAndGradients(at: [w, b]) { x in
      var z = Tensor<Double>.zeros([4, 2])
      for _ in 0..<200 { z = graph.summedByDestination(x[0] * z.gathered(graph.sources)) * 0.7 + x[1] }
      return z.squared().sum()
    }.gradients
    for (a, b) in zip(implicit, unrolled) { #expect(distance(a, b) < 1e-7, "seed \(seed)") }
  }

  @Test func gradientsReachTheEncoder() throws {
    var random = RandomStream(seed: 3)
    let task = GraphValueTask(.mean, nodes: 6..<7, inEdges: 2..<3)
    let example = try task.example(random: &random)
    var model = try ConvergentGraphSolver<Double>(
      nodeFeatures: 1, edgeFeatures: 1, heads: 3, gamma: 0.8, hiddenLayers: 1, hidden: 5, decoder: [4],
      random: &random)
    model = model.withTolerance(1e-13)
    func loss(_ model: ConvergentGraphSolver<Double>) -> Tensor<Double> {
      let y = model(example.graph, nodes: example.nodes, edges: example.edges)
      return (y - example.targets.expanded(axis: 1)).squared().mean()
    }
    let (_, gradient) = model.valueAndGradient { loss($0) }
    for (name, tensor) in zip(gradient.names, gradient.tensors) {
      func value(_ change: Double) -> Double {
        var moved = model
        moved.forEachParameter { own, parameter in
          guard own == name else { return }
          parameter = parameter.copied()
          parameter.withUnsafeMutableBuffer { $0[0] += change }
        }
        return loss(moved).scalar
      }
      let difference = (value(1e-6) - value(-1e-6)) / 2e-6
      #expect(abs(difference - tensor.flattened[at: 0]) < 1e-5 * max(1, abs(difference)), "\(name)")
    }
  }

  @Test func namesOfNodesDoNotMatter() throws {
    var random = RandomStream(seed: 4)
    var generator = TestGenerator(seed: 4)
    let graph = try graph(12, 40, &generator)
    let model = try ConvergentGraphSolver<Double>(
      nodeFeatures: 2, edgeFeatures: 1, heads: 4, hiddenLayers: 2, hidden: 8, random: &random)
    let nodes: Tensor<Double> = generator.tensor([12, 2])
    let edges: Tensor<Double> = generator.tensor([40, 1])
    let y = model(graph, nodes: nodes, edges: edges)
    let order = random.permutation(12).scalars
    var place = [Int](repeating: 0, count: 12)
    for (new, old) in order.enumerated() { place[old] = new }
    let renamed = try GraphStructure(
      nodeCount: 12, sources: graph.sources.scalars.map { place[$0] },
      destinations: graph.destinations.scalars.map { place[$0] })
    let moved = model(renamed, nodes: nodes.gathered(Tensor(order)), edges: edges)
    #expect(distance(moved, y.gathered(Tensor(order))) < 1e-6)
    // Side by side as apart.
    let other = try self.graph(5, 11, &generator)
    let (otherNodes, otherEdges): (Tensor<Double>, Tensor<Double>) = (
      generator.tensor([5, 2]), generator.tensor([11, 1])
    )
    let both = model(
      try .union([graph, other]), nodes: .concatenated([nodes, otherNodes]), edges: .concatenated([edges, otherEdges]))
    let apart = Tensor.concatenated([y, model(other, nodes: otherNodes, edges: otherEdges)])
    #expect(distance(both, apart) < 1e-5)
    for task in [ConvergentGraphSolver<Double>.Task.graphSum, .graphMean] {
      let reader = try ConvergentGraphSolver<Double>(
        nodeFeatures: 2, edgeFeatures: 1, heads: 4, hidden: 8, outputs: 3, task: task, random: &random)
      let members = Tensor([Int](repeating: 0, count: 12) + [Int](repeating: 1, count: 5))
      let read = reader(
        try .union([graph, other]), nodes: .concatenated([nodes, otherNodes]),
        edges: .concatenated([edges, otherEdges]), graphs: members)
      #expect(read.shape == [2, 3])
      #expect(distance(read[0].copied(), reader(graph, nodes: nodes, edges: edges)[0].copied()) < 1e-4)
    }
  }

  @Test func nodesWithoutEdgesAndRepeatedEdges() throws {
    let graph = try GraphStructure(nodeCount: 3, sources: [0, 0, 1], destinations: [1, 1, 0])
    let solver = try ContractiveFixedPoint(gamma: 0.5, tolerance: 1e-12)
    let w = Tensor([[0.5], [0.5], [1.0]])
    let z = try solver.solve(graph, weights: w, inputs: Tensor([[1.0], [2], [3]])).value
    // z2 = 3; z1 = (z0 + z0) / 4 + 2; z0 = z1 / 2 + 1.
    #expect(abs(z[at: 2, 0] - 3) < 1e-12)
    #expect(abs(z[at: 1, 0] - (z[at: 0, 0] / 2 + 2)) < 1e-10 && abs(z[at: 0, 0] - (z[at: 1, 0] / 2 + 1)) < 1e-10)
    let empty = try GraphStructure(nodeCount: 2, sources: [], destinations: [])
    let alone = try solver.solve(empty, weights: .zeros([0, 1]), inputs: Tensor([[1.0], [2]]))
    #expect(alone.isConverged && alone.value == Tensor([[1.0], [2]]))
  }

  @Test(arguments: 0..<4)
  func policiesAreEvaluatedExactly(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let example = try GraphValueTask(.mean, nodes: 30..<50, inEdges: 3..<6).example(random: &random)
    let graph = example.graph
    let shares = Tensor(graph.inDegrees.map { 1 / Double($0) }).gathered(graph.destinations).expanded(axis: 1)
    let means = graph.summedByDestination(example.edges * shares)
    let found = try ContractiveFixedPoint(gamma: 0.9, tolerance: 1e-8).solve(graph, weights: shares, inputs: means)
    #expect(distance(found.value.flattened, example.targets) < 1e-6, "seed \(seed)")
    let best = try graphValueIteration(graph, rewards: example.edges.flattened, policy: .best)
    #expect((best.values - example.targets).minimum().scalar > -1e-8 && best.errorBound <= 1e-10)
    for (v, edge) in best.bestEdges.enumerated() {
      let e = try #require(edge)
      #expect(graph.destinations[at: e] == v)
      let value = example.edges[at: e, 0] + 0.9 * best.values[at: graph.sources[at: e]]
      #expect(abs(value - best.values[at: v]) < 1e-8)
    }
  }

  @Test func aFewUpdatesLearn() throws {
    var random = RandomStream(seed: 5)
    var model = try ConvergentGraphSolver<Float>(
      nodeFeatures: 1, edgeFeatures: 1, heads: 8, gamma: 0.9, hiddenLayers: 0, hidden: 16, random: &random)
    let log = FixedPointLog()
    let task = GraphValueTask(.mean, nodes: 10..<15, inEdges: 2..<4)
    let held = try GraphExample.union((0..<10).map { _ in try task.example(random: &random) })
    func error(_ model: ConvergentGraphSolver<Float>) -> Float {
      let y = model(held.graph, nodes: Tensor<Float>(held.nodes), edges: Tensor<Float>(held.edges)).flattened
      return (y - Tensor<Float>(held.targets)).squared().mean().scalar
    }
    let before = error(model)
    let losses = try GraphTraining(task, steps: 200, batchSize: 4).train(&model, log: log)
    #expect(losses.count == 200)
    #expect(error(model) < 0.7 * before)
    #expect(log.solves >= 160 && log.failures == 0 && log.backwardIterations > 0)
    // Changes shrink by 0.9: some fifty to two hundred iterations, forth and back.
    #expect((50..<300).contains(log.forwardIterations) && (50..<300).contains(log.backwardIterations))
    let accelerated = FixedPointLog()
    _ = try GraphTraining(task, steps: 4, batchSize: 4).train(&model, log: accelerated)
    model = model.withSolver(.anderson())
    let quick = FixedPointLog()
    _ = try GraphTraining(task, steps: 4, batchSize: 4).train(&model, log: quick)
    #expect(quick.forwardIterations < accelerated.forwardIterations / 2 && quick.failures == 0)
  }

  @Test(arguments: 0..<6)
  func potentialsAreThoseOfTheLaplacian(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let example = try NetworkFlowTask(nodes: 12..<30).example(random: &random)
    let (graph, c, p) = (example.graph, example.edges.flattened, example.targets)
    // Kirchhoff: what flows into a node flows out of it, but where potentials are prescribed.
    let flows = c * (p.gathered(graph.sources) - p.gathered(graph.destinations))
    let sums = graph.summedByDestination(flows.expanded(axis: 1)).flattened
    let free = try #require(example.counted)
    #expect(free.count > 0 && sums.gathered(free).largestMagnitude < 1e-9, "seed \(seed)")
    #expect(p.absolute().maximum().scalar <= 1, "the maximum principle, seed \(seed)")
    for v in 0..<graph.nodeCount where example.nodes[at: v, 0] == 1 { #expect(p[at: v] == example.nodes[at: v, 1]) }
    // Every pair of the Gabriel graph by its definition, which is connected.
    #expect(graph.edgeCount >= 2 * (graph.nodeCount - 1) && graph.edgeCount <= 2 * (3 * graph.nodeCount - 6))
    let twice = try GraphExample.union([example, example])
    #expect(twice.countedTargets == .concatenated([example.countedTargets, example.countedTargets]))
  }

  @Test func moleculesFollowTheirRule() throws {
    var random = RandomStream(seed: 7)
    let task = MoleculeTask()
    var active = 0.0
    for _ in 0..<200 {
      let example = try task.example(random: &random)
      let graph = example.graph
      #expect(example.nodes.sum(axis: 1) == .ones([graph.nodeCount]))
      // Rings, from edges and vertices: the graph is connected.
      let rings = graph.edgeCount / 2 - graph.nodeCount + 1
      #expect((1...4).contains(rings))
      let nitro = (0..<graph.edgeCount).contains { example.edges[at: $0, 1] == 1 }
      #expect(example.targets[at: 0] == (rings >= 3 || rings == 2 && nitro ? 1 : 0))
      active += example.targets[at: 0]
    }
    #expect((80...170).contains(active))
    var model = try ConvergentGraphSolver<Float>(
      nodeFeatures: 4, edgeFeatures: 3, heads: 8, hiddenLayers: 1, hidden: 16, task: .graphSum, random: &random)
    let held = try GraphExample.union((0..<100).map { _ in try task.example(random: &random) })
    func accuracy() -> Double {
      let isActive = held.answers(of: model) .> 0
      return Double(zip(isActive.scalars, held.targets.scalars).count { $0 == ($1 > 0.5) }) / 100
    }
    var training = GraphTraining(task, steps: 300, batchSize: 16)
    training.learningRate = 5e-3
    let losses = try training.train(&model)
    let (early, late) = (losses.prefix(20).reduce(0, +), losses.suffix(20).reduce(0, +))
    #expect(late < 0.8 * early)
    let accuracy = accuracy()
    #expect(accuracy > 0.75)
  }

  @Test func wrongNetworksAreRefused() throws {
    let line = try GraphStructure(nodeCount: 4, sources: [0, 1, 2, 3], destinations: [1, 0, 3, 2])
    let c = Tensor<Double>.ones([4])
    let found = try networkPotentials(line, conductances: c, prescribed: Tensor([0, 3]), values: Tensor([1.0, 2]))
    #expect(distance(found, Tensor([1.0, 1, 2, 2])) < 1e-12)
    #expect(throws: InvalidArgument.self) {
      try networkPotentials(line, conductances: c, prescribed: Tensor([0]), values: Tensor([1.0]))
    }
    #expect(throws: InvalidArgument.self) {
      try networkPotentials(line, conductances: -c, prescribed: Tensor([0, 3]), values: Tensor([1.0, 2]))
    }
    #expect(throws: InvalidArgument.self) {
      try networkPotentials(line, conductances: c, prescribed: Tensor([0, 4]), values: Tensor([1.0, 2]))
    }
    #expect(throws: InvalidArgument.self) {
      try networkPotentials(
        line, conductances: Tensor([1.0, 2, 1, 1]), prescribed: Tensor([0, 3]), values: Tensor([1.0, 2]))
    }
    #expect(throws: InvalidArgument.self) { try ContractiveFixedPoint(solver: .anderson(depth: 0)) }
  }

  @Test func badInput() throws {
    #expect(throws: InvalidArgument.self) { try GraphStructure(nodeCount: 0, sources: [], destinations: []) }
    #expect(throws: InvalidArgument.self) { try GraphStructure(nodeCount: 2, sources: [0], destinations: [2]) }
    #expect(throws: InvalidArgument.self) { try GraphStructure(nodeCount: 2, sources: [0], destinations: []) }
    for gamma in [0, 1, -0.5, Double.nan] {
      #expect(throws: InvalidArgument.self) { try ContractiveFixedPoint(gamma: gamma) }
    }
    let graph = try GraphStructure(nodeCount: 2, sources: [0, 1], destinations: [1, 0])
    let solver = try ContractiveFixedPoint(gamma: 0.9)
    let b = Tensor<Double>.ones([2, 1])
    #expect(throws: InvalidArgument.self) { try solver.solve(graph, weights: .ones([3, 1]), inputs: b) }
    #expect(throws: InvalidArgument.self) { try solver.solve(graph, weights: .ones([2, 1]) * .nan, inputs: b) }
    #expect(throws: ContractionError.self) { try solver.solve(graph, weights: .ones([2, 1]) * 1.5, inputs: b) }
    // An activation that increases distances shows by its changes.
    #expect(throws: ContractionError.self) {
      try solver.solve(graph, weights: .ones([2, 1]), inputs: b) { $0 * 1.5 }
    }
    let tame = try solver.solve(graph, weights: .ones([2, 1]), inputs: b) { $0.tanh() }
    #expect(tame.isConverged)
    var limited = solver
    limited.iterationLimit = 3
    let cut = try limited.solve(graph, weights: .ones([2, 1]), inputs: b)
    #expect(!cut.isConverged && cut.errorBound >= distance(cut.value, Tensor(repeating: 10, shape: [2, 1])) - 1e-9)
    #expect(throws: InvalidArgument.self) { try graphValueIteration(graph, rewards: .ones([3]), policy: .mean) }
    #expect(throws: InvalidArgument.self) {
      try graphValueIteration(graph, rewards: .ones([2]), policy: .mean, discount: 1)
    }
  }
}
