public import LinearAlgebra
public import Tensors

/// Sparse dictionaries in place of a layer's weight, fitted to what the layer puts out on calibration inputs.
///
/// With H = E[x xᵀ] = L Lᵀ, the error of the outputs E ‖(W - C D) x‖² is ‖W L - C (D L)‖²: ordinary dictionary learning of the
/// rows of W L, after which D = (D L) L⁻¹. A low-rank factorization has one subspace for all outputs; here each output
/// chooses s atoms, so that outputs from different subspaces are kept at the same storage.
///
/// ```swift
/// let compressed = try CoSpaDi(keep: 0.25, ratio: 4).compress(weight, secondMoment: statistics.secondMoment)
/// let y = compressed.weight.apply(x)
/// ```
///
/// - Complexity: O(n m²) for the change of coordinates; then that of ``KSVD``.
/// - Source: Makhov et al., "CoSpaDi: compressing LLMs via calibration-guided sparse dictionary learning", 2025, arXiv
///   2509.22075.
public struct CoSpaDi: Sendable, Hashable {
  /// The fraction of the weight's bits that is kept.
  public var keep = 0.5
  /// Atoms over entries (k / s). Weights with distinct clusters of outputs do better with 4 or more than with 2.
  public var ratio = 2.0
  public var sweeps = 30
  public var powerIterations = 2
  public var initialization = KSVD.Initialization.signals
  public var polishes = true
  /// Added to the diagonal of H, relative to its mean: raised tenfold until H is definite.
  public var damping = 1e-6
  public var precision = CodePrecision.unrounded
  public var seed: UInt64 = 0

  public init(
    keep: Double = 0.5, ratio: Double = 2, sweeps: Int = 30, initialization: KSVD.Initialization = .signals,
    damping: Double = 1e-6, precision: CodePrecision = .unrounded, seed: UInt64 = 0
  ) {
    (self.keep, self.ratio, self.sweeps) = (keep, ratio, sweeps)
    (self.initialization, self.damping, self.precision, self.seed) = (initialization, damping, precision, seed)
  }

  /// Compresses `weight`, of shape [outputs, inputs].
  ///
  /// - Parameter secondMoment: H up to a factor, shape [inputs, inputs]; nil compresses the weight itself, without regard
  ///   to inputs.
  /// - Throws: `InvalidArgument` for a weight that is no matrix of finite numbers, an H that does not fit it or is no matrix
  ///   of second moments, settings out of range, and a budget that is too small.
  public func compress<Scalar: LinearScalar>(
    _ weight: Tensor<Scalar>, secondMoment: Tensor<Double>? = nil, progress: WorkProgress = .silent
  ) throws -> DictionaryCompression<Scalar> {
    let shared = try compressShared([weight], secondMoments: secondMoment.map { [$0] } ?? [], progress: progress)
    return DictionaryCompression(weight: shared.weights[0], report: shared.report)
  }

  /// Compresses weights with the same inputs, of shapes [outputs_i, inputs], over one dictionary: it is stored once.
  ///
  /// - Parameter secondMoments: of each weight's inputs, by which they are added up; one for all; or none.
  /// - Throws: as ``compress(_:secondMoment:progress:)``.
  public func compressShared<Scalar: LinearScalar>(
    _ weights: [Tensor<Scalar>], secondMoments: [Tensor<Double>] = [], progress: WorkProgress = .silent
  ) throws -> SharedDictionaryCompression<Scalar> {
    let root = try validated(weights, secondMoments)
    let all = Tensor.concatenated(weights).dense
    let budget = try DictionaryBudget(
      keeping: keep, ratio: ratio, inputs: all.columns, outputs: all.rows, precision: precision)
    let whitened = root.factor.map { Tensor<Scalar>(Tensor<Double>(all).matmul($0)) } ?? all
    let learned = try KSVD(
      atoms: budget.atoms, sparsity: budget.sparsity, sweeps: sweeps, powerIterations: powerIterations,
      initialization: initialization, polishes: polishes, seed: seed
    ).fit(whitened, progress: progress)
    var dictionary = learned.dictionary
    if let factor = root.factor {
      // D L = learned: Lᵀ Dᵀ = learnedᵀ.
      let atoms = Tensor<Double>(learned.dictionary).transposed.dense
      dictionary = Tensor<Scalar>(try factor.solveTriangular(atoms, .lower, transposing: true).transposed.dense)
    }
    let whole = SparseDictionary(dictionary: dictionary, codes: learned.codes, sparsity: budget.sparsity)
      .rounded(to: precision)
    let parts = try whole.split(rows: weights.map(\.rows))
    var bits = whole.dictionaryBits
    for part in parts { bits += part.codeBits }
    // Of the numbers as they are stored, in the norm of the outputs.
    let change = Tensor<Double>(all - whole.dense())
    let error = root.factor.map { change.matmul($0) } ?? change
    let size = Tensor<Double>(whitened).frobeniusNorm()
    return SharedDictionaryCompression(
      weights: parts,
      report: DictionaryReport(
        atoms: budget.atoms, sparsity: budget.sparsity, storedBits: bits,
        keptFraction: Double(bits) / Double(all.count * DictionaryBudget.valueBits),
        relativeError: size > 0 ? error.frobeniusNorm() / size : 0, errors: learned.errors, damping: root.damping))
  }

