import SpecialFunctions
public import Tensors

/// How well scores find examples that are known to be labelled wrongly.
public struct NoiseReport: Sendable, Hashable {
  /// The probability that a wrong label scores higher than a right one.
  public let areaUnderROC: Double
  /// The number of examples looked at for precision and recall: those with the highest scores.
  public let inspected: Int
  /// The share of wrong labels among those inspected.
  public let precision: Double
  /// The share of all wrong labels that is among those inspected.
  public let recall: Double

  /// - Parameters:
  ///   - scores: shape [examples].
  ///   - isWrong: shape [examples], which labels are wrong; some must be, and some not.
  ///   - inspected: how many of the highest scores are looked at; as many as there are wrong labels by default.
  /// - Throws: `InvalidArgument`.
  public init(scores: Tensor<Double>, isWrong: Tensor<Bool>, inspected: Int? = nil) throws {
    guard scores.rank == 1, isWrong.shape == scores.shape, !scores.scalars.contains(where: \.isNaN) else {
      throw InvalidArgument(
        "scores", found: "shape \(scores.shape) beside \(isWrong.shape)", wanted: "two vectors of one length, no NaN")
    }
    let pairs = zip(scores.scalars, isWrong.scalars)
    let wrong = pairs.filter(\.1).map(\.0)
    let right = pairs.filter { !$0.1 }.map(\.0)
    guard let area = SpecialFunctions.areaUnderROC(positives: wrong, negatives: right) else {
      throw InvalidArgument("isWrong", found: "\(wrong.count) of \(scores.count)", wanted: "some, and not all")
    }
    let inspected = inspected ?? wrong.count
    let hardest = try SubsetSelection(.highest, count: inspected).positions(by: scores)
    let found = hardest.scalars.count { isWrong[at: $0] }
    areaUnderROC = area
    self.inspected = inspected
    precision = Double(found) / Double(inspected)
    recall = Double(found) / Double(wrong.count)
  }
}
