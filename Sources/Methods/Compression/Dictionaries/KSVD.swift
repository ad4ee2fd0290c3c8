public import LinearAlgebra
public import Tensors

/// Learns a dictionary whose atoms, a few for each signal, add up to the signals.
///
/// Sweeps of two steps: sparse codes of all signals by orthogonal matching pursuit (a signal keeps its code where the new
/// one is worse, so that the error never grows), then atom by atom the leading singular pair of what the atom's users
/// would leave without it, by power iterations from where it is. An atom that no signal uses becomes the direction of the
/// worst residual. At the end codes and dictionary are fitted once more, the dictionary to all codes at once.
///
/// ```swift
/// let learned = try KSVD(atoms: 256, sparsity: 8).fit(signals)
/// let approximation = learned.codes.matmul(learned.dictionary)
/// ```
///
/// - Complexity: O(n k (d + s²)) time a sweep for the codes of n signals of d numbers, and O(n s d) for the atoms. Results
///   do not depend on the number of threads.
/// - Source: Aharon, Elad and Bruckstein, "K-SVD: an algorithm for designing overcomplete dictionaries for sparse
///   representation", IEEE Trans. Signal Processing 54 (2006); Rubinstein et al., Technion CS-2008-08.
public struct KSVD: Sendable, Hashable {
  /// Where the dictionary starts.
  public enum Initialization: Sendable, Hashable {
    /// Distinct signals, drawn at random; normal vectors where there are too few.
    case signals
    /// The leading principal directions of the signals, then signals: better when the sparsity is near the dimension.
    case spectral
  }

  /// k; may exceed the signals' dimension.
  public var atoms: Int
  /// The most atoms that a signal may use (s).
  public var sparsity: Int
  /// Most sweeps.
  public var sweeps = 30
  /// The sweeps stop when one lowers the error by less than this share of it.
  public var tolerance = 1e-4
  /// Of an atom and its coefficients in a sweep; nil for the exact singular pair, which takes far longer.
  public var powerIterations: Int? = 2
  public var initialization = Initialization.signals
  /// Whether the dictionary is at last fitted to all codes at once.
  public var polishes = true
  /// Whether, when the error falls by less than a percent in a sweep, atoms that are nearly parallel to another, or else
  /// the one that contributes least, start again from the worst residual: taken back when the error is no smaller two
  /// sweeps later. Finds more of a hidden dictionary, at up to twice the sweeps.
  public var restarts = false
  /// Whether the atoms are gone through in another order in every sweep.
  public var shufflesAtoms = false
  /// Of the initial atoms and the order.
  public var seed: UInt64 = 0

  public init(
    atoms: Int, sparsity: Int, sweeps: Int = 30, tolerance: Double = 1e-4, powerIterations: Int? = 2,
    initialization: Initialization = .signals, polishes: Bool = true, seed: UInt64 = 0
  ) {
    (self.atoms, self.sparsity, self.sweeps, self.tolerance) = (atoms, sparsity, sweeps, tolerance)
    (self.powerIterations, self.initialization, self.polishes) = (powerIterations, initialization, polishes)
    self.seed = seed
  }

