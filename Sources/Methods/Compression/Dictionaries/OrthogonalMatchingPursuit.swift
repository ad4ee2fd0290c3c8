import CVectorKernels
public import LinearAlgebra
public import Tensors

/// Sparse codes of many signals over one dictionary, by orthogonal matching pursuit.
///
/// Atom by atom: the one most correlated with the residual joins (the first of equals), and the coefficients of all are
/// fitted anew. Only inner products are needed, and those of the atoms with each other are formed once for all signals.
/// An atom that lies in the span of the chosen ones is passed over.
///
/// ```swift
/// let codes = try OrthogonalMatchingPursuit(sparsity: 8).encode(signals, over: dictionary)
/// let error = (signals - codes.matrix.matmul(dictionary)).sumOfSquares()
/// ```
///
/// - Complexity: O(k d) time a signal for the correlations, as a matrix product, and O(k s²) for s atoms out of k; results
///   do not depend on the number of threads.
/// - Source: Rubinstein, Zibulevsky and Elad, "Efficient implementation of the K-SVD algorithm using batch orthogonal
///   matching pursuit", Technion CS-2008-08. Here the residual's correlations are updated by one orthonormal direction an
///   atom, whose Cholesky row they share, and the coefficients are solved for once at the end.
public struct OrthogonalMatchingPursuit: Sendable, Hashable {
  /// The most atoms that a signal may use (s).
  public var sparsity: Int
  /// A signal is done when its squared residual is at most this.
  public var tolerance = 0.0

  public init(sparsity: Int, tolerance: Double = 0) { (self.sparsity, self.tolerance) = (sparsity, tolerance) }

  /// Codes of `signals`, of shape [n, d], over `dictionary`, of shape [k, d], an atom a row.
  ///
  /// - Throws: `InvalidArgument` for matrices of different widths or numbers that are not finite, and unless
  ///   1 <= sparsity <= k and the tolerance is not negative.
  public func encode<Scalar: LinearScalar>(
    _ signals: Tensor<Scalar>, over dictionary: Tensor<Scalar>
  ) throws -> SparseApproximation<Scalar> {
    try signals.requireMatrix("signals")
    try dictionary.requireMatrix("dictionary")
    guard signals.columns == dictionary.columns else {
      throw InvalidArgument(
        "dictionary", found: "atoms of \(dictionary.columns) numbers", wanted: "\(signals.columns), as the signals have"
      )
    }
    try validate(atoms: dictionary.rows)
    let pursuit = Pursuit(gram: dictionary.multipliedByOwnTranspose(), sparsity: sparsity, tolerance: tolerance)
    return pursuit.codes(
      correlations: signals.matmul(dictionary, transposingB: true), squares: signals.sumOfSquares(axes: [1]))
  }

  /// Codes of signals that are known by inner products alone.
  ///
  /// - Parameters:
  ///   - correlations: of each signal with each atom, shape [n, k].
  ///   - gram: of the atoms with each other, shape [k, k].
  ///   - squaredNorms: of the signals, shape [n].
  /// - Throws: `InvalidArgument` for shapes that do not fit, and as ``encode(_:over:)``.
  public func encode<Scalar: LinearScalar>(
    correlations: Tensor<Scalar>, gram: Tensor<Scalar>, squaredNorms: Tensor<Scalar>
  ) throws -> SparseApproximation<Scalar> {
    try correlations.requireMatrix("correlations")
    try gram.requireMatrix("gram")
    try squaredNorms.requireFinite("squaredNorms")
    guard gram.shape == [correlations.columns, correlations.columns] else {
      throw InvalidArgument(
        "gram", found: "shape \(gram.shape)", wanted: "[\(correlations.columns), \(correlations.columns)]")
    }
    guard squaredNorms.shape == [correlations.rows] else {
      throw InvalidArgument("squaredNorms", found: "shape \(squaredNorms.shape)", wanted: "[\(correlations.rows)]")
    }
    try validate(atoms: gram.rows)
    return Pursuit(gram: gram, sparsity: sparsity, tolerance: tolerance)
      .codes(correlations: correlations, squares: squaredNorms)
  }

  private func validate(atoms: Int) throws {
    guard 1...atoms ~= sparsity else {
      throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "1 to \(atoms), the number of atoms")
    }
    guard tolerance >= 0, tolerance.isFinite else {
      throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "a number that is not negative")
    }
  }
}

/// Sparse codes, and what they leave.
public struct SparseApproximation<Scalar: LinearScalar>: Sendable {
  /// Shape [n, k], stored by rows: the coefficients of each signal.
  public let matrix: SparseMatrix<Scalar>
  /// The squared residual of each signal, shape [n].
  public let squaredErrors: Tensor<Scalar>
}

/// What coding needs of a dictionary, laid out for the kernels.
struct Pursuit<Scalar: LinearScalar> {
  let atoms: Int
  let sparsity: Int
  let tolerance: Double
  private let gram: Tensor<Scalar>

  init(gram: Tensor<Scalar>, sparsity: Int, tolerance: Double) {
    atoms = gram.rows
    (self.sparsity, self.tolerance) = (sparsity, tolerance)
    self.gram = gram.padded([(0, 0), (0, (atoms + 63) / 64 * 64 - atoms)])
  }

  /// Codes with room for `sparsity` entries a signal.
  func encode(correlations: Tensor<Scalar>, squares: Tensor<Scalar>) -> (codes: CodeTable<Scalar>, rest: Tensor<Scalar>)
  {
    let count = correlations.rows
    var codes = CodeTable<Scalar>(signals: count, sparsity: sparsity)
    let leading = gram.columns
    let scratchLength = (sparsity + 2) * leading + sparsity * (sparsity + 2) + leading / 16
    // A few tasks for each thread: signals that stop early leave room for others.
    let tasks = min(count, count * sparsity * leading < 1 << 16 ? 1 : 4 * threadCount)
    let length = (count + max(1, tasks) - 1) / max(1, tasks)
    let rest = Tensor<Scalar>(uninitializedShape: [count]) { rest in
      codes.withKernelView { view in
        gram.withUnsafeBuffer { gram in
          correlations.withUnsafeBuffer { correlations in
            squares.withUnsafeBuffer { squares in
              let pursuit = apus_pursuit(
                atoms: atoms, leading: leading, sparsity: sparsity, tolerance: tolerance, gram: gram.baseAddress!,
                correlations: correlations.baseAddress!, squares: squares.baseAddress!)
              let rest = UncheckedPointer(rest.baseAddress)
              parallelTasks((count + length - 1) / length) { task in
                withUnsafeTemporaryAllocation(of: Scalar.self, capacity: scratchLength) { scratch in
                  withUnsafePointer(to: pursuit) { pursuit in
                    withUnsafePointer(to: view) { view in
                      pursuitKernels(Scalar.self).pursue(
                        pursuit, task * length, min((task + 1) * length, count), view, rest.base.unsafelyUnwrapped,
                        scratch.baseAddress!)
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    return (codes, rest)
  }

  func codes(correlations: Tensor<Scalar>, squares: Tensor<Scalar>) -> SparseApproximation<Scalar> {
    let (codes, rest) = encode(correlations: correlations, squares: squares)
    return SparseApproximation(matrix: codes.matrix(atoms: atoms), squaredErrors: rest)
  }
}

func pursuitKernels<Scalar>(_: Scalar.Type) -> apus_pursuit_kernels {
  MemoryLayout<Scalar>.size == 4 ? apus_pursuit_f32().pointee : apus_pursuit_f64().pointee
}
