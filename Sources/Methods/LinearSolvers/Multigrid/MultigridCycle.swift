/// One multigrid cycle: an approximate solution of A x = b from zero, in work space of its own.
///
/// Pre-relaxation runs forwards, post-relaxation backwards, which makes V-, H- and W-cycles symmetric.
/// - Source: Notay and Vassilevski, "Recursive Krylov-based multigrid cycles", Numer. Linear Algebra Appl. 15 (2008) for
///   the K-cycle.
final class MultigridCycle {
  private let hierarchy: MultigridHierarchy
  private let shape: BootstrapAMG.Cycle
  private let usesGaussSeidel: Bool
  private var spaces: [Space] = []

  /// The vectors of one level.
  private struct Space {
    let rightSide, solution, residual: WorkVector
    /// Two directions and their images, for the K-cycle and second visits.
    var extra: [WorkVector] = []
  }

  init(_ hierarchy: MultigridHierarchy, settings: BootstrapAMG) {
    self.hierarchy = hierarchy
    shape = settings.cycle
    usesGaussSeidel = settings.relaxation == .gaussSeidel
    for (l, level) in hierarchy.levels.enumerated() {
      var space = Space(
        rightSide: WorkVector(l == 0 ? 0 : level.size), solution: WorkVector(l == 0 ? 0 : level.size),
        residual: WorkVector(level.size))
      if visits(l) > 1 { space.extra = (0..<4).map { _ in WorkVector(level.size) } }
      spaces.append(space)
    }
  }

  /// How often level l is visited from the one above it.
  private func visits(_ l: Int) -> Int {
    let isCoarsest = l == hierarchy.levels.count - 1
    switch shape {
    case .v: return 1
    case .h: return l % 2 == 1 && !isCoarsest ? 2 : 1
    case .w, .k: return l > 0 && !isCoarsest ? 2 : 1
    }
  }

  /// x = B b.
  func apply(_ b: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>) { descend(0, b, x) }

  private func descend(_ l: Int, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>) {
    let level = hierarchy.levels[l]
    let rows = level.rows
    let inverse = level.inverseDiagonal.start
    guard let aggregation = level.aggregation else { return solveCoarsest(level, b, x) }
    let residual = spaces[l].residual.start
    if usesGaussSeidel {
      rows.forwardSweepFromZero(b, inverseDiagonal: inverse, solution: x, residual: residual)
    } else {
      for i in 0..<rows.rows { x[i] = inverse[i] * b[i] }
      rows.residual(b, x, into: residual)
    }
    let coarseRight = spaces[l + 1].rightSide
    let coarse = spaces[l + 1].solution
    if let smoothed = level.smoothed {
      smoothed.restrictor.multiply(residual, into: coarseRight.start)
    } else {
      restrict(aggregation, residual, coarseRight)
    }
    correct(l + 1, coarseRight.start, coarse.start)
    if let smoothed = level.smoothed {
      smoothed.prolongator.multiply(coarse.start, into: residual)
      add(1, residual, to: x, rows.rows)
    } else {
      prolong(aggregation, coarse.start, addingTo: x)
    }
    if usesGaussSeidel {
      rows.backwardSweep(b, inverseDiagonal: inverse, solution: x)
    } else {
      rows.residual(b, x, into: residual)
      for i in 0..<rows.rows { x[i] += inverse[i] * residual[i] }
    }
  }

  private func restrict(_ aggregation: Aggregation, _ fine: UnsafePointer<Double>, _ coarse: WorkVector) {
    coarse.clear()
    let result = coarse.start
    aggregation.aggregates.withUnsafeBufferPointer { aggregates in
      aggregation.weights.withUnsafeBufferPointer { weights in
        for i in aggregates.indices { result[Int(aggregates[i])] += weights[i] * fine[i] }
      }
    }
  }

  private func prolong(
    _ aggregation: Aggregation, _ coarse: UnsafePointer<Double>, addingTo x: UnsafeMutablePointer<Double>
  ) {
    aggregation.aggregates.withUnsafeBufferPointer { aggregates in
      aggregation.weights.withUnsafeBufferPointer { weights in
        for i in aggregates.indices { x[i] += weights[i] * coarse[Int(aggregates[i])] }
      }
    }
  }

  /// The coarse solution: one cycle, two, or two steps of conjugate gradients with cycles as preconditioners.
  private func correct(_ l: Int, _ b: UnsafeMutablePointer<Double>, _ x: UnsafeMutablePointer<Double>) {
    let size = hierarchy.levels[l].size
    let rows = hierarchy.levels[l].rows
    guard visits(l) > 1 else { return descend(l, b, x) }
    // The two directions must outlive the cycles below, which use the solution and residual of this level.
    let (first, firstImage) = (spaces[l].extra[0].start, spaces[l].extra[1].start)
    let (second, secondImage) = (spaces[l].extra[2].start, spaces[l].extra[3].start)
    descend(l, b, first)
    if shape != .k {
      rows.residual(b, first, into: firstImage)
      descend(l, firstImage, second)
      for i in 0..<size { x[i] = first[i] + second[i] }
      return
    }
    rows.multiply(first, into: firstImage)
    let curvature = dot(first, firstImage, size)
    let projection = dot(first, b, size)
    guard curvature > 0, curvature.isFinite else {
      x.update(from: first, count: size)
      return
    }
    let step = projection / curvature
    let before = dot(b, b, size)
    add(-step, firstImage, to: b, size)
    guard dot(b, b, size) > 0.0625 * before else {
      for i in 0..<size { x[i] = step * first[i] }
      return
    }
    descend(l, b, second)
    rows.multiply(second, into: secondImage)
    let overlap = dot(second, firstImage, size)
    let rest = dot(second, secondImage, size) - overlap * overlap / curvature
    let secondStep = rest > 0 ? dot(second, b, size) / rest : 0
    let firstStep = step - overlap * secondStep / curvature
    for i in 0..<size { x[i] = firstStep * first[i] + secondStep * second[i] }
  }

  private func solveCoarsest(
    _ level: MultigridHierarchy.Level, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>
  ) {
    let size = level.size
    guard let inverse = hierarchy.coarsestInverse else {
      x.update(repeating: 0, count: size)
      // Symmetric sweeps, or pairs of Jacobi steps: a symmetric operator either way.
      for _ in 0..<10 {
        if usesGaussSeidel {
          sweepForward(level, b, x)
          level.rows.backwardSweep(b, inverseDiagonal: level.inverseDiagonal.start, solution: x)
        } else {
          let residual = spaces[spaces.count - 1].residual.start
          level.rows.residual(b, x, into: residual)
          for i in 0..<size { x[i] += level.inverseDiagonal.start[i] * residual[i] }
        }
      }
      return
    }
    inverse.withUnsafeBufferPointer { inverse in
      for i in 0..<size { x[i] = dot(inverse.baseAddress! + i * size, b, size) }
    }
  }

  private func sweepForward(
    _ level: MultigridHierarchy.Level, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>
  ) {
    let rows = level.rows
    for i in 0..<level.size {
      var rest = b[i]
      for k in Int(rows.starts[i])..<Int(rows.starts[i + 1]) { rest -= rows.values[k] * x[Int(rows.indices[k])] }
      x[i] += rest * level.inverseDiagonal.start[i]
    }
  }
}
