public import BLAS
public import Tensors

/// A scalar of matrices that can be factored: `Float` or `Double`.
public protocol LinearScalar: RealScalar, SpectralKernels, ReductionKernels {}

extension Float: LinearScalar {}
extension Double: LinearScalar {}

/// How many orthonormal vectors a decomposition returns.
public enum OrthonormalBasis: Sendable, Hashable {
  /// As many as the matrix has singular values: the smaller of its extents.
  case thin
  /// A basis of the whole space.
  case full
}

/// Why a finite matrix of the right shape has no decomposition of the kind that was asked for.
public enum DecompositionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The leading block of this many rows and columns is not positive definite.
  case notPositiveDefinite(leadingMinor: Int)
  /// The pivot in this row, counted from zero, is exactly zero: the matrix has no inverse.
  case singular(pivot: Int)
  /// A method that needs independent columns found only this many.
  case rankDeficient(rank: Int, columns: Int)
  /// The library's iteration for eigenvalues or singular values gave up; on finite input this is very rare.
  case notConverged(String)

  public var description: String {
    switch self {
    case .notPositiveDefinite(let minor):
      "the matrix is not positive definite: its leading block of order \(minor) is not"
    case .singular(let pivot): "the matrix is singular: pivot \(pivot) is zero"
    case .rankDeficient(let rank, let columns):
      "the matrix has rank \(rank), but \(columns) independent columns are needed"
    case .notConverged(let what): "\(what) did not converge"
    }
  }
}
