import LinearAlgebra
import Tensors

/// The memory of Anderson's method for the fixed points of several heads side by side, each with coefficients of its own.
///
/// A new iterate is the combination of the last images whose change, were the map linear there, would be the least.
/// - Source: Anderson, "Iterative procedures for nonlinear integral equations", J. ACM 12 (1965); Walker and Ni, SIAM J. Numer.
///   Anal. 49 (2011).
struct AndersonMemory<Scalar: LinearScalar> {
  let depth: Int
  /// Differences of successive changes g - z, and of successive images g, shape [nodes, heads].
  private var changes: [Tensor<Scalar>] = []
  private var images: [Tensor<Scalar>] = []
  private var last: (change: Tensor<Scalar>, image: Tensor<Scalar>)?

  init(depth: Int) { self.depth = depth }

  mutating func forget() { (changes, images, last) = ([], [], nil) }

  /// The next iterate, from the image g of the present one and g - z.
  mutating func next(image: Tensor<Scalar>, change: Tensor<Scalar>) -> Tensor<Scalar> {
    if let last {
      changes.append(change - last.change)
      images.append(image - last.image)
      if changes.count > depth {
        changes.removeFirst()
        images.removeFirst()
      }
    }
    last = (change, image)
    guard !changes.isEmpty else { return image }
    let coefficients = leastSquares(change)
    var result = image
    for (difference, factors) in zip(images, coefficients) { result -= difference * factors }
    return result
  }

  /// For each difference its coefficient in every head, shape [heads]: those of the least ‖f - Σ c_j Δf_j‖.
  private func leastSquares(_ change: Tensor<Scalar>) -> [Tensor<Scalar>] {
    let (count, heads) = (changes.count, change.columns)
    var gram = [[Double]](repeating: [Double](repeating: 0, count: count * count), count: heads)
    var right = [[Double]](repeating: [Double](repeating: 0, count: count), count: heads)
    for i in 0..<count {
      for (h, value) in (changes[i] * change).sum(axis: 0).scalars.enumerated() { right[h][i] = Double(value) }
      for j in 0...i {
        for (h, value) in (changes[i] * changes[j]).sum(axis: 0).scalars.enumerated() {
          gram[h][i * count + j] = Double(value)
          gram[h][j * count + i] = Double(value)
        }
      }
    }
    let solutions = (0..<heads).map { Self.solved(gram[$0], right[$0]) }
    return (0..<count).map { i in Tensor(solutions.map { Scalar($0[i]) }) }
  }

  /// The solution of a small regularized system with a Gram matrix, row-major; zero where that is not definite.
  private static func solved(_ gram: [Double], _ right: [Double]) -> [Double] {
    let count = right.count
    var (factor, x) = (gram, right)
    let trace = (0..<count).reduce(0) { $0 + gram[$1 * count + $1] }
    let shift = trace * 16 * Double(Scalar.ulpOfOne)
    for i in 0..<count { factor[i * count + i] += shift }
    let isRegular = factor.withUnsafeMutableBufferPointer { factor in
      x.withUnsafeMutableBufferPointer { x in
        guard trace.isFinite, let l = factor.baseAddress, let x = x.baseAddress,
          SmallCholesky.factor(l, size: count, stride: count, tolerance: 0)
        else { return false }
        SmallCholesky.solve(l, size: count, stride: count, x)
        return true
      }
    }
    return isRegular ? x : [Double](repeating: 0, count: count)
  }
}
