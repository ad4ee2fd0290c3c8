import ArgumentParser
import CatalogueCore
import FileFormats
import LinearAlgebra
import LinearSolvers
import Tensors

struct SolveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "solve", abstract: "Solve a sparse linear system, and say how well it is solved.",
    usage: """
      apus solve <matrix> <right-side> [--method amg|cg|sor] [--tolerance <t>] [--iterations <n>]
                [--relaxation <w>] [-o <path>] [--json]
      """,
    discussion: """
      amg: conjugate gradients with multigrid hierarchies that are made until they converge fast (symmetric positive \
      definite matrices). cg: conjugate gradients scaled by the diagonal. sor: successive over-relaxation. The exit code is \
      1 when the tolerance was not reached. For example:

        apus solve stiffness.mtx load.npy --method amg -o displacement.npy
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable { case amg, cg, sor }

  @Argument(help: "The matrix: .mtx, or any array.")
  var matrix: String

  @Argument(help: "The right side, a vector.")
  var rightSide: String

  @Option(help: "How: amg, cg or sor.")
  var method = Method.amg

  @Option(help: ArgumentHelp("Of the relative residual.", valueName: "t"))
  var tolerance = 1e-8

  @Option(help: ArgumentHelp("Most iterations.", valueName: "n"))
  var iterations = 10_000

  @Option(help: ArgumentHelp("sor: the relaxation factor, above 0 and below 2.", valueName: "w"))
  var relaxation = 1.5

  @Option(name: [.short, .long], help: ArgumentHelp("Where the solution goes.", valueName: "path"))
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  private struct Solution {
    var x: Tensor<Double>
    var iterations: Int
    var isConverged: Bool
    var facts: [Fact] = []
  }

  func run() throws {
    if let output, ArrayFormat(extensionOf: output) == nil {
      throw UsageError("\(output): the ending tells no format; wanted .npy, .npz, .safetensors, .csv, .tsv or .mtx")
    }
    let start = ContinuousClock.now
    let a = try sparseMatrix()
    let b = try readArray(rightSide).real(as: Double.self)
    guard b.count == a.rows else {
      throw InvalidArgument(
        "right-side", found: "\(b.count) numbers", wanted: "\(a.rows), one for each row of the matrix")
    }
    let solution = try solve(a, b.reshaped([b.count]))
    let residual = (b.reshaped([b.count]) - a.apply(solution.x)).norm().scalar
    let size = b.norm().scalar
    let relative = size > 0 ? residual / size : residual
    if let output { try writeArray(solution.x, to: output, name: "solution") }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if json {
      Console.print(
        ([
          "method": .string(method.rawValue), "size": .integer(a.rows), "entries": .integer(a.entryCount),
          "iterations": .integer(solution.iterations), "relative_residual": .number(relative),
          "converged": .boolean(solution.isConverged), "seconds": .number(seconds),
        ] as JSONValue).text)
    } else {
      let facts =
        [
          Fact("Method", method.rawValue), Fact("Unknowns", a.rows), Fact("Entries", a.entryCount),
          Fact("Iterations", solution.iterations), Fact("‖b - A x‖ / ‖b‖", relative),
          Fact("Converged", solution.isConverged ? "yes" : "no"),
        ] + solution.facts + [Fact("Seconds", (seconds * 100).rounded() / 100)]
      Console.print(
        Report(title: "", sections: [.init(id: "", title: "", blocks: [.facts(facts)])]).text(width: Console.width()))
      if let output { Console.print("written: \(output)") }
    }
    guard solution.isConverged else { throw ExitCode(1) }
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
        x: found.solution, iterations: found.iterations, isConverged: found.isConverged,
        facts: [
          Fact("Hierarchies", multigrid.hierarchies.count), Fact("Operator complexity", multigrid.operatorComplexity),
          Fact("Rate of a cycle", multigrid.rate),
        ])
    case .cg:
      let found = try ConjugateGradients(tolerance: tolerance, iterationLimit: iterations).solve(
        a, b, preconditioner: JacobiPreconditioner(of: a), progress: progress)
      return Solution(
        x: found.solution, iterations: found.convergence.iterations, isConverged: found.convergence.isConverged)
    case .sor:
      let found = try StationaryIteration(
        .overRelaxation(relaxation), tolerance: tolerance, iterationLimit: iterations
      ).solve(a, b, progress: progress)
      return Solution(
        x: found.solution, iterations: found.convergence.iterations, isConverged: found.convergence.isConverged)
    }
  }
}
