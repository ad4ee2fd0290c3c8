public import LinearAlgebra
public import Tensors

/// Approximate eigenvectors of a symmetric operator from a Krylov space: the vectors from which training data are mixed.
public struct RitzVectors: Sendable {
  /// Orthonormal columns, shape [n, m].
  public let vectors: Tensor<Double>
  /// Increasing, shape [m].
  public let values: Tensor<Double>
}

/// Lanczos's method with full re-orthogonalisation, twice.
///
/// - Parameters:
///   - count: steps; fewer when the Krylov space ends.
///   - smallest: Ritz values below it are left out.
/// - Throws: `InvalidArgument` for a count below one; what the operator throws.
/// - Complexity: `count` products, O(n count²) time and O(n count) memory.
public func ritzVectors(
  _ matrix: some LinearOperator<Double>, count: Int, smallest: Double = 1e-8, random: inout RandomStream,
  progress: WorkProgress = .silent
) throws -> RitzVectors {
  let size = matrix.shape[0]
  guard matrix.shape == [size, size], size > 0 else {
    throw InvalidArgument("operator", found: "shape \(matrix.shape)", wanted: "a square operator")
  }
  guard count >= 1 else { throw InvalidArgument("count", found: "\(count)", wanted: "at least 1") }
  let limit = min(count, size)
  var basis = Tensor<Double>.zeros([limit, size])
  var next = try matrix.apply(random.normal([size]))
  var (diagonal, beside): ([Double], [Double]) = ([], [])
  var length = next.frobeniusNorm()
  let scale = max(length, .leastNormalMagnitude)
  while diagonal.count < limit, length > 1e-12 * scale {
    try progress.report(diagonal.count, of: limit, "Lanczos")
    let step = diagonal.count
    let vector = next / length
    basis.withUnsafeMutableBuffer { basis in
      vector.withUnsafeBuffer { (basis.baseAddress! + step * size).update(from: $0.baseAddress!, count: size) }
    }
    next = try matrix.apply(vector)
    try next.requireFinite("operator")
    diagonal.append((vector * next).sum().scalar)
    let known = basis[0...step]
    for _ in 0..<2 { next -= known.matmul(next).matmul(known) }
    length = next.frobeniusNorm()
    beside.append(length)
  }
  let steps = diagonal.count
  let triangle = Tensor<Double>(uninitializedShape: [steps, steps]) { t in
    t.update(repeating: 0)
    for i in 0..<steps {
      t[i * steps + i] = diagonal[i]
      if i + 1 < steps {
        t[i * steps + i + 1] = beside[i]
        t[(i + 1) * steps + i] = beside[i]
      }
    }
  }
  let eigen = try SymmetricEigendecomposition(of: triangle)
  let dropped = eigen.values.scalars.count { $0 < smallest }
  let chosen = eigen.vectors[.all, dropped...].copied()
  return RitzVectors(
    vectors: basis[..<steps].matmul(chosen, transposingA: true), values: eigen.values[dropped...].copied())
}