  /// Learns from `signals`, of shape [n, d].
  ///
  /// - Throws: `InvalidArgument` unless they are a matrix of finite numbers and 1 <= sparsity <= atoms.
  public func fit<Scalar: LinearScalar>(
    _ signals: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> LearnedDictionary<Scalar> {
    try signals.requireMatrix("signals")
    try validate()
    var random = RandomStream(seed: seed)
    let total = signals.sumOfSquares().scalar
    guard total > 0 else {
      let normal: Tensor<Scalar> = random.sphere([atoms, signals.columns])
      return LearnedDictionary(
        dictionary: normal, codes: .zeros(signals.rows, atoms), convergence: Convergence(tolerance: tolerance),
        errors: [0])
    }
    let initial = try initialAtoms(signals, &random)
    var state = DictionaryState(
      signals: signals, dictionary: initial, sparsity: min(sparsity, signals.columns), powerIterations: powerIterations)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: sweeps)
    func relative(_ square: Double) -> Double { (square / Double(total)).squareRoot() }
    var errors: [Double] = []
    var trial: RestartTrial<Scalar>?
    var isWanted = sweeps > 0
    while isWanted {
      try progress.report(errors.count, of: sweeps)
      state.encode()
      let order = shufflesAtoms ? random.permutation(atoms).scalars : Array(0..<atoms)
      try state.updateAtoms(order: order)
      var error = relative(state.squaredError)
      let before = errors.last ?? .infinity
      if trial?.isOver(&state, error: &error) == true { trial = nil }
      errors.append(error)
      // An error that is rounding alone has nothing left to lose.
      let isExact = error < 64 * Double(Scalar.ulpOfOne)
      let decrease = isExact ? 0 : before.isFinite ? (before - error) / before : 1
      isWanted = convergence.continues(residual: trial == nil ? decrease : 1)
      if restarts, isWanted, trial == nil, decrease < 0.01, errors.count + RestartTrial<Scalar>.length < sweeps {
        trial = RestartTrial(of: state, error: error)
        state.restartAtoms()
      }
    }
    if let trial { (state, _) = trial.better(than: state, error: relative(state.squaredError)) }
    state.encode()
    if polishes { try state.polish() }
    errors.append(relative(state.squaredError))
    try progress.report(sweeps, of: sweeps)
    return LearnedDictionary(
      dictionary: state.dictionary, codes: state.codes.matrix(atoms: atoms), convergence: convergence, errors: errors)
  }

  private func validate() throws {
    guard atoms >= 1 else { throw InvalidArgument("atoms", found: "\(atoms)", wanted: "at least 1") }
    guard 1...atoms ~= sparsity else {
      throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "1 to \(atoms), the number of atoms")
    }
    guard sweeps >= 0 else { throw InvalidArgument("sweeps", found: "\(sweeps)", wanted: "at least 0") }
    guard powerIterations ?? 1 >= 1 else {
      throw InvalidArgument("powerIterations", found: "\(powerIterations ?? 0)", wanted: "at least 1")
    }
    guard tolerance >= 0 else { throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least 0") }
  }

  /// Unit vectors, one a row.
  private func initialAtoms<Scalar: LinearScalar>(
    _ signals: Tensor<Scalar>, _ random: inout RandomStream
  ) throws -> Tensor<Scalar> {
    var parts: [Tensor<Scalar>] = []
    var missing = atoms
    if initialization == .spectral {
      let gram = signals.multipliedByOwnTranspose(transposing: true)
      let count = min(missing, signals.columns)
      parts.append(try SymmetricEigendecomposition(of: gram).largest(count).vectors.transposed.dense)
      missing -= count
    }
    let lengths = signals.norm(axis: 1).scalars
    let nonzero = lengths.indices.filter { lengths[$0] > 0 }
    let drawn = random.permutation(nonzero.count).scalars.prefix(missing).map { nonzero[$0] }
    if !drawn.isEmpty {
      let chosen = signals.gathered(Tensor(Array(drawn)))
      parts.append(chosen / Tensor(drawn.map { lengths[$0] }).expanded(axis: 1))
      missing -= drawn.count
    }
    if missing > 0 { parts.append(random.sphere([missing, signals.columns])) }
    return Tensor.concatenated(parts).dense
  }
}

/// A dictionary and the codes of the signals that it was learned from.
public struct LearnedDictionary<Scalar: LinearScalar>: Sendable {
  /// Shape [k, d]: unit vectors, an atom a row.
  public let dictionary: Tensor<Scalar>
  /// Shape [n, k], stored by rows, at most s entries in each.
  public let codes: SparseMatrix<Scalar>
  /// Of the relative decrease of the error in a sweep.
  public let convergence: Convergence
  /// ‖Y - codes · dictionary‖ / ‖Y‖ after every sweep and at the end; never increasing.
  public let errors: [Double]

  public func reconstructed() -> Tensor<Scalar> { codes.matmul(dictionary) }
}
