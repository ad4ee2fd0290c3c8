// How good the probabilities of a classifier are, beside which class is the most probable.

import SpecialFunctions
public import Tensors

/// The mean distance between how sure a classifier is and how often it is right, over bins of its largest probability.
///
/// Bin b of B holds the examples whose largest probability lies in ((b - 1) / B, b / B].
/// - Parameters: probabilities, shape [examples, classes]; labels, shape [examples].
/// - Returns: Σ over bins of their share of the examples times |accuracy - mean probability|; zero without examples.
/// - Source: Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.
public func expectedCalibrationError<Scalar: RealScalar>(
  probabilities: Tensor<Scalar>, labels: Tensor<Int>, bins: Int = 15
) -> Double {
  precondition(
    probabilities.rank == 2 && labels.shape == [probabilities.rows] && bins > 0,
    "\(bins) bins of probabilities of shape \(probabilities.shape) and labels of shape \(labels.shape)")
  guard labels.count > 0 else { return 0 }
  let confidences = Tensor<Double>(probabilities.maximum(axis: 1)).scalars
  let answers = (probabilities.argmax(axis: 1) .== labels).scalars
  var excess = [Double](repeating: 0, count: bins)
  for (confidence, isRight) in zip(confidences, answers) {
    let bin = Int((confidence * Double(bins)).rounded(.up)) - 1
    excess[min(max(bin, 0), bins - 1)] += (isRight ? 1 : 0) - confidence
  }
  return excess.reduce(0) { $0 + $1.magnitude } / Double(labels.count)
}

/// The probability that a classifier is surer of a familiar example than of a foreign one, by its largest probability;
/// nil when there are none of a kind.
///
/// - Parameters: familiar and foreign, probabilities of shape [examples, classes].
/// - Source: Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples in neural
///   networks", ICLR 2017.
public func outOfDistributionAUROC<Scalar: RealScalar>(familiar: Tensor<Scalar>, foreign: Tensor<Scalar>) -> Double? {
  guard familiar.rows > 0, foreign.rows > 0 else { return nil }
  return areaUnderROC(
    positives: Tensor<Double>(familiar.maximum(axis: 1)).scalars,
    negatives: Tensor<Double>(foreign.maximum(axis: 1)).scalars)
}
