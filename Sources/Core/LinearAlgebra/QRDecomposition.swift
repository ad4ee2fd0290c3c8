public import Tensors

/// A = Q R with orthonormal columns in Q and an upper triangular R.
///
/// The diagonal of R is not negative. For a matrix of full column rank this makes the factors unique.
public struct QRDecomposition<Scalar: LinearScalar>: Sendable {
  /// Q, of shape [m, k] with k = min(m, n), or [m, m] for a full basis.
  public let orthogonal: Tensor<Scalar>
  /// R, of shape [k, n], or [m, n] for a full basis.
  public let upper: Tensor<Scalar>

  /// Decomposes `matrix`, of shape [m, n], by Householder reflections.
  ///
  /// Derivatives flow through the factors of a matrix of full rank (of a wide one: whose first m columns are
  /// independent), unless a tall one's full basis is wanted.
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers. For one that is being differentiated,
  ///   also for a full basis when m > n, and `DecompositionError.rankDeficient`.
  /// - Complexity: O(m n min(m, n)) time; O(m n) memory.
  public init(of matrix: Tensor<Scalar>, basis: OrthonormalBasis = .thin) throws {
    let factors = HouseholderFactors(try matrix.withoutDerivative.validMatrix())
    let numbers = factors.matrices(basis)
    (orthogonal, upper) = matrix.isDifferentiated ? try differentiatedFactors(numbers, of: matrix, basis) : numbers
  }
}

/// A P = Q R, where P reorders the columns of A so that the diagonal of R decreases.
///
/// The decrease reveals the numerical rank at a fraction of the cost of singular values. The diagonal is not negative.
public struct PivotedQRDecomposition<Scalar: LinearScalar>: Sendable {
  /// Q, of shape [m, k] with k = min(m, n), or [m, m] for a full basis.
  public let orthogonal: Tensor<Scalar>
  /// R, of shape [k, n], or [m, n] for a full basis.
  public let upper: Tensor<Scalar>
  /// Column j of Q R is column `permutation[j]` of A.
  public let permutation: [Int]

  /// Decomposes `matrix`, of shape [m, n], by Householder reflections, taking the column of largest remaining norm
  /// first.
  ///
  /// - Throws: as ``QRDecomposition``.
  /// - Complexity: O(m n min(m, n)) time; O(m n) memory. Derivatives flow as in ``QRDecomposition``.
  /// - Source: Businger and Golub, "Linear least squares solutions by Householder transformations", 1965.
  public init(of matrix: Tensor<Scalar>, basis: OrthonormalBasis = .thin) throws {
    let factors = HouseholderFactors(try matrix.withoutDerivative.validMatrix(), pivoting: true)
    let numbers = factors.matrices(basis)
    permutation = factors.permutation
    (orthogonal, upper) =
      matrix.isDifferentiated
      ? try differentiatedFactors(numbers, of: matrix.gathered(Tensor<Int>(permutation), axis: 1), basis) : numbers
  }

  /// The number of diagonal entries of R above `tolerance` times the first; by default, the precision times the larger
  /// extent. Nearly always the rank that singular values give; Kahan's matrices are the known exception.
  public func rank(tolerance: Scalar? = nil) -> Int {
    let size = max(orthogonal.rows, upper.columns)
    return numericalRank(upper.diagonal, tolerance: tolerance ?? .ulpOfOne * Scalar(size))
  }

  /// Q R with its columns in the order of A.
  public func reconstructed() -> Tensor<Scalar> {
    let product = orthogonal.matmul(upper).transposed.dense
    if product.isDifferentiated {
      return product.gathered(Tensor<Int>(permutation).argsort()).transposed
    }
    var result = product
    for (j, column) in permutation.enumerated() { result[column] = product[j] }
    return result.transposed
  }
}

extension HouseholderFactors {
  /// Q and R, the diagonal of R made not negative.
  func matrices(_ basis: OrthonormalBasis) -> (orthogonal: Tensor<Scalar>, upper: Tensor<Scalar>) {
    let square = min(rows, columns)
    let count = basis == .full ? rows : square
    var upper = self.upper(rows: count)
    var q = orthogonalTransposed(columns: count)
    upper.withUnsafeMutableBuffer { upper in
      q.withUnsafeMutableBuffer { q in
        for i in 0..<square where upper[i * columns + i] < 0 {
          let row = upper.baseAddress! + i * columns
          let vector = q.baseAddress! + i * rows
          // Zeros left of the diagonal stay as they are: -0 would be a surprise.
          Scalar.apply(.negate, row + i, strideA: 1, row + i, count: columns - i)
          Scalar.apply(.negate, vector, strideA: 1, vector, count: rows)
        }
      }
    }
    return (q.transposed, upper)
  }
}
