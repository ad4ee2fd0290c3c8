public import ComplexModule
public import Tensors

/// A = Q T Qᵀ with an orthogonal Q and a quasi-triangular T: the real Schur form.
///
/// T is upper triangular but for blocks of two rows on its diagonal, one for each conjugate pair of eigenvalues
/// a ± i sqrt(-b c); in LAPACK's standard form the block is [a, b; c, a] with b c < 0.
public struct SchurDecomposition<Scalar: LinearScalar>: Sendable {
  /// Q, of shape [n, n].
  public let orthogonal: Tensor<Scalar>
  /// T, of shape [n, n].
  public let upper: Tensor<Scalar>
  /// The eigenvalues in the order of T's diagonal; of a pair, the one with positive imaginary part is first.
  public let values: [Complex<Scalar>]

  /// Decomposes a general square `matrix`, of shape [n, n], by the QR algorithm (LAPACK's gees).
  ///
  /// - Parameter first: says of an eigenvalue whether it belongs to the top of T. The first columns of Q then span the
  ///   invariant subspace of those eigenvalues. Both values of a pair go up when either is wanted.
  /// - Throws: `InvalidArgument` unless `matrix` is square and finite; `DecompositionError.notConverged`, also when
  ///   eigenvalues are too close to be exchanged.
  /// - Complexity: about 25 n³ operations; O(n²) memory.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, sections 7.5 and 7.6.
  public init(of matrix: Tensor<Scalar>, first: ((Complex<Scalar>) -> Bool)? = nil) throws {
    let square = try matrix.validSquare()
    let size = square.rows
    guard size > 0 else {
      (orthogonal, upper, values) = (square, square, [])
      return
    }
    var real = [Scalar](repeating: 0, count: size)
    var imaginary = real
    var info = 0
    var t = square.transposed
    var q = Tensor<Scalar>.zeros([size, size])
    t.withUnsafeMutableBuffer { t in
      q.withUnsafeMutableBuffer { q in
        info = Scalar.decomposeSchur(
          size: size, t.baseAddress!, leading: size, real: &real, imaginary: &imaginary, q.baseAddress!)
        guard info == 0, let first else { return }
        var wanted = zip(real, imaginary).map { first(Complex($0, $1)) }
        for i in 0..<size where imaginary[i] > 0 {
          let either = wanted[i] || wanted[i + 1]
          (wanted[i], wanted[i + 1]) = (either, either)
        }
        let selected: [Int32] = wanted.map { $0 ? 1 : 0 }
        info = Scalar.reorderSchur(
          size: size, selected: selected, t.baseAddress!, q.baseAddress!, real: &real, imaginary: &imaginary)
      }
    }
    guard info == 0 else { throw DecompositionError.notConverged("the Schur iteration") }
    (orthogonal, upper) = (q.transposed, t.transposed)
    values = zip(real, imaginary).map { Complex($0, $1) }
  }

  /// Q T Qᵀ.
  public func reconstructed() -> Tensor<Scalar> { orthogonal.matmul(upper).matmul(orthogonal, transposingB: true) }
}

/// A = Z T Zᴴ with a unitary Z and an upper triangular T, complex in general.
public struct ComplexSchurDecomposition<Scalar: LinearScalar>: Sendable {
  /// Z, of shape [n, n].
  public let unitary: ComplexTensor<Scalar>
  /// T, of shape [n, n]; zeros below the diagonal.
  public let upper: ComplexTensor<Scalar>
  /// The eigenvalues, the diagonal of T.
  public var values: [Complex<Scalar>] { upper.real.rows == 0 ? [] : (0..<upper.real.rows).map { upper[at: $0, $0] } }

  /// Decomposes a real square `matrix`, of shape [n, n].
  ///
  /// - Throws: as ``SchurDecomposition``.
  /// - Complexity: that of the real form, and a rotation of rows and columns for each conjugate pair.
  public init(of matrix: Tensor<Scalar>) throws { self.init(try SchurDecomposition(of: matrix)) }

  /// Splits the blocks of two rows of the real form by rotations.
  public init(_ form: SchurDecomposition<Scalar>) {
    let size = form.upper.rows
    var upper = ComplexTensor(form.upper.dense)
    var unitary = ComplexTensor(form.orthogonal.dense)
    if size > 1 {
      upper.real.withUnsafeMutableBuffer { a in
        upper.imaginary.withUnsafeMutableBuffer { b in
          unitary.real.withUnsafeMutableBuffer { c in
            unitary.imaginary.withUnsafeMutableBuffer { d in
              splitBlocks(size: size, a.baseAddress!, b.baseAddress!, c.baseAddress!, d.baseAddress!)
            }
          }
        }
      }
    }
    (self.upper, self.unitary) = (upper, unitary)
  }
}

/// Makes a quasi-triangular T (`a` + i `b`) triangular, and keeps Z T Zᴴ for Z = `c` + i `d`. From the bottom upwards.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func splitBlocks<Scalar: LinearScalar>(
  size n: Int, _ a: UnsafeMutablePointer<Scalar>, _ b: UnsafeMutablePointer<Scalar>, _ c: UnsafeMutablePointer<Scalar>,
  _ d: UnsafeMutablePointer<Scalar>
) {
  for k in stride(from: n - 2, through: 0, by: -1) {
    let below = a[(k + 1) * n + k]
    guard below != 0 else { continue }
    // The eigenvector (t₁₂, λ - t₁₁) of the upper value, λ - t₁₁ = i θ in standard form, becomes the first column.
    let corner = a[k * n + k + 1]
    let theta = Scalar.sqrt(corner.magnitude) * Scalar.sqrt(below.magnitude)
    let length = Scalar.hypot(corner, theta)
    let cosine = corner / length
    let sine = theta / length
    // The unitary of one block is [cosine, i sine; i sine, cosine].
    func rotateColumns(_ x: UnsafeMutablePointer<Scalar>, _ y: UnsafeMutablePointer<Scalar>, rows: Int) {
      for i in 0..<rows {
        let p = i * n + k
        let (ar, ai, br, bi) = (x[p], y[p], x[p + 1], y[p + 1])
        (x[p], y[p]) = (cosine * ar - sine * bi, cosine * ai + sine * br)
        (x[p + 1], y[p + 1]) = (cosine * br - sine * ai, cosine * bi + sine * ar)
      }
    }
    rotateColumns(a, b, rows: k + 2)
    rotateColumns(c, d, rows: n)
    for j in k..<n {
      let (p, q) = (k * n + j, (k + 1) * n + j)
      let (ar, ai, br, bi) = (a[p], b[p], a[q], b[q])
      (a[p], b[p]) = (cosine * ar + sine * bi, cosine * ai - sine * br)
      (a[q], b[q]) = (cosine * br + sine * ai, cosine * bi - sine * ar)
    }
    (a[(k + 1) * n + k], b[(k + 1) * n + k]) = (0, 0)
  }
}