  private func validated<Scalar: LinearScalar>(
    _ weights: [Tensor<Scalar>], _ moments: [Tensor<Double>]
  ) throws -> (factor: Tensor<Double>?, damping: Double) {
    guard let inputs = weights.first?.shape.last, !weights.isEmpty else {
      throw InvalidArgument("weights", found: "none", wanted: "at least one")
    }
    for (i, weight) in weights.enumerated() {
      let name = weights.count == 1 ? "weight" : "weights[\(i)]"
      try weight.requireMatrix(name)
      guard weight.columns == inputs else {
        throw InvalidArgument(name, found: "\(weight.columns) inputs", wanted: "\(inputs), as the others have")
      }
    }
    try precision.validate()
    guard sweeps >= 0 else { throw InvalidArgument("sweeps", found: "\(sweeps)", wanted: "at least 0") }
    guard damping >= 0, damping < 1 else {
      throw InvalidArgument("damping", found: "\(damping)", wanted: "at least 0, below 1")
    }
    guard let first = moments.first else { return (nil, 0) }
    guard moments.count == 1 || moments.count == weights.count else {
      throw InvalidArgument(
        "secondMoments", found: "\(moments.count)", wanted: "one, or one for each of \(weights.count) weights")
    }
    for moment in moments {
      try moment.requireMatrix("secondMoment")
      guard moment.shape == [inputs, inputs] else {
        throw InvalidArgument("secondMoment", found: "shape \(moment.shape)", wanted: "[\(inputs), \(inputs)]")
      }
    }
    return try root(of: moments.dropFirst().reduce(first, +))
  }

  /// L with L Lᵀ = H + damping · mean(diag H) I, and the damping that it took.
  private func root(of moment: Tensor<Double>) throws -> (factor: Tensor<Double>, damping: Double) {
    let mean = moment.diagonal.mean().scalar
    guard mean > 0 else {
      throw InvalidArgument(
        "secondMoment", found: "a mean of \(mean) on the diagonal", wanted: "inputs that are not zero")
    }
    var damping = damping
    while damping <= 1e-2 {
      let damped = damping == 0 ? moment : moment + .identity(moment.rows) * (damping * mean)
      do {
        return (try CholeskyDecomposition(of: damped).lower.dense, damping)
      } catch DecompositionError.notPositiveDefinite {
        damping = damping == 0 ? 1e-10 : damping * 10
      }
    }
    throw InvalidArgument(
      "secondMoment", found: "a matrix that a damping of 0.01 does not make definite",
      wanted: "second moments, whose eigenvalues are not negative")
  }
}

/// What compressing over a dictionary took and left.
public struct DictionaryReport: Sendable, Hashable {
  /// k and s.
  public let atoms: Int
  public let sparsity: Int
  /// Dictionary, codes and places.
  public let storedBits: Int
  /// Of 16 bits for each number of the weights.
  public let keptFraction: Double
  /// ‖(W - C D) L‖ / ‖W L‖: of the outputs on the calibration inputs, or of the weights where there were none.
  public let relativeError: Double
  /// The same while it was learned, after each sweep and at the end, before rounding.
  public let errors: [Double]
  /// What was added to the diagonal of the second moments, relative to its mean.
  public let damping: Double
}

/// A weight over its dictionary.
public struct DictionaryCompression<Scalar: LinearScalar>: Sendable {
  public let weight: SparseDictionary<Scalar>
  public let report: DictionaryReport
}

/// Weights over one dictionary, which each of them holds and which is stored once.
public struct SharedDictionaryCompression<Scalar: LinearScalar>: Sendable {
  public let weights: [SparseDictionary<Scalar>]
  public let report: DictionaryReport
}

extension SparseDictionary {
  /// The outputs in consecutive groups, over the same dictionary.
  func split(rows: [Int]) throws -> [SparseDictionary] {
    guard rows.count > 1 else { return [self] }
    let starts = codes.starts.scalars
    var parts: [SparseDictionary] = []
    var first = 0
    for count in rows {
      let entries = Int(starts[first])..<Int(starts[first + count])
      let own = starts[first...first + count].map { $0 - starts[first] }
      let part = try SparseMatrix<Scalar>(
        rows: count, columns: atoms, starts: Tensor(Array(own)), indices: codes.indices[entries].copied(),
        values: codes.values[entries].copied())
      parts.append(SparseDictionary(dictionary: dictionary, codes: part, sparsity: sparsity, precision: precision))
      first += count
    }
    return parts
  }
}
