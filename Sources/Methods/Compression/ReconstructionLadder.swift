public import LinearAlgebra
public import Tensors

/// Ranks by the absolute error of reconstruction: for each matrix alone, the largest reduction of a ladder whose mean
/// |W - W_r| stays within a threshold.
///
/// An alternative to the global threshold in the reference implementation of WeLore. It has no budget: what is kept
/// follows from the threshold, and depends on the scale of the weights.
public struct ReconstructionLadder: Sendable, Hashable {
  /// The mean absolute error allowed.
  public var threshold: Double
  /// Fractions of the rank to remove, tried from the largest down.
  public var reductions: [Double]

  public init(threshold: Double = 5e-4, reductions: [Double] = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]) {
    (self.threshold, self.reductions) = (threshold, reductions)
  }

  /// The rank of one matrix: the short side when no reduction of the ladder is within the threshold.
  ///
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers, the threshold is not negative and the
  ///   reductions lie in (0, 1).
  /// - Complexity: O(m n min(m, n)) time.
  public func rank(of matrix: Tensor<some LinearScalar>) throws -> Int {
    try matrix.requireMatrix("matrix")
    guard threshold >= 0 else { throw InvalidArgument("threshold", found: "\(threshold)", wanted: "not negative") }
    if let wrong = reductions.first(where: { !(0 < $0 && $0 < 1) }) {
      throw InvalidArgument("reductions", found: "\(wrong)", wanted: "fractions in (0, 1)")
    }
    let svd = try SingularValueDecomposition(of: matrix)
    let side = min(matrix.rows, matrix.columns)
    for reduction in reductions.sorted(by: >) {
      let rank = max(1, Int((Double(side) * (1 - reduction)).rounded()))
      let error = (matrix - svd.reconstructed(rank: rank)).absolute().mean().scalar
      if Double(error) <= threshold { return rank }
    }
    return side
  }
}
