public import LinearAlgebra
public import Tensors

/// Bootstrap algebraic multigrid for symmetric positive definite matrices with mostly non-positive off-diagonal entries.
///
/// A hierarchy is built by matching unknowns that a smooth vector w couples strongly; relaxing A x = 0 from random numbers
/// with all hierarchies so far then shows the vector that they reduce worst, which becomes the w of the next one. The
/// measured rates are returned with the solver.
///
/// ```swift
/// let solver = try BootstrapAMG.singleHierarchy.build(matrix)       // a solver as fast as it is set up
/// let found = try solver.solve(load)
/// let vectors = try BootstrapAMG(targetRate: 1e-6, hierarchyLimit: 40).build(laplacian).smoothVectors
/// ```
///
/// - Complexity: O(entries) time a hierarchy and a cycle; `rateIterations` cycles of all hierarchies for each new one.
/// - Source: D'Ambra, Vassilevski and Cutillo, Appl. Math. Comput. 447 (2023), arXiv 2109.09610; D'Ambra and Vassilevski,
///   "Adaptive AMG with coarsening based on compatible weighted matching", Comput. Visual. Sci. 16 (2013).
public struct BootstrapAMG: Sendable, Hashable {
  /// How several hierarchies become one iteration.
  public enum Composition: String, Sendable, Hashable, CaseIterable {
    /// One after another, each with the residual that the ones before left.
    case multiplicative
    /// One after another, then all in the opposite order: symmetric.
    case symmetrized
    /// The mean of all corrections.
    case additive
  }

  public enum Relaxation: Sendable, Hashable {
    /// Forwards before the coarse correction, backwards after it.
    case gaussSeidel
    case jacobi(damping: Double = 2.0 / 3)
    /// Division by the sums of magnitudes of the rows: converges for every symmetric positive definite matrix.
    case l1Jacobi
  }

  /// How often coarser levels are visited.
  public enum Cycle: String, Sendable, Hashable, CaseIterable {
    /// Once.
    case v
    /// Twice from every second level, beginning with the finest, and once from the others: between V and W.
    case h
    /// Twice.
    case w
    /// Two steps of conjugate gradients on every level: convergence independent of the size without smoothed
    /// prolongators. The cycle is then not linear, which
    /// ``AdaptiveMultigrid/solve(_:tolerance:iterationLimit:startingFrom:progress:)`` allows for.
    case k
  }

  /// The rate of convergence of the composite at which no further hierarchy is built.
  public var targetRate = 0.8
  public var hierarchyLimit = 10
  /// Pairings a level: aggregates have up to 2 to this power unknowns.
  public var sweepsPerLevel = 2
  /// Levels of at most this size are solved directly.
  public var coarsestSize = 10
  public var levelLimit = 39
  public var composition = Composition.multiplicative
  public var relaxation = Relaxation.gaussSeidel
  public var cycle = Cycle.v
  /// Whether prolongators take a step of Jacobi relaxation: fewer iterations, denser coarse matrices.
  public var smoothsProlongators = false
  /// Iterations by which a rate is measured (ν). With zero no rate is measured, and one hierarchy built.
  public var rateIterations = 15
  public var seed: UInt64 = 1

  public init(
    targetRate: Double = 0.8, hierarchyLimit: Int = 10, composition: Composition = .multiplicative,
    cycle: Cycle = .v, smoothsProlongators: Bool = false, seed: UInt64 = 1
  ) {
    (self.targetRate, self.hierarchyLimit, self.composition) = (targetRate, hierarchyLimit, composition)
    (self.cycle, self.smoothsProlongators, self.seed) = (cycle, smoothsProlongators, seed)
  }

  /// One hierarchy with K-cycles and no measured rate: the quickest from matrix to solution.
  public static var singleHierarchy: BootstrapAMG {
    var settings = BootstrapAMG(hierarchyLimit: 1, cycle: .k)
    settings.rateIterations = 0
    return settings
  }

  /// Builds hierarchies until the rate is reached, or three of them have not improved it by 5 %.
  ///
  /// - Parameters:
  ///   - matrix: symmetric positive definite, of shape [n, n].
  ///   - initialSmooth: the first w, of shape [n]; by default ones.
  /// - Throws: `InvalidArgument` for a matrix that is not square, symmetric and finite, or settings out of range;
  ///   `DecompositionError.notPositiveDefinite` for a diagonal that is not positive, or a coarsest matrix that is not
  ///   positive definite; `CancellationError`.
  public func build(
    _ matrix: SparseMatrix<Double>, initialSmooth: Tensor<Double>? = nil, progress: WorkProgress = .silent
  ) throws -> AdaptiveMultigrid {
    try requireSystem(matrix, initialSmooth ?? .ones([matrix.rows]))
    guard matrix.isSymmetric(tolerance: 1e-12) else {
      throw InvalidArgument("matrix", found: "a matrix that is not symmetric", wanted: "a symmetric one")
    }
    try requireSettings()
    let rows = CompressedRows(matrix)
    var smooth = initialSmooth?.scalars ?? [Double](repeating: 1, count: rows.rows)
    var result = AdaptiveMultigrid(rows: rows, settings: self)
    var random = RandomStream(seed: seed)
    while true {
      try progress.report(result.hierarchies.count, of: hierarchyLimit, "hierarchies")
      result.append(try MultigridHierarchy(matrix: rows, smooth: smooth, settings: self))
      guard rateIterations > 0 else { return result }
      let test = try result.measuredRate(iterations: rateIterations, random: &random, progress: progress)
      result.note(rate: test.rate, smooth: test.vector)
      if test.rate < targetRate || result.isStagnated || result.hierarchies.count >= hierarchyLimit { return result }
      smooth = test.vector
    }
  }

  private func requireSettings() throws {
    func require(_ isRight: Bool, _ name: String, _ found: String, _ wanted: String) throws {
      if !isRight { throw InvalidArgument(name, found: found, wanted: wanted) }
    }
    try require(targetRate > 0 && targetRate < 1, "targetRate", "\(targetRate)", "above 0, below 1")
    try require(hierarchyLimit >= 1, "hierarchyLimit", "\(hierarchyLimit)", "at least 1")
    try require(sweepsPerLevel >= 1, "sweepsPerLevel", "\(sweepsPerLevel)", "at least 1")
    try require(coarsestSize >= 1, "coarsestSize", "\(coarsestSize)", "at least 1")
    try require(levelLimit >= 1, "levelLimit", "\(levelLimit)", "at least 1")
    try require(rateIterations >= 0, "rateIterations", "\(rateIterations)", "at least 0")
    if case .jacobi(let damping) = relaxation {
      try require(damping > 0 && damping <= 1, "damping", "\(damping)", "above 0, at most 1")
    }
  }
}
