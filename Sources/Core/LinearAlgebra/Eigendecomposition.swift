public import ComplexModule
public import Tensors

/// A V = V diag(w) of a general square matrix: eigenvalues and right eigenvectors, complex in general.
///
/// Values come in the order in which the QR algorithm finds them, as in NumPy; of a conjugate pair, the one with
/// positive imaginary part is first. Vectors have length one, and their component of largest magnitude is real. A
/// defective matrix has fewer than n independent eigenvectors; the columns then are nearly dependent.
public struct Eigendecomposition<Scalar: LinearScalar>: Sendable {
  /// w, the n eigenvalues.
  public let values: [Complex<Scalar>]
  /// V, of shape [n, n]: the eigenvectors as columns.
  public let vectors: ComplexTensor<Scalar>

  /// Decomposes `matrix`, of shape [n, n], by the QR algorithm (LAPACK's geev).
  ///
  /// - Throws: `InvalidArgument` unless `matrix` is square and finite; `DecompositionError.notConverged`.
  /// - Complexity: O(n³) time; O(n²) memory.
  public init(of matrix: Tensor<Scalar>) throws {
    let square = try matrix.validSquare()
    let size = square.rows
    var packed = Tensor<Scalar>.zeros([size, size])
    values = try packed.withUnsafeMutableBuffer { try generalEigenvalues(of: square, vectors: $0.baseAddress!) }
    vectors = unpacked(packed, values)
  }
}

/// Column j of the eigenvectors is row j here; a conjugate pair shares two rows, its real and its imaginary part.
func unpacked<Scalar: LinearScalar>(
  _ packed: Tensor<Scalar>, _ values: [Complex<Scalar>]
) -> ComplexTensor<Scalar> {
  let size = values.count
  var real = packed
  var imaginary = Tensor<Scalar>.zeros([size, size])
  real.withUnsafeMutableBuffer { real in
    imaginary.withUnsafeMutableBuffer { imaginary in
      for (j, value) in values.enumerated() where value.imaginary > 0 {
        let x = real.baseAddress! + j * size
        let y = imaginary.baseAddress! + j * size
        y.update(from: x + size, count: size)
        Scalar.apply(.negate, y, strideA: 1, y + size, count: size)
        (x + size).update(from: x, count: size)
      }
    }
  }
  return ComplexTensor(real: real.transposed, imaginary: imaginary.transposed)
}

extension Tensor where Scalar: LinearScalar {
  /// The eigenvalues of a general square matrix, without vectors, in the order of ``Eigendecomposition``.
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite; `DecompositionError.notConverged`.
  public func eigenvalues() throws -> [Complex<Scalar>] { try generalEigenvalues(of: validSquare(), vectors: nil) }

  /// The largest magnitude of an eigenvalue; zero for an empty matrix.
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite; `DecompositionError.notConverged`.
  public func spectralRadius() throws -> Scalar { try eigenvalues().map(\.length).max() ?? 0 }
}

private func generalEigenvalues<Scalar: LinearScalar>(
  of matrix: Tensor<Scalar>, vectors: UnsafeMutablePointer<Scalar>?
) throws -> [Complex<Scalar>] {
  let size = matrix.rows
  guard size > 0 else { return [] }
  var real = [Scalar](repeating: 0, count: size)
  var imaginary = real
  var info = 0
  var work = matrix.transposed
  work.withUnsafeMutableBuffer { a in
    info = Scalar.decomposeGeneral(
      size: size, a.baseAddress!, leading: size, real: &real, imaginary: &imaginary, vectors: vectors)
  }
  guard info == 0 else { throw DecompositionError.notConverged("the general eigenvalue iteration") }
  return zip(real, imaginary).map { Complex($0, $1) }
}
