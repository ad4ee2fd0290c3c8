import ArgumentParser
import CatalogueCore
import Datasets
import FileFormats
import LinearAlgebra
import LinearSolvers
import Tensors

struct SolveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "solve", abstract: "Solve a sparse linear system, and say how well it is solved.",
    usage: """
      apus solve <matrix> <right-side> [--method amg|cg|sor|dcdm] [--tolerance <t>] [--iterations <n>]
                 [--relaxation <w>] [--grid <HxW>] [--mask <file>] [--model <file>] [--memory <m>]
                 [--no-error-bound] [-o <path>] [--report <dir>] [--json]
      """,
    discussion: """
      amg: conjugate gradients with multigrid hierarchies that are made until they converge fast (symmetric positive \
      definite matrices). cg: conjugate gradients scaled by the diagonal. sor: successive over-relaxation. dcdm: conjugate \
      directions that a network proposes, for matrices that couple the cells of a grid: few iterations, each of which costs \
      a pass of the network. Grids are recognized from the places of the entries, or given by --grid or --mask. The exit \
      code is 1 when the tolerance was not reached. For example:

        apus solve stiffness.mtx load.npy --method amg -o displacement.npy
        apus solve pressure.mtx divergence.npy --method dcdm --grid 64x64
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable { case amg, cg, sor, dcdm }

  @Argument(help: "The matrix: .mtx, or any array.")
  var matrix: String

  @Argument(help: "The right side, a vector (for dcdm also an array on the grid).")
  var rightSide: String

  @Option(help: "How: amg, cg, sor or dcdm.")
  var method = Method.amg

  @Option(help: ArgumentHelp("Of the relative residual.", valueName: "t"))
  var tolerance = 1e-8

  @Option(help: ArgumentHelp("Most iterations.", valueName: "n"))
  var iterations = 10_000

  @Option(help: ArgumentHelp("sor: the relaxation factor, above 0 and below 2 (1.5).", valueName: "w"))
  var relaxation: Double?

  @Option(help: ArgumentHelp("dcdm: the extents of the grid, such as 64x64 or 32x32x32.", valueName: "HxW"))
  var grid: String?

  @Option(
    help: ArgumentHelp(
      "dcdm: an array on the grid, not zero in the cells of the domain. The unknowns are all cells, or these.",
      valueName: "file"))
  var mask: String?

  @Option(
    help: ArgumentHelp(
      "dcdm: weights that `apus run deep-conjugate-direction --train` wrote; those in the program are for the plane.",
      valueName: "file"))
  var model: String?

  @Option(help: ArgumentHelp("dcdm: directions to which a new one is made conjugate (2).", valueName: "m"))
  var memory: Int?

  @Flag(inversion: .prefixedNo, help: "Bound the largest error of any unknown, where that can be proven.")
  var errorBound = true

  @Option(name: [.short, .long], help: ArgumentHelp("Where the solution goes.", valueName: "path"))
  var output: String?

  @OptionGroup var results: ResultOptions

  private struct Solution {
    var found: IterativeSolution<Double>
    var facts: [Fact] = []
    var values: [JSONValue.Member] = []
  }

  /// Options of another method are a mistake, not something to pass over.
  private func checkOptions() throws {
    let given: [(String, Bool, Method)] = [
      ("--relaxation", relaxation != nil, .sor), ("--grid", grid != nil, .dcdm), ("--mask", mask != nil, .dcdm),
      ("--model", model != nil, .dcdm), ("--memory", memory != nil, .dcdm),
    ]
    for (name, isGiven, owner) in given where isGiven && owner != method {
      throw UsageError("\(name) belongs to --method \(owner.rawValue), not to \(method.rawValue)")
    }
  }

  func run() throws {
    try checkOptions()
    if let output, ArrayFormat(extensionOf: output) == nil {
      throw UsageError("\(output): the ending tells no format; wanted .npy, .npz, .safetensors, .csv, .tsv or .mtx")
    }
    let page = try results.page()
    let start = ContinuousClock.now
    let a = try sparseMatrix()
    let array = try readArray(rightSide).real(as: Double.self)
    guard array.count == a.rows else {
      throw InvalidArgument(
        "right-side", found: "\(array.count) numbers", wanted: "\(a.rows), one for each row of the matrix")
    }
    let b = array.reshaped([array.count])
    let solution = try solve(a, b)
    let x = solution.found.solution
    if let output { try writeArray(x.reshaped(array.shape), to: output, name: "solution") }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let bound =
      errorBound && x.isFinite
      ? try largestErrorBound(a, solution: x, rightSide: b, progress: ProgressLine.shared.start("bound")) : nil
    try present(solution, a, b, seconds: seconds, bound: bound, on: page)
    guard solution.found.isConverged else { throw ExitCode(1) }
  }

  private func present(
    _ solution: Solution, _ a: SparseMatrix<Double>, _ b: Tensor<Double>, seconds: Double, bound: Double?,
    on page: ReportTarget?
  ) throws {
    let found = solution.found
    let residual = (b - a.apply(found.solution)).norm().scalar
    let size = b.norm().scalar
    let relative = size > 0 ? residual / size : residual
    var members: [JSONValue.Member] = [
      .init("method", .string(method.rawValue)), .init("size", .integer(a.rows)),
      .init("entries", .integer(a.entryCount)), .init("iterations", .integer(found.iterations)),
      .init("relative_residual", .number(relative)), .init("converged", .boolean(found.isConverged)),
      .init("stop", .string("\(found.stop)")),
    ]
    if errorBound { members.append(.init("error_bound", bound.map { .number($0) } ?? .null)) }
    members += solution.values
    members.append(.init("seconds", .number(seconds)))
    var facts = [
      Fact("Method", method.rawValue), Fact("Unknowns", a.rows), Fact("Entries", a.entryCount),
      Fact("Iterations", found.iterations), Fact("‖b - A x‖ / ‖b‖", relative),
      Fact("Converged", found.isConverged ? "yes" : "no (\(reason(found.stop)))"),
    ]
    if errorBound {
      facts.append(
        bound.map { Fact("Largest error of an unknown, at most", $0) }
          ?? Fact("Largest error of an unknown", "no bound could be proven"))
    }
    facts += solution.facts + [Fact("Seconds", (seconds * 100).rounded() / 100)]
    let history = found.convergence.history
    let plots =
      history.count < 2
      ? [] : [Plot("Residual", x: "iteration", y: .logarithmic("relative residual"), [Series("", history)])]
    try results.show(
      .facts(
        facts, plots: plots, title: "Solution of a linear system", json: .object(members), seconds: seconds,
        output: output), to: page)
  }

  private func reason(_ stop: IterativeSolution<Double>.Stop) -> String {
    switch stop {
    case .converged: "the tolerance was reached"
    case .iterationLimit: "the limit of iterations was reached"
    case .notPositiveDefinite: "the matrix is not positive definite"
    case .preconditionerNotPositiveDefinite: "the preconditioner is not positive definite"
    case .breakdown: "the iteration broke down"
    case .stagnation: "rounding allows no smaller residual"
    case .diverged: "the iteration diverged"
    }
  }

  private func sparseMatrix() throws -> SparseMatrix<Double> {
    guard matrix.lowercased().hasSuffix(".mtx") else { return try SparseMatrix(readMatrix(matrix)) }
    let entries = try readMatrixMarket(matrix)
    return try SparseMatrix(
      rows: entries.rows, columns: entries.columns, rowIndices: entries.rowIndices,
      columnIndices: entries.columnIndices,
      values: entries.values)
  }

  private func solve(_ a: SparseMatrix<Double>, _ b: Tensor<Double>) throws -> Solution {
    let progress = ProgressLine.shared.start("solve")
    switch method {
    case .amg:
      let multigrid = try BootstrapAMG().build(a, progress: progress)
      let found = try multigrid.solve(b, tolerance: tolerance, iterationLimit: iterations, progress: progress)
      return Solution(
        found: found,
        facts: [
          Fact("Hierarchies", multigrid.hierarchies.count), Fact("Operator complexity", multigrid.operatorComplexity),
          Fact("Rate of a cycle", multigrid.rate),
        ])
    case .cg:
      let found = try ConjugateGradients(tolerance: tolerance, iterationLimit: iterations).solve(
        a, b, preconditioner: JacobiPreconditioner(of: a), progress: progress)
      return Solution(found: found)
    case .sor:
      let found = try StationaryIteration(
        .overRelaxation(relaxation ?? 1.5), tolerance: tolerance, iterationLimit: iterations
      ).solve(a, b, progress: progress)
      return Solution(found: found)
    case .dcdm: return try alongDirections(a, b, progress)
    }
  }

  // MARK: Directions of a network

  private func alongDirections(
    _ a: SparseMatrix<Double>, _ b: Tensor<Double>, _ progress: WorkProgress
  ) throws -> Solution {
    let layout = try layout(of: a)
    let network = try network(dimensions: layout.extents.count)
    let method = DeepConjugateDirections(memory: memory ?? 2, tolerance: tolerance, iterationLimit: iterations)
    let result = try method.solve(a, b, network: network, layout: layout, progress: progress)
    let extents = layout.extents.map(String.init).joined(separator: " x ")
    var facts = [Fact("Grid", extents), Fact("Residual taken for a direction", result.fallbacks)]
    if let mask = layout.mask { facts.insert(Fact("Cells of the domain", mask.flattened.trueIndices.count), at: 1) }
    return Solution(
      found: result.solution, facts: facts,
      values: [
        .init("grid", .array(layout.extents.map { .integer($0) })), .init("fallbacks", .integer(result.fallbacks)),
      ])
  }

  private func layout(of a: SparseMatrix<Double>) throws -> GridLayout {
    var extents = try grid.map(extents)
    var inside: Tensor<Bool>?
    if let mask {
      let cells = try readArray(mask).real(as: Double.self)
      let found = cells .!= 0
      inside = extents.map { $0.reduce(1, *) == found.count ? found.reshaped($0) : found } ?? found
      extents = extents ?? found.shape
    }
    if let extents { return try GridLayout(extents, mask: inside, unknowns: a.rows) }
    guard let layout = GridLayout(recognizing: a) else {
      throw InvalidArgument(
        "matrix", found: "entries that do not couple neighbours on a two- or three-dimensional grid",
        wanted: "--method amg, cg or sor; or --grid HxW, or --mask FILE, if the unknowns lie on a grid")
    }
    return layout
  }

  private func extents(_ text: String) throws -> [Int] {
    let numbers = text.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard (2...3).contains(numbers.count), numbers.allSatisfy({ $0 >= 1 }) else {
      throw InvalidArgument("--grid", found: text, wanted: "two or three extents, such as 64x64")
    }
    return numbers
  }

  private func network(dimensions: Int) throws -> DirectionNetwork<Float> {
    if let model {
      let named = try readArrays(model).map { ($0.name, $0.array.real(as: Float.self)) }
      return try DirectionNetwork(weights: Dictionary(named, uniquingKeysWith: { first, _ in first }))
    }
    guard dimensions == 2 else {
      throw InvalidArgument(
        "--model", found: "none",
        wanted: "weights for a grid of \(dimensions) axes: those in the program are for the plane")
    }
    var random = RandomStream(seed: 1)
    var network = DirectionNetwork<Float>(random: &random)
    try network.load(from: Datasets.conjugateDirectionModel())
    return network
  }
}
