// Multigrid, relaxation, clusters of graphs, unmixing, directions and fixed points, beside PyAMG, SciPy, scikit-learn,
// PySptools and PyTorch.

import FileFormats
import Imaging
import LinearAlgebra
import LinearSolvers
import Networks
import SpecialFunctions
import Tensors

var solverWorks: [Work] {
  [
    multigrid(512, bound: 1.2), multigridSetup(512, bound: 1.2), sweeps(1_000), relaxationSequence(200, 10),
    clusters(20_000, 10), unmixing(200, 16_384, 5), fractions(200, 4_096, 5), directions(64), directionStep(32),
    stencil(512), fixedPoint(64), graphStep(64),
  ]
}

/// Set-up and solution of Poisson's equation to 1e-8.
private func multigrid(_ extent: Int, bound: Double) -> Work {
  Work("amg-solve \(extent)", bound: bound) { inputs in
    let matrix = SparseMatrix<Double>.gridLaplacian([extent, extent])
    let load: Tensor<Double> = try normal([extent * extent], inputs)
    return { keep(try BootstrapAMG.singleHierarchy.build(matrix).solve(load, tolerance: 1e-8)) }
  }
}

private func multigridSetup(_ extent: Int, bound: Double) -> Work {
  Work("amg-setup \(extent)", bound: bound) { _ in
    let matrix = SparseMatrix<Double>.gridLaplacian([extent, extent])
    return { keep(try BootstrapAMG.singleHierarchy.build(matrix)) }
  }
}

/// Ten sweeps of over-relaxation with the residual after each.
private func sweeps(_ extent: Int) -> Work {
  let rows = Double(extent * extent)
  // Half of the entries with their columns; starts, diagonal and its inverse; three vectors, of which two are read.
  let bytes = 10 * rows * (2 * 12 + 4 + 16 + 16 + 16 + 8)
  return Work("sor-sweeps \(extent)", bound: 1.0, floor: .bytes(bytes)) { inputs in
    let matrix = SparseMatrix<Double>.gridLaplacian([extent, extent])
    let load: Tensor<Double> = try normal([extent * extent], inputs)
    let method = try RelaxationSweep(matrix, relaxation: 1.5)
    var (x, residual, steps) = (Tensor<Double>.zeros(load.shape), load.copied(), Tensor<Double>.zeros(load.shape))
    return {
      for _ in 0..<10 { method.sweep(solution: &x, residual: &residual, steps: &steps) }
      keep(x)
    }
  }
}

/// A sequence of small systems, with the factor chosen by ChebCB.
private func relaxationSequence(_ count: Int, _ extent: Int) -> Work {
  Work("sor-sequence \(count) \(extent)", bound: 0.1) { inputs in
    let laplacian = SparseMatrix<Double>.gridLaplacian([extent, extent])
    let loads: Tensor<Double> = try normal([count, extent * extent], inputs)
    return {
      var tuner = RelaxationTuner(solver: .overRelaxation, learner: try ChebCB(context: -0.15...0.65))
      for t in 0..<count {
        let shift = -0.15 + 0.6 * Double(t % 17) / 17
        let matrix = laplacian + SparseMatrix.identity(extent * extent) * shift
        keep(try tuner.solve(matrix, loads[t].copied(), context: shift))
      }
    }
  }
}

/// A planted partition; the peer reads its edges.
private func clusters(_ count: Int, _ classes: Int) -> Work {
  .judged("graph-clusters \(count) \(classes)", bound: 0.2) { inputs in
    var random = RandomStream(seed: 1)
    var (rows, columns): ([Int], [Int]) = ([], [])
    // Nine edges a vertex inside its class, three to anywhere.
    for i in 0..<count {
      for k in 0..<12 {
        let j =
          k < 9
          ? i % classes + classes * Int.random(in: 0..<count / classes, using: &random)
          : Int.random(in: 0..<count, using: &random)
        if i != j {
          rows += [i, j]
          columns += [j, i]
        }
      }
    }
    let weights = try SparseMatrix<Double>(
      rows: count, columns: count, rowIndices: Tensor(rows), columnIndices: Tensor(columns),
      values: .ones([rows.count]))
    let graph = weights.withValues(.ones([weights.entryCount]))
    let edges = Tensor.stacked([graph.rowIndices, graph.columnIndices])
    try writeNPY(Tensor<Double>(edges), to: "\(inputs.folder)/graph-\(count)-\(classes).npy")
    var method = AttributedGraphClustering(clusters: classes, restarts: 10)
    method.coordinates = .eigenvectors
    let fixed = method
    let planted = (0..<count).map { $0 % classes }
    return PreparedWork(run: { keep(try fixed.fit(graph)) }) {
      1 - normalizedMutualInformation(try fixed.fit(graph).labels, planted)
    }
  }
}

