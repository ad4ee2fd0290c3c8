import LinearAlgebra
import Tensors

/// Conjugate gradients with a preconditioner that may change from step to step: each direction is made A-orthogonal to the
/// one before explicitly.
///
/// - Source: Notay, "Flexible conjugate gradients", SIAM J. Sci. Comput. 22 (2000).
func flexibleConjugateGradients(
  _ matrix: CompressedRows, _ rightSide: Tensor<Double>, startingFrom guess: Tensor<Double>?, tolerance: Double,
  iterationLimit: Int, progress: WorkProgress,
  preconditioner: (UnsafePointer<Double>, UnsafeMutablePointer<Double>) -> Void
) throws -> IterativeSolution<Double> {
  let size = matrix.rows
  let (b, x, r) = (WorkVector(size), WorkVector(size), WorkVector(size))
  let (z, p, image) = (WorkVector(size), WorkVector(size), WorkVector(size))
  rightSide.withUnsafeBuffer { b.start.update(from: $0.baseAddress!, count: size) }
  guess?.withUnsafeBuffer { x.start.update(from: $0.baseAddress!, count: size) }
  let length = dot(b.start, b.start, size).squareRoot()
  func relative(_ vector: WorkVector) -> Double {
    let norm = dot(vector.start, vector.start, size).squareRoot()
    return length > 0 ? norm / length : norm
  }
  var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
  func solution(_ stop: IterativeSolution<Double>.Stop) -> IterativeSolution<Double> {
    matrix.residual(b.start, x.start, into: r.start)
    let values = Tensor(Array(UnsafeBufferPointer(start: x.start, count: size)))
    return IterativeSolution(solution: values, residual: relative(r), convergence: convergence, stop: stop)
  }
  matrix.residual(b.start, x.start, into: r.start)
  if relative(r) <= tolerance || length == 0 {
    if length == 0 { x.clear() }
    return solution(.converged)
  }
  var curvature = 0.0
  var refreshes = 0
  while true {
    try progress.report(convergence.iterations, of: iterationLimit, "conjugate gradients")
    preconditioner(r.start, z.start)
    if curvature > 0 {
      scale(-dot(z.start, image.start, size) / curvature, p.start, adding: z.start, size)
    } else {
      p.start.update(from: z.start, count: size)
    }
    matrix.multiply(p.start, into: image.start)
    curvature = dot(p.start, image.start, size)
    guard curvature > 0 else {
      return solution(curvature.isFinite ? .notPositiveDefinite : .diverged)
    }
    let step = dot(p.start, r.start, size) / curvature
    add(step, p.start, to: x.start, size)
    add(-step, image.start, to: r.start, size)
    var relativeResidual = relative(r)
    if relativeResidual <= tolerance {
      // What the recurrence believes is compared with what is true.
      matrix.residual(b.start, x.start, into: r.start)
      relativeResidual = relative(r)
      if relativeResidual > tolerance {
        refreshes += 1
        curvature = 0
      }
    }
    guard convergence.continues(residual: relativeResidual) else {
      return solution(convergence.isConverged ? .converged : relativeResidual.isFinite ? .iterationLimit : .diverged)
    }
    if refreshes > 3 { return solution(.stagnation) }
  }
}
