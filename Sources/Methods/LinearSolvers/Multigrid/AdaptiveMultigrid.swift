public import LinearAlgebra
public import Tensors

/// The hierarchies that ``BootstrapAMG`` built, as a solver and as a preconditioner.
public struct AdaptiveMultigrid: Sendable {
  public private(set) var hierarchies: [MultigridHierarchy] = []
  /// The vectors that the composite of the first r hierarchies reduced worst, each of length one in the norm of A.
  public private(set) var smoothVectors: [Tensor<Double>] = []
  /// The measured rate of the composite of the first r hierarchies, in the norm of A.
  public private(set) var rates: [Double] = []
  /// Whether three more hierarchies did not improve the rate by 5 %.
  public private(set) var isStagnated = false
  public let settings: BootstrapAMG
  let rows: CompressedRows

  init(rows: CompressedRows, settings: BootstrapAMG) {
    self.rows = rows
    self.settings = settings
  }

  mutating func append(_ hierarchy: MultigridHierarchy) { hierarchies.append(hierarchy) }

  mutating func note(rate: Double, smooth: [Double]) {
    rates.append(rate)
    smoothVectors.append(Tensor(smooth))
    let count = rates.count
    isStagnated = count > 3 && (rates[(count - 3)...].min() ?? 0) > 0.95 * rates[count - 4]
  }

  /// The unknowns.
  public var size: Int { rows.rows }
  /// The entries of all levels of all hierarchies over those of the matrix.
  public var operatorComplexity: Double { hierarchies.reduce(0) { $0 + $1.operatorComplexity } }
  /// The rate of the composite of all hierarchies; nil if none was measured.
  public var rate: Double? { rates.last }

  /// E x, where E is the error propagation of the composite: what is left of an error x after one iteration.
  public func propagatingError(_ x: Tensor<Double>) -> Tensor<Double> {
    precondition(x.shape == [size], "an error of shape \(x.shape) for \(size) unknowns")
    let work = CompositeCycle(self, composition: settings.composition)
    let state = WorkVector(size)
    let zero = WorkVector(size)
    x.withUnsafeBuffer { state.start.update(from: $0.baseAddress!, count: size) }
    work.iterate(zero.start, state.start)
    return Tensor(Array(UnsafeBufferPointer(start: state.start, count: size)))
  }

  /// The reduction by the last of several iterations on A x = 0 from random numbers, and where they ended.
  func measuredRate(
    iterations: Int, random: inout RandomStream, progress: WorkProgress
  ) throws -> (rate: Double, vector: [Double]) {
    let work = CompositeCycle(self, composition: settings.composition)
    let (x, image, zero) = (WorkVector(size), WorkVector(size), WorkVector(size))
    let start = random.normal([size], of: Double.self)
    start.withUnsafeBuffer { x.start.update(from: $0.baseAddress!, count: size) }
    func normalize() -> Double {
      rows.multiply(x.start, into: image.start)
      let norm = max(dot(x.start, image.start, size), 0).squareRoot()
      if norm > 0 { for i in 0..<size { x.start[i] /= norm } }
      return norm
    }
    var rate = normalize()
    var last = Array(UnsafeBufferPointer(start: x.start, count: size))
    for _ in 0..<iterations {
      try progress.report(hierarchies.count, of: settings.hierarchyLimit, "hierarchies")
      work.iterate(zero.start, x.start)
      rate = normalize()
      // An iteration that is exact leaves nothing to learn from.
      guard rate > 1e-200, rate.isFinite else { return (0, last) }
      last = Array(UnsafeBufferPointer(start: x.start, count: size))
    }
    return (rate, last)
  }

