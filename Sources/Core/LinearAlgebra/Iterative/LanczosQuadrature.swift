public import Tensors

/// The trace of a function of a symmetric operator, such as log det A = tr log A.
///
/// For each random z, some steps of Lanczos give a Gauss quadrature for zᵀ f(A) z: exact for polynomials of degree
/// 2 steps - 1, and for smooth functions nearly so long before. The standard error speaks of the samples, not of the
/// quadrature.
///
/// - Source: Ubaru, Chen and Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature", SIAM J. Matrix
///   Anal. Appl. 38 (2017).
public struct StochasticLanczosQuadrature: Sendable, Hashable {
  public var samples = 32
  /// Products for each sample.
  public var steps = 50

  public init(samples: Int = 32, steps: Int = 50) { (self.samples, self.steps) = (samples, steps) }

  /// An estimate of tr f(A).
  ///
  /// - Parameters:
  ///   - matrix: A, which must be symmetric; that is not checked.
  ///   - function: f, at approximate eigenvalues of A.
  /// - Throws: `InvalidArgument` for an operator that is not square, settings out of range, products that are not
  ///   finite, or where f is not: it names the argument; `CancellationError`.
  /// - Complexity: samples · steps products, and O(n steps²) time a sample, for bases that are kept orthogonal.
  public func trace<Scalar: LinearScalar>(
    ofFunctionOf matrix: some LinearOperator<Scalar>, random: inout RandomStream, progress: WorkProgress = .silent,
    _ function: (Double) -> Double
  ) throws -> StochasticEstimate {
    let size = try matrix.squareSize()
    for (name, value) in [("samples", samples), ("steps", steps)] where value < 1 {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least 1")
    }
    guard size > 0 else { return StochasticEstimate(mean: []) }
    var values: [Double] = []
    for sample in 0..<samples {
      try progress.report(sample, of: samples, "Lanczos quadrature")
      let probe: Tensor<Scalar> = ProbeDistribution.signs.probes(size, 1, &random).flattened
      let rule = try quadrature(matrix, start: probe)
      var sum = 0.0
      for (node, weight) in zip(rule.nodes, rule.weights) where weight > 0 {
        let value = function(node)
        guard value.isFinite else {
          throw InvalidArgument(
            "function", found: "\(value) at \(node)", wanted: "finite numbers on the spectrum of the operator")
        }
        sum += weight * value
      }
      values.append(Double(size) * sum)
    }
    return StochasticEstimate(mean: values)
  }

  /// An estimate of log det A of a symmetric positive definite operator.
  ///
  /// - Throws: as ``trace(ofFunctionOf:random:progress:_:)``, also where A shows not to be positive definite.
  public func logDeterminant<Scalar: LinearScalar>(
    of matrix: some LinearOperator<Scalar>, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> StochasticEstimate {
    try trace(ofFunctionOf: matrix, random: &random, progress: progress) { Double.log($0) }
  }

  /// Nodes and weights of the quadrature for the measure of `start`; weights sum to one.
  private func quadrature<Scalar: LinearScalar>(
    _ matrix: some LinearOperator<Scalar>, start: Tensor<Scalar>
  ) throws -> (nodes: [Double], weights: [Double]) {
    let size = start.count
    let limit = min(steps, size)
    var basis = Tensor<Scalar>.zeros([limit, size])
    var projected = Tensor<Double>.zeros([limit, limit])
    basis[0] = start / start.length()
    var used = 1
    for j in 0..<limit {
      let vector = basis[j]
      var rest = try matrix.apply(vector)
      guard rest.shape == [size] else {
        throw InvalidArgument("operator", found: "a result of shape \(rest.shape)", wanted: "shape [\(size)]")
      }
      try rest.requireFinite("operator")
      projected[at: j, j] = Double(vector.innerProduct(rest))
      guard j + 1 < limit else { break }
      let whole = rest.length()
      let earlier = basis[0..<j + 1, .all]
      for _ in 0..<2 { rest -= earlier.matmul(rest).matmul(earlier) }
      let beta = rest.length()
      // The measure has no more nodes than this.
      if beta <= 8 * .ulpOfOne * whole { break }
      basis[j + 1] = rest / beta
      projected[at: j, j + 1] = Double(beta)
      projected[at: j + 1, j] = Double(beta)
      used = j + 2
    }
    let ritz = try SymmetricEigendecomposition(of: projected[0..<used, 0..<used].dense)
    return (ritz.values.scalars, ritz.vectors[0].squared().scalars)
  }
}
