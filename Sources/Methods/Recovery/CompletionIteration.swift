import CVectorKernels
import LinearAlgebra
import Tensors

/// The factors of a completion on their way, padded to whole lines, and the sweeps over them.
struct CompletionIteration<Scalar: LinearScalar> {
  private let method: MatrixCompletion
  private let byRows: RowRegression<Scalar>, byColumns: RowRegression<Scalar>
  /// With split samples, the parts of each half of a sweep; else empty.
  private let parts: [SparseObservations<Scalar>]
  private let blocks: BlockMedian<Scalar>?
  private var random: RandomStream
  private var left: Tensor<Scalar>, right: Tensor<Scalar>
  private let total: Double
  /// Held-out entries.
  var monitor: RowRegression<Scalar>?
  var history = CompletionHistory()

  var factors: (left: Tensor<Scalar>, right: Tensor<Scalar>) { (left, right) }
  /// ‖P_Ω(U Vᵀ - M)‖ / ‖P_Ω(M)‖.
  var error: Double { history.observedErrors.last ?? .infinity }

  init(
    _ method: MatrixCompletion, _ observed: SparseObservations<Scalar>, start: CompletionStart<Scalar>,
    parts: [SparseObservations<Scalar>], blocks: BlockMedian<Scalar>?, random: RandomStream
  ) throws {
    (self.method, self.parts, self.blocks, self.random) = (method, parts, blocks, random)
    byRows = RowRegression(observed.byRows)
    byColumns = RowRegression(observed.byColumns)
    total = Double(observed.byRows.frobeniusNorm())
    (left, right) = (start.left.paddedRows(), start.right.paddedRows())
    guard method.ridge > 0 else { return }
    // The penalty wants both factors of one size.
    let scale = right[.all, 0..<method.rank].norm(axis: 0).sqrt()
    let safe = (scale .> 0).select(scale, Tensor(repeating: Scalar(1), shape: scale.shape))
    left = (start.left * scale).paddedRows()
    right = (start.right / safe).paddedRows()
  }

  /// Solves for V, then for U.
  mutating func sweep(_ number: Int) throws {
    let before = left
    var work = apus_row_regression_work()
    for half in 0..<2 {
      let isLeft = half == 1
      var regression = isLeft ? byRows : byColumns
      if !parts.isEmpty {
        // The first part made the start; the last sweeps' parts are the ones after.
        let part = parts[1 + 2 * number + half]
        regression = RowRegression(isLeft ? part.byRows : part.byColumns)
      }
      let part = try improve(isLeft: isLeft, regression)
      work.multiply_adds += part.multiply_adds
      work.direct_rows += part.direct_rows
      if method.notesHalfSweeps { note(halfSweep: true) }
    }
    history.multiplyAdds.append(work.multiply_adds)
    history.directRows.append(Int(work.direct_rows))
    history.subspaceChanges.append(try change(from: before))
    note(halfSweep: false)
  }

  private mutating func improve(
    isLeft: Bool, _ regression: RowRegression<Scalar>
  ) throws -> apus_row_regression_work {
    var settings = apus_row_regression()
    settings.rank = method.rank
    settings.stride = left.columns
    settings.ridge = method.ridge
    settings.huber = method.huberThreshold ?? 0
    settings.seed = random.next()
    var x = isLeft ? left : right
    let factor = isLeft ? right : left
    let work =
      blocks?.solve(&x, factor: factor, isLeft: isLeft, whole: regression, settings: settings, solver: method.solver)
      ?? regression.solve(&x, factor: factor, settings: settings, solver: method.solver)
    var solution = x[.all, 0..<method.rank].dense
    if method.perturbation > 0 {
      let lengths = solution.norm(axes: [1], keepingAxes: true)
      let noise: Tensor<Scalar> = random.normal(solution.shape)
      solution += noise * lengths * Scalar(method.perturbation / Double(method.rank).squareRoot())
      x = solution.paddedRows()
    }
    guard method.ridge == 0 else {
      if isLeft { left = x } else { right = x }
      return work
    }
    // The product stays: (U) (Q R)ᵀ = (U Rᵀ) Qᵀ.
    let (orthogonal, upper) = try solution.orthonormalFactors()
    let turned = factor[.all, 0..<method.rank].matmul(upper, transposingB: true).paddedRows()
    (left, right) = isLeft ? (orthogonal.paddedRows(), turned) : (turned, orthogonal.paddedRows())
    return work
  }

  private func change(from before: Tensor<Scalar>) throws -> Double {
    let rank = method.rank
    func basis(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
      let part = x[.all, 0..<rank].dense
      return method.ridge == 0 ? part : try part.orthonormalFactors().orthogonal
    }
    let (old, new) = (try basis(before), try basis(left))
    return Double((new - old.matmul(old.matmul(new, transposingA: true))).frobeniusNorm())
  }

  /// Notes the errors of the factors as they are.
  mutating func note(halfSweep: Bool) {
    let observed = total > 0 ? byRows.squaredResidual(left, factor: right).squareRoot() / total : 0
    if halfSweep {
      history.halfSweepErrors.append(observed)
      return
    }
    history.observedErrors.append(observed)
    if let monitor {
      let mean = monitor.squaredResidual(left, factor: right) / Double(max(monitor.entries.entryCount, 1))
      history.heldOutErrors.append(mean.squareRoot())
    }
  }
}