/// A hundred iterations from one start, which the peer has too.
private func unmixing(_ channels: Int, _ pixels: Int, _ count: Int) -> Work {
  Work("unmixing \(channels) \(pixels) \(count)", bound: 0.5) { inputs in
    let data = try (normal([channels, pixels], inputs) as Tensor<Double>).absolute()
    let m = try (normal([channels, count], inputs) as Tensor<Double>).absolute()
    let a = try (normal([count, pixels], inputs) as Tensor<Double>).absolute()
    var method = SpectralUnmixing(endmembers: count)
    (method.iterationLimit, method.tolerance) = (100, 0)
    return { keep(try method.fit(data, startingFrom: .init(endmembers: m, abundances: a))) }
  }
}

private func fractions(_ channels: Int, _ pixels: Int, _ count: Int) -> Work {
  Work("fcls \(channels) \(pixels) \(count)", bound: 0.05) { inputs in
    let data = try (normal([channels, pixels], inputs) as Tensor<Double>).absolute()
    let m = try (normal([channels, count], inputs) as Tensor<Double>).absolute()
    return { keep(try fullyConstrainedLeastSquares(data, endmembers: m)) }
  }
}

/// The network that proposes directions, once.
private func directions(_ extent: Int) -> Work {
  Work("direction-forward \(extent)", bound: 1.0) { inputs in
    var random = RandomStream(seed: 1)
    let network = DirectionNetwork<Float>(random: &random)
    let x: Tensor<Float> = try normal([1, 1, extent, extent], inputs)
    return { keep(network(x)) }
  }
}

private func directionStep(_ extent: Int) -> Work {
  Work("direction-step \(extent)", bound: 1.25) { inputs in
    var random = RandomStream(seed: 1)
    let network = DirectionNetwork<Float>(random: &random)
    let grid = try GridPoisson<Float>([extent, extent])
    let x: Tensor<Float> = try normal([10, 1, extent, extent], inputs)
    let b = x.reshaped([10, extent * extent])
    return {
      keep(
        network.valueAndGradient {
          directionLoss(grid, directions: $0(x).reshaped([10, extent * extent]), rightSides: b)
        })
    }
  }
}

/// Fifty iterations of conjugate gradients with the stencil.
private func stencil(_ extent: Int) -> Work {
  Work("stencil-cg \(extent)", bound: 0.1) { inputs in
    let grid = try GridPoisson<Double>([extent, extent])
    let b: Tensor<Double> = try normal([extent * extent], inputs)
    return { keep(try ConjugateGradients(tolerance: 0, iterationLimit: 50).solve(grid, b)) }
  }
}

private func benchmarkGraph(_ count: Int) throws -> GraphStructure {
  let (nodes, degree) = (35, 8)
  return try .union(
    try (0..<count).map { g in
      let ends = (0..<nodes * degree).map { ($0 * 7919 + g * 31 + 17) % nodes }
      return try GraphStructure(
        nodeCount: nodes, sources: ends, destinations: (0..<nodes * degree).map { $0 / degree })
    })
}

/// The fixed point alone: 64 graphs of 35 nodes with eight edges each, 64 heads, 50 iterations.
private func fixedPoint(_ graphs: Int) -> Work {
  Work("graph-fixed-point \(graphs)", bound: 0.2) { inputs in
    let graph = try benchmarkGraph(graphs)
    let b: Tensor<Float> = try normal([graph.nodeCount, 64], inputs)
    let w = Tensor<Float>(repeating: 0.125, shape: [graph.edgeCount, 64])
    let map = try ContractiveFixedPoint(gamma: 0.9, tolerance: 1e-30, iterationLimit: 50)
    return { keep(map(graph, weights: w, inputs: b)) }
  }
}

/// Forward and backward of the whole network.
private func graphStep(_ graphs: Int) -> Work {
  Work("graph-solver-step \(graphs)", bound: 0.5) { inputs in
    let graph = try benchmarkGraph(graphs)
    var random = RandomStream(seed: 1)
    let model = try ConvergentGraphSolver<Float>(nodeFeatures: 1, edgeFeatures: 1, random: &random)
    let edges: Tensor<Float> = try normal([graph.edgeCount, 1], inputs)
    let nodes = Tensor<Float>.ones([graph.nodeCount, 1])
    return { keep(model.valueAndGradient { $0(graph, nodes: nodes, edges: edges).squared().mean() }) }
  }
}
