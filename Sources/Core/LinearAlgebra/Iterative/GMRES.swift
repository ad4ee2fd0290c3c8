public import Tensors

/// The generalized minimal residual method for any square operator, restarted, with flexible preconditioning.
///
/// Within and across cycles the residual ‖b - A x‖ never grows. The preconditioner acts from the right, so that the
/// residual is the true one, and may be another at each step: an inner iteration, say.
///
/// - Source: Saad and Schultz, "GMRES", SIAM J. Sci. Stat. Comput. 7 (1986); Saad, "A flexible inner-outer
///   preconditioned GMRES algorithm", SIAM J. Sci. Comput. 14 (1993).
public struct GMRES: Sendable, Hashable {
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance = 1e-10
  /// Of products with A, over all cycles.
  public var iterationLimit = 10_000
  /// Basis vectors before a restart. More converge in fewer steps; with fewer, some systems make no progress at all.
  public var basisSize = 50

  public init(tolerance: Double = 1e-10, iterationLimit: Int = 10_000, basisSize: Int = 50) {
    (self.tolerance, self.iterationLimit, self.basisSize) = (tolerance, iterationLimit, basisSize)
  }

  /// x with A x = b, for b of shape [n].
  ///
  /// A singular operator ends with stop `breakdown` where its Krylov space holds no solution; a cycle that no longer
  /// reduces the residual, with `stagnation`.
  /// - Parameters:
  ///   - preconditioner: M ≈ A⁻¹.
  ///   - guess: where to start instead of zero.
  /// - Throws: as ``ConjugateGradients/solve(_:_:preconditioner:startingFrom:progress:observe:)``.
  /// - Complexity: O(n basisSize) time beside a product with A and M an iteration; memory for the basis, twice with a
  ///   preconditioner.
  public func solve<Scalar: LinearScalar>(
    _ matrix: some LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>,
    preconditioner: (any LinearOperator<Scalar>)? = nil, startingFrom guess: Tensor<Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> IterativeSolution<Scalar> {
    try validateIteration(tolerance: tolerance, limit: iterationLimit)
    guard basisSize >= 1 else { throw InvalidArgument("basisSize", found: "\(basisSize)", wanted: "at least 1") }
    let system = try LinearSystem(matrix, rightSide, preconditioner: preconditioner)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var x = try system.start(guess)
    var residual = guess == nil ? system.rightSide : try system.trueResidual(x)
    if try system.isSolved(system.relativeNorms(residual), &convergence) {
      return try system.solution(x, convergence, .converged)
    }
    var verification = Verification(tolerance: tolerance)
    let limit = min(basisSize, system.size)
    var cycle = ArnoldiCycle<Scalar>(size: system.size, limit: limit, keepsImages: preconditioner != nil)
    while true {
      let before = system.relativeNorm(residual)
      cycle.begin(residual)
      var estimate = before
      while true {
        try progress.report(convergence.iterations, of: iterationLimit, "GMRES")
        let image = try system.preconditioned(cycle.newest)
        cycle.extend(by: try system.product(image), from: image)
        estimate = Double(cycle.residualNorm) / system.scale[0]
        try system.requireFinite(estimate)
        let isFull = cycle.count == limit || cycle.isExhausted
        if isFull || estimate <= tolerance || convergence.iterations + 1 == iterationLimit { break }
        _ = convergence.continues(residual: estimate)
      }
      x += cycle.correction()
      residual = try system.trueResidual(x)
      let size = system.relativeNorm(residual)
      try system.requireFinite(size)
      guard convergence.continues(residual: size) else {
        return try system.solution(x, convergence, convergence.stop(Scalar.self))
      }
      if cycle.isSingular { return try system.solution(x, convergence, .breakdown) }
      let isStuck = size > before * (1 - 1e-8)
      if isStuck || (estimate <= tolerance && !verification.allowsAnother(size)) {
        return try system.solution(x, convergence, .stagnation)
      }
    }
  }
}

/// One cycle: an orthonormal basis V of the Krylov space with A Z = V H, and the least-squares problem in it.
private struct ArnoldiCycle<Scalar: LinearScalar> {
  private let limit: Int
  /// V as rows, and Z = M V where that is another.
  private var basis: Tensor<Scalar>
  private var images: Tensor<Scalar>?
  /// Columns of R = G H, where the rotations G make H triangular; and G applied to the residual's coordinates.
  private var triangle: [[Scalar]] = []
  private var rotations: [(cosine: Scalar, sine: Scalar)] = []
  private var coordinates: [Scalar] = []
  /// The space holds A times itself: there is nothing to extend by.
  private(set) var isExhausted = false
  /// The newest column added nothing: A is singular on the space.
  private(set) var isSingular = false

  var count: Int { triangle.count }
  var residualNorm: Scalar { coordinates[count].magnitude }
  var newest: Tensor<Scalar> { basis[count].reshaped([basis.columns, 1]) }

  init(size: Int, limit: Int, keepsImages: Bool) {
    self.limit = limit
    basis = .zeros([limit + 1, size])
    images = keepsImages ? .zeros([limit, size]) : nil
  }

  mutating func begin(_ residual: Tensor<Scalar>) {
    (triangle, rotations, isExhausted, isSingular) = ([], [], false, false)
    let norm = residual.length()
    basis[0] = (residual / norm).flattened
    coordinates = [norm]
  }

  /// Appends the direction of `product` = A Z e, where Z e is `image`.
  mutating func extend(by product: Tensor<Scalar>, from image: Tensor<Scalar>) {
    let index = count
    if images != nil { images?[index] = image.flattened }
    var rest = product.flattened
    let whole = rest.length()
    let earlier = basis[0..<index + 1, .all]
    // Twice is enough to be orthogonal to working precision.
    var column = earlier.matmul(rest)
    rest -= column.matmul(earlier)
    let correction = earlier.matmul(rest)
    rest -= correction.matmul(earlier)
    column += correction
    let norm = rest.length()
    isExhausted = norm <= 8 * .ulpOfOne * whole
    if !isExhausted { basis[index + 1] = rest / norm }

    var entries = column.scalars
    for (i, rotation) in rotations.enumerated() {
      let (upper, lower) = (entries[i], entries[i + 1])
      entries[i] = rotation.cosine * upper + rotation.sine * lower
      entries[i + 1] = rotation.cosine * lower - rotation.sine * upper
    }
    let below: Scalar = isExhausted ? 0 : norm
    let pivot = Scalar.hypot(entries[index], below)
    isSingular = pivot <= 8 * .ulpOfOne * whole
    if isSingular { isExhausted = true }
    let rotation: (cosine: Scalar, sine: Scalar) = pivot > 0 ? (entries[index] / pivot, below / pivot) : (1, 0)
    entries[index] = pivot
    triangle.append(entries)
    rotations.append(rotation)
    let last = coordinates[index]
    coordinates[index] = rotation.cosine * last
    coordinates.append(isSingular ? last : -rotation.sine * last)
  }

  /// Z y for the y that makes the residual smallest, of shape [n, 1].
  func correction() -> Tensor<Scalar> {
    let used = isSingular ? count - 1 : count
    var y = Array(coordinates[..<used])
    for j in (0..<used).reversed() {
      y[j] /= triangle[j][j]
      for i in 0..<j { y[i] -= triangle[j][i] * y[j] }
    }
    let vectors = (images ?? basis)[0..<used, .all]
    return (used == 0 ? .zeros([basis.columns]) : Tensor(y).matmul(vectors)).reshaped([basis.columns, 1])
  }
}
