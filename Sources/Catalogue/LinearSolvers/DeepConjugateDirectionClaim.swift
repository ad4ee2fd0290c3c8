import CatalogueCore
import Datasets
import LinearAlgebra
import LinearSolvers
import Tensors

/// A network trained on a square of 32 x 32 cells, there, on larger squares and on other domains.
struct DeepConjugateDirectionClaim {
  let settings: ClaimSettings
  private let tolerance = 1e-6

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    let network = try network(&evidence)
    try square(&evidence, network)
    try domains(&evidence, network)
    try sizes(&evidence, network)
    evidence.notes.append(
      "The claim is about iterations. At these sizes conjugate gradients are faster in seconds by far, as the table says: "
        + "an iteration costs a pass of a network of 32,657 weights. The paper's gain in time is at 10⁶ unknowns on a "
        + "graphics processor.")
    return evidence
  }

  /// The shipped network, or in the full form one that is trained here.
  private func network(_ evidence: inout Evidence) throws -> DirectionNetwork<Float> {
    var random = settings.random
    var network = DirectionNetwork<Float>(random: &random)
    guard settings.isFull else {
      try network.load(from: Datasets.conjugateDirectionModel())
      let grid = try GridPoisson<Float>([32, 32])
      let double = try GridPoisson<Double>([32, 32])
      let ritz = try ritzVectors(double, count: 300, random: &random)
      var training = DirectionTraining()
      training.batchSize = 100
      let batch = Tensor<Float>(training.mixtures(of: ritz, random: &random))
      let output = network(batch.reshaped([100, 1, 32, 32])).reshaped([100, 1_024])
      let loss = Double(directionLoss(grid, directions: output, rightSides: batch).scalar)
      evidence.check(
        "loss of the shipped network on 100 fresh mixtures", claimed: "0.0206", measured: loss, .atMost(0.05))
      return network
    }
    let found = try DirectionTraining(steps: 500, seed: settings.seed)
      .train(network, on: GridPoisson<Float>([32, 32]), progress: settings.progress)
    let last = found.losses.suffix(20).reduce(0, +) / 20
    evidence.check("training loss after 500 updates, mean of 20", claimed: "0.0206", measured: last, .atMost(0.05))
    evidence.plots.append(
      Plot("Training", x: "update", y: .logarithmic("loss"), [Series("", found.losses)]))
    return found.network
  }

  private struct Comparison {
    var ours, gradients: IterativeSolution<Double>
    var fallbacks: Int
    var isMonotone: Bool
    var seconds: (ours: Double, gradients: Double)
    var ratio: Double { Double(gradients.iterations) / Double(max(ours.iterations, 1)) }
  }

  private func compare(
    _ grid: GridPoisson<Double>, _ b: Tensor<Double>, _ network: DirectionNetwork<Float>
  ) throws -> Comparison {
    let clock = ContinuousClock()
    let model = try NetworkDirection(network, on: grid)
    let start = clock.now
    let ours = try DeepConjugateDirections(tolerance: tolerance).solve(grid, b, model: model)
    let middle = clock.now
    let plain = try DeepConjugateDirections(memory: 1, tolerance: tolerance)
      .solve(grid, b, model: FunctionDirection { $0 })
    let end = clock.now
    return Comparison(
      ours: ours.solution, gradients: plain.solution, fallbacks: ours.fallbacks,
      isMonotone: ours.energyDecreases.allSatisfy { $0 >= 0 } && ours.solution.isConverged,
      seconds: ((middle - start) / .seconds(1), (end - middle) / .seconds(1)))
  }

  /// A times normal numbers, a smooth field, and a single cell.
  private func rightSides(_ grid: GridPoisson<Double>, random: inout RandomStream) throws -> [(String, Tensor<Double>)]
  {
    let (rows, columns) = (grid.extents[0], grid.extents[1])
    func masked(_ x: Tensor<Double>) -> Tensor<Double> { grid.mask.map { x * $0 } ?? x }
    var fields: [(String, Tensor<Double>)] = []
    for _ in 0..<3 { fields.append(("A times noise", masked(try grid.apply(masked(random.normal([grid.count])))))) }
    for _ in 0..<3 {
      let phases = random.uniform([4], in: 0.5..<2.5, of: Double.self).scalars
      let values = (0..<grid.count).map { cell -> Double in
        let (x, y) = (Double(cell / columns) / Double(rows), Double(cell % columns) / Double(columns))
        return Double.sin(3 * phases[0] * x + phases[2]) * .cos(3 * phases[1] * y + phases[3])
      }
      fields.append(("smooth", masked(Tensor(values))))
    }
    let inside = grid.mask.map { ($0 .> 0).trueIndices.scalars } ?? Array(0..<grid.count)
    for _ in 0..<3 {
      let cell = inside[Int.random(in: 0..<inside.count, using: &random)]
      fields.append(("one cell", Tensor((0..<grid.count).map { $0 == cell ? 1.0 : 0 })))
    }
    return fields
  }

  private func square(_ evidence: inout Evidence, _ network: DirectionNetwork<Float>) throws {
    let grid = try GridPoisson<Double>([32, 32])
    let matrix = try grid.matrix()
    var random = RandomStream(seed: settings.seed &+ 10)
    let fields = try rightSides(grid, random: &random)
    let factor = try IncompleteCholesky(of: matrix)
    let deflation = try deflated(grid, random: &random)
    var table = Table(
      "32 x 32 cells, iterations to 1e-6",
      columns: [
        "right side", "specification", "deep directions", "conjugate gradients", "incomplete Cholesky",
        "16 deflated vectors", "multigrid", "seconds", "seconds, conjugate gradients",
      ])
    let multigrid = try BootstrapAMG.singleHierarchy.build(matrix)
    let claimed = [
      "A times noise": "18, 17, 18 of 76, 71, 76", "smooth": "16, 15, 16 of 81, 77, 81", "one cell": "15–16 of 85–86",
    ]
    var ratios: [Double] = []
    var (isMonotone, isBetter) = (true, true)
    for (k, (name, b)) in fields.enumerated() {
      let found = try compare(grid, b, network)
      let cholesky = try ConjugateGradients(tolerance: tolerance).solve(matrix, b, preconditioner: factor)
      let deflating = try ConjugateGradients(tolerance: tolerance).solve(grid, b, preconditioner: deflation)
      let amg = try multigrid.solve(b, tolerance: tolerance)
      table.add([
        name, claimed[name] ?? "", found.ours.iterations, found.gradients.iterations, cholesky.convergence.iterations,
        deflating.convergence.iterations, amg.iterations, found.seconds.ours, found.seconds.gradients,
      ])
      ratios.append(found.ratio)
      isMonotone = isMonotone && found.isMonotone
      isBetter = isBetter && found.ours.iterations <= found.gradients.iterations
      guard k == 0 else { continue }
      evidence.plots += plots(found, cholesky.convergence.history, deflating.convergence.history)
    }
    evidence.tables.append(table)
    evidence.check(
      "median ratio of iterations, conjugate gradients over deep directions", claimed: "4.2 to 5.7",
      measured: Tensor(ratios).median().scalar, .atLeast(3.5))
    evidence.check(
      "never more iterations than conjugate gradients", claimed: "yes", measured: isBetter ? "yes" : "no",
      holds: isBetter)
    evidence.check(
      "all converge, no step with a negative curvature", claimed: "yes", measured: isMonotone ? "yes" : "no",
      holds: isMonotone)
  }

  private func plots(_ found: Comparison, _ cholesky: [Double], _ deflated: [Double]) -> [Plot] {
    let (ours, plain) = (found.ours.convergence.history, found.gradients.convergence.history)
    func times(_ history: [Double], _ total: Double) -> [Double] {
      history.indices.map { total * 1e3 * Double($0 + 1) / Double(history.count) }
    }
    return [
      Plot(
        "Residual by iteration", x: "iteration", y: .logarithmic("relative residual"),
        [
          Series("deep directions", ours), Series("conjugate gradients", plain),
          Series("incomplete Cholesky", cholesky), Series("16 deflated vectors", deflated),
        ]),
      Plot(
        "Residual by time", caption: "At this size conjugate gradients win in time.",
        x: .logarithmic("milliseconds"), y: .logarithmic("relative residual"),
        [
          Series("deep directions", x: times(ours, found.seconds.ours), y: ours),
          Series("conjugate gradients", x: times(plain, found.seconds.gradients), y: plain),
        ]),
    ]
  }

  /// I + Q (Λ⁻¹ - I) Qᵀ with the 16 lowest Ritz vectors.
  private func deflated(_ grid: GridPoisson<Double>, random: inout RandomStream) throws -> FunctionOperator<Double> {
    let ritz = try ritzVectors(grid, count: 300, random: &random)
    let vectors = ritz.vectors[.all, ..<16].copied()
    let factors = ritz.values[..<16].reciprocal() * 8 - 1
    return FunctionOperator(symmetric: grid.count) { x in
      x + vectors.matmul(vectors.matmul(x, transposingA: true) * factors)
    }
  }

  private func domains(_ evidence: inout Evidence, _ network: DirectionNetwork<Float>) throws {
    let cells = (0..<1_024).map { (row: $0 / 32, column: $0 % 32) }
    let hole = cells.map { cell in
      let (y, x) = (Double(cell.row) - 15.5, Double(cell.column) - 15.5)
      return x * x + y * y > 36
    }
    let corner = cells.map { $0.row < 16 || $0.column < 16 }
    var table = Table(
      "Domains it has not seen",
      columns: ["domain", "specification", "deep directions", "conjugate gradients", "ratio"],
      caption: "Medians over nine right sides; the specification's network had learned less.")
    for (name, mask, claimed) in [("round hole", hole, "29 of 62"), ("L-shape", corner, "36 of 72")] {
      let grid = try GridPoisson<Double>([32, 32], mask: Tensor(shape: [32, 32], scalars: mask))
      let found = try medians(grid, network)
      table.add([name, claimed, found.ours, found.gradients, found.ratio])
      evidence.check("ratio of iterations, \(name)", claimed: "≥ 1.8", measured: found.ratio, .atLeast(1.8))
    }
    evidence.tables.append(table)
  }

  private func medians(
    _ grid: GridPoisson<Double>, _ network: DirectionNetwork<Float>
  ) throws -> (ours: Double, gradients: Double, ratio: Double) {
    var random = RandomStream(seed: settings.seed &+ 20)
    let all = try rightSides(grid, random: &random).map { try compare(grid, $0.1, network) }
    func median(_ value: (Comparison) -> Double) -> Double { Tensor(all.map(value)).median().scalar }
    return (median { Double($0.ours.iterations) }, median { Double($0.gradients.iterations) }, median(\.ratio))
  }

  private func sizes(_ evidence: inout Evidence, _ network: DirectionNetwork<Float>) throws {
    var table = Table(
      "Larger squares, without training", columns: ["grid", "deep directions", "conjugate gradients", "ratio"])
    var counts: [(ours: Double, gradients: Double, ratio: Double)] = []
    for extent in [32, 48, 64] {
      let found = try medians(try GridPoisson<Double>([extent, extent]), network)
      counts.append(found)
      table.add(["\(extent) x \(extent)", found.ours, found.gradients, found.ratio])
    }
    evidence.tables.append(table)
    evidence.check("ratio of iterations on 64 x 64", claimed: "≥ 1.5", measured: counts[2].ratio, .atLeast(1.5))
    evidence.check(
      "growth of iterations from 32 x 32 to 64 x 64 over that of conjugate gradients", claimed: "smaller",
      measured: counts[2].ours / counts[0].ours / (counts[2].gradients / counts[0].gradients), .below(1))
  }
}
