import LinearAlgebra
import Tensors

/// The norm in which a low-rank term is nearest to a weight's error P: ‖P F‖ with F Fᵀ = R.
struct ErrorMetric {
  private enum Matrix {
    case identity
    /// R = diag(d²).
    case diagonal(Tensor<Double>)
    case full(Tensor<Double>)
  }
  private let matrix: Matrix
  /// The largest over the smallest eigenvalue of R, as an estimate; infinite when it is singular.
  let conditionNumber: Double

  /// Eigenvalues below this share of the largest count as it.
  static let floor = 1e-10

  init(_ activations: ActivationMoments, _ scaling: ReconstructionScaling) throws {
    let moment = activations.secondMoment
    let variances = moment.diagonal
    func scales(_ values: Tensor<Double>) -> Tensor<Double> {
      values.maximum(values.maximum().scalar * Self.floor.squareRoot())
    }
    switch scaling {
    case .identity: (matrix, conditionNumber) = (.identity, 1)
    case .diagonal:
      (matrix, conditionNumber) = (.diagonal(scales(variances.sqrt())), spread(variances))
    case .lqer:
      // The common factor 1 / sqrt(min · max) of the paper changes no singular vector.
      let magnitudes = activations.largestMeans
      (matrix, conditionNumber) = (.diagonal(scales(magnitudes)), spread(magnitudes.squared()))
    case .exact:
      matrix = .full(moment)
      conditionNumber = try Self.condition(of: moment)
    }
  }

  /// - Throws: `InvalidArgument` when an eigenvalue is negative beyond rounding.
  private static func condition(of moment: Tensor<Double>) throws -> Double {
    if let cholesky = try? CholeskyDecomposition(of: moment), cholesky.reciprocalCondition > 0 {
      return 1 / cholesky.reciprocalCondition
    }
    let values = try moment.symmetrized.symmetricEigenvalues().scalars
    let (smallest, largest) = (values[0], values[values.count - 1])
    guard smallest >= -1e-8 * max(largest, -smallest) else {
      throw InvalidArgument(
        "secondMoment", found: "an eigenvalue of \(smallest), the largest being \(largest)",
        wanted: "second moments, whose eigenvalues are negative by rounding only")
    }
    return smallest > 0 ? largest / smallest : .infinity
  }

  /// Orthonormal columns U, shape [n, count], for which U Uᵀ P is the nearest matrix of rank `count` to P in this norm,
  /// and the square of what that leaves: the sum of the squared singular values of P F beyond `count`.
  func leadingDirections(
    of error: Tensor<Double>, count: Int, by route: QERA.Route
  ) throws -> (basis: Tensor<Double>, missed: Double) {
    switch route {
    case .gram where error.rows <= error.columns:
      return try directions(ofGram: weighted(error).matmul(error, transposingB: true).symmetrized, count: count)
    case .gram, .cholesky: return try directions(of: scaled(error, by: .cholesky), count: count)
    case .root: return try directions(of: scaled(error, by: .symmetric), count: count)
    case .randomized(let seed):
      var random = RandomStream(seed: seed)
      let scaled = try scaled(error, by: .cholesky)
      let finder = RandomizedRangeFinder(oversampling: count, powerIterations: 3)
      let svd = try RandomizedSVD(rank: count, rangeFinder: finder).decompose(scaled, random: &random)
      let missed = scaled.sumOfSquares().scalar - svd.values.sumOfSquares().scalar
      return (svd.left.dense, max(0, missed))
    }
  }

  private func directions(ofGram gram: Tensor<Double>, count: Int) throws -> (Tensor<Double>, Double) {
    let eigen = try SymmetricEigendecomposition(of: gram)
    let missed = eigen.values[0..<(gram.rows - count)].maximum(0).sum().scalar
    return (eigen.largest(count).vectors.dense, missed)
  }

  private func directions(of scaled: Tensor<Double>, count: Int) throws -> (Tensor<Double>, Double) {
    let svd = try SingularValueDecomposition(of: scaled)
    return (svd.truncated(rank: count).left.dense, svd.values[count...].sumOfSquares().scalar)
  }

  /// P R.
  private func weighted(_ error: Tensor<Double>) -> Tensor<Double> {
    switch matrix {
    case .identity: error
    case .diagonal(let scales): error * scales.squared()
    case .full(let moment): error.matmul(moment)
    }
  }

  /// P F.
  private func scaled(_ error: Tensor<Double>, by method: Whitening<Double>.Method) throws -> Tensor<Double> {
    switch matrix {
    case .identity: return error
    case .diagonal(let scales): return error * scales
    case .full(let moment):
      if method == .cholesky {
        // The least damping that makes a singular moment definite; it changes the norm by that share.
        for damping in [0, 1e-14, 1e-12, Self.floor] {
          let damped = damping == 0 ? moment : moment + .identity(moment.rows) * (damping * moment.infinityNorm())
          if let cholesky = try? CholeskyDecomposition(of: damped) { return error.matmul(cholesky.lower) }
        }
      }
      let eigen = try SymmetricEigendecomposition(of: moment)
      let least = max(eigen.values.maximum().scalar, 0) * Self.floor
      return error.matmul(eigen.vectors * eigen.values.maximum(least).sqrt())
    }
  }
}

/// The largest over the smallest of non-negative values.
private func spread(_ values: Tensor<Double>) -> Double {
  let smallest = values.minimum().scalar
  return smallest > 0 ? values.maximum().scalar / smallest : .infinity
}