  /// x with A x = b by conjugate gradients, preconditioned by the symmetric composite of all hierarchies.
  ///
  /// - Throws: `InvalidArgument` for a right side or a start that does not fit, or settings out of range;
  ///   `CancellationError`.
  /// - Complexity: an iteration is one cycle of each hierarchy (two with several of them) and one product.
  public func solve(
    _ rightSide: Tensor<Double>, tolerance: Double = 1e-8, iterationLimit: Int = 1_000,
    startingFrom guess: Tensor<Double>? = nil, progress: WorkProgress = .silent
  ) throws -> IterativeSolution<Double> {
    try LinearSolvers.requireSettings(tolerance: tolerance, iterationLimit: iterationLimit)
    try requireVectors(of: size, rightSide, startingFrom: guess)
    let work = CompositeCycle(self, composition: symmetricComposition)
    return try flexibleConjugateGradients(
      rows, rightSide, startingFrom: guess, tolerance: tolerance, iterationLimit: iterationLimit, progress: progress
    ) { work.apply($0, into: $1) }
  }

  private var symmetricComposition: BootstrapAMG.Composition {
    settings.composition == .multiplicative && hierarchies.count > 1 ? .symmetrized : settings.composition
  }

  /// The symmetric composite as an operator, for any solver that takes a preconditioner: symmetric positive definite, but
  /// for K-cycles, which are not linear and want a flexible solver.
  public var asPreconditioner: Preconditioner { Preconditioner(multigrid: self) }

  /// An approximate inverse.
  public struct Preconditioner: LinearOperator, Sendable {
    let multigrid: AdaptiveMultigrid
    public var shape: [Int] { [multigrid.size, multigrid.size] }

    public func apply(_ x: Tensor<Double>) throws -> Tensor<Double> {
      precondition(x.shape.first == multigrid.size, "a preconditioner of shape \(shape) applied to \(x.shape)")
      let work = CompositeCycle(multigrid, composition: multigrid.symmetricComposition)
      func image(of x: Tensor<Double>) -> Tensor<Double> {
        Tensor(uninitializedShape: [multigrid.size]) { result in
          x.withUnsafeBuffer { work.apply($0.baseAddress!, into: result.baseAddress!) }
        }
      }
      if x.rank == 1 { return image(of: x) }
      return .stacked((0..<x.columns).map { image(of: x[.all, $0].copied()) }, axis: 1)
    }

    public func applyTransposed(_ y: Tensor<Double>) throws -> Tensor<Double> { try apply(y) }
  }
}

/// The cycles of several hierarchies, composed.
final class CompositeCycle {
  private let rows: CompressedRows
  private let cycles: [MultigridCycle]
  private let composition: BootstrapAMG.Composition
  private let residual, correction: WorkVector

  init(_ multigrid: AdaptiveMultigrid, composition: BootstrapAMG.Composition) {
    rows = multigrid.rows
    cycles = multigrid.hierarchies.map { MultigridCycle($0, settings: multigrid.settings) }
    self.composition = composition
    (residual, correction) = (WorkVector(rows.rows), WorkVector(rows.rows))
  }

  /// z = B b.
  func apply(_ b: UnsafePointer<Double>, into z: UnsafeMutablePointer<Double>) {
    if cycles.count == 1 && composition != .symmetrized { return cycles[0].apply(b, into: z) }
    z.update(repeating: 0, count: rows.rows)
    iterate(b, z)
  }

  /// One iteration x ← x + B (b - A x).
  func iterate(_ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>) {
    let size = rows.rows
    switch composition {
    case .additive:
      rows.residual(b, x, into: residual.start)
      for cycle in cycles {
        cycle.apply(residual.start, into: correction.start)
        add(1 / Double(cycles.count), correction.start, to: x, size)
      }
    case .multiplicative: for cycle in cycles { step(cycle, b, x) }
    case .symmetrized:
      for cycle in cycles { step(cycle, b, x) }
      for cycle in cycles.reversed() { step(cycle, b, x) }
    }
  }

  private func step(_ cycle: MultigridCycle, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>) {
    rows.residual(b, x, into: residual.start)
    cycle.apply(residual.start, into: correction.start)
    add(1, correction.start, to: x, rows.rows)
  }
}
