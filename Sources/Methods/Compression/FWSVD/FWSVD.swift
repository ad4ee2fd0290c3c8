import LinearAlgebra
import Networks
public import Tensors

/// Low-rank factors that spare what the loss depends on: rows (or columns) are weighted by their Fisher information.
///
/// ```swift
/// let data = CalibrationData<GPT<Float>>(tokens: windows)
/// let small = try FWSVD().compress(model, keeping: 0.5, data: data)
/// ```
/// - Source: Hsu et al., "Language model compression with weighted low-rank factorization", ICLR 2022, arXiv 2207.00112.
public struct FWSVD: LayerCompressor {
  public var axis: FisherAxis

  public init(axis: FisherAxis = .output) { self.axis = axis }

  public var needs: CalibrationNeeds { .fisher }

  /// Figures: `weight error` and `weighted error`, relative, and `predicted loss increase`.
  public func compress(
    weight: Tensor<Float>, calibration: LayerCalibration?, keeping fraction: Double
  ) throws -> CompressedLayer {
    guard let fisher = calibration?.fisher else {
      throw InvalidArgument("calibration", found: "no squared gradients", wanted: "those of a loss for this layer")
    }
    guard let rank = try lowRank(keeping: fraction, of: weight.shape) else { return CompressedLayer(form: nil) }
    let result = try fisherWeightedSVD(weight, fisher: fisher, rank: rank, axis: axis)
    let norm = Double(weight.frobeniusNorm())
    return CompressedLayer(
      form: .lowRank(left: Tensor<Float>(result.factors.left), right: Tensor<Float>(result.factors.right)),
      figures: [
        ("weight error", norm > 0 ? result.plainError / norm : 0), ("weighted error", result.relativeWeightedError),
        ("predicted loss increase", result.predictedLossIncrease),
      ])
  }
}

/// Along which side of a weight [outputs, inputs] Fisher information is tied together.
public enum FisherAxis: String, Sendable, Hashable, CaseIterable {
  /// One weight a row, that is an output.
  case output
  /// One weight a column, that is an input: the rows of the paper, which writes its matrices inputs first.
  case input
  /// Rows and columns, by the product of their weights.
  case both
}

/// Factors of a matrix, and what they lost.
public struct FisherFactors: Sendable {
  public var factors: FactoredMatrix<Double>
  /// ‖D (W - A B)‖ in the weighting that was minimized, with weights whose largest is one.
  public var weightedError: Double
  /// The same over ‖D W‖.
  public var relativeWeightedError: Double
  /// ‖W - A B‖.
  public var plainError: Double
  /// 1/2 Σ I_ij (W - A B)_ij²: the rise of an example's loss by a diagonal model of second order.
  public var predictedLossIncrease: Double
}

/// The matrix of rank `rank` with the least Σ d_i² e_j² (W - A B)_ij², with d² and e² the Fisher information of rows and
/// columns, or one, as the axis says.
///
/// Rows whose information is below 1e-12 of the largest count with that: they are reproduced badly, and harmlessly.
/// - Throws: `InvalidArgument` for a Fisher information of another shape, of no examples or all zero, a rank out of range,
///   or a weight that is not finite.
/// - Complexity: O(m n min(m, n)) time.
public func fisherWeightedSVD(
  _ weight: Tensor<Float>, fisher: FisherMoments, rank: Int, axis: FisherAxis = .output
) throws -> FisherFactors {
  let problem = try FisherProblem(weight, fisher, axis)
  try requireRank(rank, of: weight.shape)
  let factors = try GramFactors(of: problem.weighted, rank: rank)
  let unweighted = FactoredMatrix(
    left: factors.left / problem.rowRoots.expanded(axis: 1), right: factors.right / problem.columnRoots)
  let error = problem.weight - unweighted.reconstructed()
  let total = factors.energies.reduce(0, +)
  let lost = factors.energies.dropFirst(rank).reversed().reduce(0, +)
  return FisherFactors(
    factors: unweighted, weightedError: lost.squareRoot(),
    relativeWeightedError: total > 0 ? (lost / total).squareRoot() : 0,
    plainError: error.frobeniusNorm(), predictedLossIncrease: problem.predictedIncrease(error))
}

/// W in the weighting of its Fisher information.
struct FisherProblem {
  let weight: Tensor<Double>
  /// I, shape [m, n].
  let information: Tensor<Double>
  /// Square roots of the weights of rows [m] and columns [n], with largest one.
  let rowRoots: Tensor<Double>
  let columnRoots: Tensor<Double>

  init(_ weight: Tensor<Float>, _ fisher: FisherMoments, _ axis: FisherAxis) throws {
    try weight.requireMatrix("weight")
    guard fisher.squares.shape == weight.shape else {
      throw InvalidArgument(
        "fisher", found: "shape \(fisher.squares.shape)", wanted: "\(weight.shape), as the weight has")
    }
    guard fisher.examples > 0 else {
      throw InvalidArgument("fisher", found: "no examples", wanted: "squared gradients of at least one")
    }
    information = fisher.information
    guard information.maximum().scalar > 0 else {
      throw InvalidArgument(
        "fisher", found: "zeros only", wanted: "a loss that depends on the weight; without one use a plain SVD")
    }
    self.weight = Tensor<Double>(weight)
    func roots(_ weights: Tensor<Double>) -> Tensor<Double> {
      let scaled = weights / weights.maximum()
      return (scaled + Double.leastNormalMagnitude).maximum(1e-12).sqrt()
    }
    rowRoots = axis == .input ? .ones([weight.rows]) : roots(fisher.rowWeights)
    columnRoots = axis == .output ? .ones([weight.columns]) : roots(fisher.columnWeights)
  }

  var weighted: Tensor<Double> { weight * rowRoots.expanded(axis: 1) * columnRoots }

  func predictedIncrease(_ error: Tensor<Double>) -> Double { 0.5 * inner(information, error * error) }
}
