public import LinearAlgebra
public import Tensors

/// Solves a sequence of systems, and lets a learner choose the relaxation factor of each from the iterations of those
/// before.
///
/// ```swift
/// var tuner = RelaxationTuner(solver: .overRelaxation, learner: try ChebCB(context: 0...10))
/// for step in simulation { u = try tuner.solve(step.matrix, step.load, context: step.diffusivity).solution }
/// print(tuner.totalCost)
/// ```
public struct RelaxationTuner<Learner: RelaxationLearner>: Sendable {
  public enum Solver: Sendable, Hashable {
    case overRelaxation
    /// Conjugate gradients with a symmetric sweep as preconditioner.
    case conjugateGradients
  }

  public let solver: Solver
  public private(set) var learner: Learner
  public let tolerance: Double
  public let iterationLimit: Int
  /// The factor of each system.
  public private(set) var choices: [Double] = []
  /// The iterations of each system; those that did not converge count as the limit.
  public private(set) var costs: [Int] = []
  /// Systems that did not converge.
  public private(set) var failures = 0

  public init(solver: Solver, learner: Learner, tolerance: Double = 1e-8, iterationLimit: Int = 10_000) {
    (self.solver, self.learner) = (solver, learner)
    (self.tolerance, self.iterationLimit) = (tolerance, iterationLimit)
  }

  public var totalCost: Int { costs.reduce(0, +) }

  /// - Throws: as the solver, and as the learner for a context that it needs and cannot use.
  public mutating func solve(
    _ matrix: SparseMatrix<Double>, _ rightSide: Tensor<Double>, context: Double? = nil,
    startingFrom guess: Tensor<Double>? = nil, progress: WorkProgress = .silent
  ) throws -> LinearSolution<Double> {
    let relaxation = learner.actions[try learner.predict(context: context)]
    let found: LinearSolution<Double>
    switch solver {
    case .overRelaxation:
      found = try SuccessiveOverRelaxation(
        relaxation: relaxation, tolerance: tolerance, iterationLimit: iterationLimit
      ).solve(matrix, rightSide, startingFrom: guess, progress: progress)
    case .conjugateGradients:
      found = try SSORConjugateGradients(
        relaxation: relaxation, tolerance: tolerance, iterationLimit: iterationLimit
      ).solve(matrix, rightSide, startingFrom: guess, progress: progress)
    }
    let cost = found.isConverged ? max(found.iterations, 1) : iterationLimit
    if !found.isConverged { failures += 1 }
    try learner.update(cost: Double(cost))
    choices.append(relaxation)
    costs.append(cost)
    return found
  }
}
