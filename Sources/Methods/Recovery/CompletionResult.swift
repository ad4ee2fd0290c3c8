public import LinearAlgebra
public import Tensors

/// A completed matrix in factors, M ≈ U diag(S) Vᵀ, and how it was found.
public struct CompletionResult<Scalar: LinearScalar>: Sendable {
  /// U, of shape [m, k], S, decreasing, of shape [k], and V, of shape [n, k], with orthonormal columns in U and V.
  public let left: Tensor<Scalar>, values: Tensor<Scalar>, right: Tensor<Scalar>
  public let history: CompletionHistory
  /// Its residual is the relative change of the observed residual in a sweep.
  public let convergence: Convergence
  /// Rows of the spectral start that were too long, and were set to zero.
  public let clippedRows: [Int]
  /// What a reader of the result should know.
  public let notices: [CompletionNotice]

  public var sweeps: Int { convergence.iterations }
  /// ‖P_Ω(U S Vᵀ - M)‖ / ‖P_Ω(M)‖ of the result.
  public var observedError: Double { history.best(history.observedErrors) }
  /// The root mean square error of the held-out entries, if there were some.
  public var heldOutError: Double? {
    history.heldOutErrors.isEmpty ? nil : history.heldOutErrors[history.returnedSweep]
  }

  /// One entry.
  public func predict(row: Int, column: Int) -> Scalar {
    (left[row] * values * right[column]).sum().scalar
  }

  /// The entries at the given places, of shape [entries].
  public func predict(rows: Tensor<Int>, columns: Tensor<Int>) -> Tensor<Scalar> {
    ((left * values).gathered(rows) * right.gathered(columns)).sum(axis: 1)
  }

  /// The whole matrix, of shape [m, n].
  public func completed() -> Tensor<Scalar> { (left * values).matmul(right, transposingB: true) }
}

/// What each sweep did; the start comes first.
public struct CompletionHistory: Sendable, Hashable {
  /// ‖P_Ω(U Vᵀ - M)‖ / ‖P_Ω(M)‖.
  public internal(set) var observedErrors: [Double] = []
  /// The same after each half of a sweep, if that was asked for.
  public internal(set) var halfSweepErrors: [Double] = []
  /// Root mean square errors of held-out entries, if there are some.
  public internal(set) var heldOutErrors: [Double] = []
  /// How far the column space of U has turned: ‖(I - U' U'ᵀ) U‖_F.
  public internal(set) var subspaceChanges: [Double] = []
  /// Multiplications with additions in the solves of a sweep, without QR and monitoring.
  public internal(set) var multiplyAdds: [Double] = []
  /// Rows that were solved directly.
  public internal(set) var directRows: [Int] = []
  /// The sweep whose iterate is returned: the last one, or the best after a divergence.
  public internal(set) var returnedSweep = 0

  func best(_ values: [Double]) -> Double {
    values.indices.contains(returnedSweep) ? values[returnedSweep] : .infinity
  }
}

/// A circumstance that limits what a completion is worth.
public enum CompletionNotice: Sendable, Hashable, CustomStringConvertible {
  /// Rows or columns without an observation; they are completed with zeros.
  case emptyRows([Int])
  case emptyColumns([Int])
  /// Repeated observations of one place, of which the mean was taken.
  case duplicatesAveraged(Int)
  /// Fewer observations than a matrix of this rank has degrees of freedom: it is not determined by them.
  case underdetermined(observations: Int, freedom: Int)
  /// The observed residual grew tenfold over its least; the best iterate is returned.
  case diverged(sweep: Int)

  public var description: String {
    func listed(_ indices: [Int]) -> String {
      indices.prefix(10).map(String.init).joined(separator: ", ") + (indices.count > 10 ? ", ..." : "")
    }
    return switch self {
    case .emptyRows(let rows): "\(rows.count) rows have no observation and are completed with zeros: \(listed(rows))"
    case .emptyColumns(let columns):
      "\(columns.count) columns have no observation and are completed with zeros: \(listed(columns))"
    case .duplicatesAveraged(let count): "\(count) observations repeat a place; the mean of them was taken"
    case .underdetermined(let observations, let freedom):
      "\(observations) observations do not determine a matrix with \(freedom) degrees of freedom"
    case .diverged(let sweep): "the observed residual grew tenfold by sweep \(sweep); the best iterate is returned"
    }
  }
}
