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
///
/// A tuner is `Codable`: with its learner and its log it can go on in another run.
public struct RelaxationTuner<Learner: RelaxationLearner>: Sendable, Codable {
  public enum Solver: String, Sendable, Hashable, Codable {
    /// ``StationaryIteration/Splitting/overRelaxation(_:)``.
    case overRelaxation
    /// Conjugate gradients with a symmetric sweep as preconditioner.
    case conjugateGradients
  }

  public let solver: Solver
  public private(set) var learner: Learner
  public let tolerance: Double
  public let iterationLimit: Int
  /// Of the sweeps of over-relaxation: coloured ones use several threads.
  public let ordering: StationaryIteration.Ordering
  /// What was chosen for each system, and what it cost.
  public private(set) var log: RegretLog
  /// Systems that did not converge.
  public private(set) var failures = 0

  public init(
    solver: Solver, learner: Learner, tolerance: Double = 1e-8, iterationLimit: Int = 10_000,
    ordering: StationaryIteration.Ordering = .natural
  ) {
    (self.solver, self.learner, self.ordering) = (solver, learner, ordering)
    (self.tolerance, self.iterationLimit) = (tolerance, iterationLimit)
    log = RegretLog(actions: learner.actions)
  }

  /// The factor of each system.
  public var choices: [Double] { log.rounds.map { log.actions[$0.action] } }
  /// The iterations of each system; those that did not converge count as the limit.
  public var costs: [Int] { log.rounds.map { Int($0.cost) } }
  public var totalCost: Int { Int(log.totalCost) }

  /// - Throws: `InvalidArgument` as ``StationaryIteration``, for conjugate gradients also for a matrix that is not
  ///   symmetric; as the learner for a context that it needs and cannot use.
  public mutating func solve(
    _ matrix: SparseMatrix<Double>, _ rightSide: Tensor<Double>, context: Double? = nil,
    startingFrom guess: Tensor<Double>? = nil, progress: WorkProgress = .silent
  ) throws -> IterativeSolution<Double> {
    let action = try learner.predict(context: context)
    let probability = learner.probability(of: action)
    let relaxation = learner.actions[action]
    let found: IterativeSolution<Double>
    switch solver {
    case .overRelaxation:
      found = try StationaryIteration(
        .overRelaxation(relaxation), tolerance: tolerance, iterationLimit: iterationLimit, ordering: ordering
      ).solve(matrix, rightSide, startingFrom: guess, progress: progress)
    case .conjugateGradients:
      let preconditioner = try RelaxationPreconditioner(of: matrix, relaxation: relaxation)
      guard preconditioner.isSymmetric else {
        throw InvalidArgument("matrix", found: "a matrix that is not symmetric", wanted: "a symmetric one")
      }
      found = try ConjugateGradients(tolerance: tolerance, iterationLimit: iterationLimit).solve(
        matrix, rightSide, preconditioner: preconditioner, startingFrom: guess, progress: progress)
    }
    let cost = found.isConverged ? max(found.iterations, 1) : iterationLimit
    if !found.isConverged { failures += 1 }
    try learner.update(cost: Double(cost))
    log.note(action: action, probability: probability, cost: Double(cost), context: context)
    return found
  }
}
