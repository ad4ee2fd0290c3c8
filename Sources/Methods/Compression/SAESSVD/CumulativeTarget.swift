import LinearAlgebra
public import Tensors

/// What a compressed layer is fitted to when earlier layers are compressed already: between its own output and the one
/// that the original network had.
///
/// With inputs X of the network as it is compressed so far, X_f of the original one and E = X_f - X, the objective
///
///     J(W') = ‖(W' - W) X‖² + alpha ‖W' X - W X_f‖²
///
/// is, up to a constant, (1 + alpha) ‖W' X - W (X + beta E)‖² with beta = alpha / (1 + alpha). For H = X Xᵀ = L Lᵀ and
/// D = E Xᵀ that is ‖W' L - G(beta)‖² with G(beta) = A + beta B, A = W H L⁻ᵀ, B = W D L⁻ᵀ; its minimum over matrices of
/// rank r is W' = SVD_r(G) L⁻¹. Tokens enter by H and D only.
///
/// - Source: Hu et al., "SAES-SVD", 2026, arXiv 2602.03051; the form with beta, and its closed form, follow from the
///   stated objective.
public struct CumulativeTarget: Sendable {
  /// W, shape [m, n].
  public let weight: Tensor<Double>
  /// Of the diagonal's mean, what was added to the diagonal of H.
  public let damping: Double
  /// L, lower triangular.
  let root: Tensor<Double>
  let local: Tensor<Double>
  /// Zero without cross moments.
  let correction: Tensor<Double>?
  /// C(beta) = G Gᵀ (or Gᵀ G, the smaller) as its parts by powers of beta.
  private let grams: [Tensor<Double>]

  /// - Parameters:
  ///   - moments: of the layer's inputs; without cross moments E counts as zero.
  ///   - damping: raised tenfold, up to 0.01, until H + damping · mean(diag H) I is positive definite.
  /// - Throws: `InvalidArgument` for shapes that do not fit, numbers that are not finite, a negative damping, or an H that
  ///   no damping repairs.
  /// - Complexity: O(m n² + n³) time.
  public init(weight: Tensor<Float>, moments: ActivationMoments, damping: Double = 1e-6) throws {
    try weight.requireMatrix("weight")
    guard weight.columns == moments.width else {
      throw InvalidArgument(
        "moments", found: "\(moments.width) inputs", wanted: "\(weight.columns), as the weight \(weight.shape) has")
    }
    try self.init(weight: weight, moments: moments, root: DampedRoot(of: moments.gram, damping: damping))
  }

  init(weight: Tensor<Float>, moments: ActivationMoments, root: DampedRoot) throws {
    let weight = Tensor<Double>(weight)
    self.weight = weight
    (self.root, damping) = (root.lower, root.damping)
    func whitened(_ moment: Tensor<Double>) throws -> Tensor<Double> {
      // (W M L⁻ᵀ)ᵀ = L⁻¹ Mᵀ Wᵀ.
      let product = moment.matmul(weight, transposingA: true, transposingB: true)
      return try root.lower.solveTriangular(product, .lower).transposed.dense
    }
    let local = try whitened(moments.gram)
    let correction = try moments.cross.map(whitened)
    (self.local, self.correction) = (local, correction)
    let isWide = weight.rows <= weight.columns
    func product(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Tensor<Double> {
      isWide ? a.matmul(b, transposingB: true) : a.matmul(b, transposingA: true)
    }
    var grams = [local.multipliedByOwnTranspose(transposing: !isWide)]
    if let correction {
      let mixed = product(local, correction)
      grams += [mixed + mixed.transposed, correction.multipliedByOwnTranspose(transposing: !isWide)]
    }
    self.grams = grams
  }

  /// G(beta), shape [m, n].
  public func target(beta: Double) -> Tensor<Double> { correction.map { local + $0 * beta } ?? local }

  func gram(beta: Double) -> Tensor<Double> {
    grams.count == 1 ? grams[0] : grams[0] + grams[1] * beta + grams[2] * (beta * beta)
  }

  /// The factors of the matrix of rank `rank` with the least J.
  ///
  /// - Throws: `InvalidArgument` for a rank outside 1...min(m, n) or a beta outside [0, 1].
  /// - Complexity: O(min(m, n)³ + m n r + n² r) time.
  public func factors(rank: Int, beta: Double) throws -> FactoredMatrix<Double> {
    try require(rank: rank, beta: beta)
    let factors = try GramFactors(of: target(beta: beta), rank: rank, gram: gram(beta: beta))
    let right = try root.solveTriangular(factors.right.transposed, .lower, transposing: true)
    return FactoredMatrix(left: factors.left, right: right.transposed.dense)
  }

  /// J(W') / (1 + alpha) up to what does not depend on W': ‖W' L - G(beta)‖².
  public func objective(_ candidate: Tensor<Double>, beta: Double) -> Double {
    (candidate.matmul(root) - target(beta: beta)).sumOfSquares().scalar
  }

  func require(rank: Int, beta: Double) throws {
    try requireRank(rank, of: weight.shape)
    guard 0...1 ~= beta else { throw InvalidArgument("beta", found: "\(beta)", wanted: "in [0, 1]") }
  }
}

/// L with L Lᵀ = H + damping · mean(diag H) I, for the least damping of the ladder at which there is one.
struct DampedRoot {
  let lower: Tensor<Double>
  let damping: Double

  private static let most = 1e-2

  init(of gram: Tensor<Double>, damping: Double) throws {
    guard damping >= 0, damping <= Self.most else {
      throw InvalidArgument("damping", found: "\(damping)", wanted: "in [0, \(Self.most)]")
    }
    let mean = gram.diagonal.mean().scalar
    var damping = damping
    while true {
      let damped = damping == 0 ? gram : gram + Tensor.identity(gram.rows) * (damping * mean)
      do {
        lower = try CholeskyDecomposition(of: damped).lower.dense
        self.damping = damping
        return
      } catch let error as DecompositionError {
        guard damping < Self.most, mean > 0 else {
          throw InvalidArgument(
            "moments", found: "\(error), damped by \(damping) of its mean",
            wanted: "inputs that are not all zero; more tokens than inputs help")
        }
        damping = max(damping * 10, 1e-9)
      }
    }
  }
}
