import CVectorKernels
import LinearAlgebra
import Tensors

/// Row regressions on random blocks of the entries, of which for each row the solution nearest to most of the others is
/// taken: as long as most blocks of a row hold no wrong entry, none has a say.
struct BlockMedian<Scalar: LinearScalar> {
  private let byRows: [RowRegression<Scalar>], byColumns: [RowRegression<Scalar>]
  /// 1 for rows, and columns, that are too short to be split.
  private let shortRows: Tensor<Scalar>, shortColumns: Tensor<Scalar>

  init?(_ blocks: [SparseObservations<Scalar>], rank: Int) {
    guard !blocks.isEmpty else { return nil }
    byRows = blocks.map { RowRegression($0.byRows) }
    byColumns = blocks.map { RowRegression($0.byColumns) }
    func short(_ parts: [SparseMatrix<Scalar>]) -> Tensor<Scalar> {
      let isShort = parts.map { part -> Tensor<Scalar> in
        let starts = Tensor<Scalar>(part.starts)
        return Tensor<Scalar>(starts[1...] - starts[..<part.rows] .< Scalar(2 * rank))
      }
      return isShort.dropFirst().reduce(isShort[0]) { $0.maximum($1) }.expanded(axis: 1)
    }
    shortRows = short(blocks.map(\.byRows))
    shortColumns = short(blocks.map(\.byColumns))
  }

  /// Solves for x, in place, like ``RowRegression``.
  func solve(
    _ x: inout Tensor<Scalar>, factor: Tensor<Scalar>, isLeft: Bool, whole: RowRegression<Scalar>,
    settings: apus_row_regression, solver: CompletionSolver
  ) -> apus_row_regression_work {
    var total = apus_row_regression_work()
    func solved(_ regression: RowRegression<Scalar>) -> Tensor<Scalar> {
      var solution = x
      let work = regression.solve(&solution, factor: factor, settings: settings, solver: solver)
      total.multiply_adds += work.multiply_adds
      total.direct_rows += work.direct_rows
      return solution
    }
    let solutions = (isLeft ? byRows : byColumns).map(solved)
    let place = Self.centralRows(solutions)
    var chosen = Tensor<Scalar>.zeros(x.shape)
    for (i, solution) in solutions.enumerated() {
      chosen += solution * Tensor<Scalar>(place .== Tensor(i)).expanded(axis: 1)
    }
    let short = isLeft ? shortRows : shortColumns
    if short.maximum().scalar > 0 { chosen = chosen * (1 - short) + solved(whole) * short }
    x = chosen
    return total
  }

  /// For each row, which of the matrices has the least median distance to the others there; of shape [rows].
  private static func centralRows(_ solutions: [Tensor<Scalar>]) -> Tensor<Int> {
    let medians = solutions.map { own -> Tensor<Scalar> in
      let distances = Tensor.stacked(solutions.map { (own - $0).sumOfSquares(axes: [1]) })
      return distances.sorted(axis: 0)[solutions.count / 2].dense
    }
    return Tensor.stacked(medians).argmin(axis: 0)
  }

  /// Which of some orthonormal bases spans the space with the least median distance to the others.
  static func central(_ bases: [Tensor<Scalar>]) -> Int {
    let medians = bases.map { own -> Scalar in
      // ‖sin of the angles‖² is the rank less the sum of squares.
      let likeness = bases.map { own.matmul($0, transposingA: true).sumOfSquares().scalar }
      return likeness.sorted(by: >)[bases.count / 2]
    }
    return medians.indices.max { medians[$0] < medians[$1] } ?? 0
  }
}
