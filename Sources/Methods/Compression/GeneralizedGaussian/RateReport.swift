// How many bits weights cost once they are rounded to a grid.

import Numerics
import SpecialFunctions
public import Tensors

/// The length of the code of weights, in bits a weight, by four measures.
public struct RateReport: Sendable, Hashable {
  /// The distance of the grid.
  public var step: Double
  public var count: Int
  /// The entropy of the rounded weights' own distribution.
  public var entropy: Double
  /// Of the exponential Golomb code of order zero, which needs no table.
  public var exponentialGolomb: Double
  /// Of an ideal code for the generalized Gaussian law fitted to the weights.
  public var generalizedGaussian: Double
  /// Of the bytes that ``RangeCoder`` writes.
  public var rangeCoded: Double
  /// The share of weights that are rounded to zero.
  public var zeros: Double
}

/// The grid points that weights are rounded to, as multiples of `step`; halves go to the even one.
///
/// - Throws: `InvalidArgument` for a step that is not above zero, weights that are not finite, or so large a weight that
///   the multiple leaves 31 bits.
public func gridPoints<Scalar: RealScalar>(
  of weights: Tensor<Scalar>, step: Double, name: String = "weights"
) throws -> [Int32] {
  guard step > 0, step.isFinite else {
    throw InvalidArgument("step", found: "\(step)", wanted: "a finite number above 0")
  }
  try weights.requireFinite(name)
  guard weights.count > 0 else { throw InvalidArgument(name, found: "no numbers", wanted: "at least one") }
  let largest = Double(weights.absolute().maximum().scalar)
  guard largest / step < 1e9 else {
    throw InvalidArgument("step", found: "\(step) for weights of up to \(largest)", wanted: "at least \(largest / 1e9)")
  }
  let scaled = Tensor<Double>(weights) / step
  return [Int32](unsafeUninitializedCapacity: weights.count) { result, count in
    scaled.withUnsafeBuffer { scaled in
      for i in 0..<scaled.count { result.initializeElement(at: i, to: Int32(scaled[i].rounded(.toNearestOrEven))) }
    }
    count = weights.count
  }
}

/// What the code of weights costs that are rounded to multiples of `step`.
///
/// - Parameter step: a power of two from 2⁻⁸ to 2⁻⁵ in the paper.
/// - Throws: `InvalidArgument` as ``gridPoints(of:step:name:)`` does, and for weights that are all equal.
public func codeLength<Scalar: RealScalar>(
  of weights: Tensor<Scalar>, step: Double, name: String = "weights"
) throws -> RateReport {
  let points = try gridPoints(of: weights, step: step, name: name)
  let law = try GeneralizedGaussianFitting(centres: false).fit(weights, name: name).law
  let counts = countedPoints(points)
  let total = Double(points.count)
  var report = RateReport(
    step: step, count: points.count, entropy: 0, exponentialGolomb: 0, generalizedGaussian: 0, rangeCoded: 0, zeros: 0)
  for (point, count) in counts {
    let share = Double(count) / total
    report.entropy -= share * .log2(share)
    report.exponentialGolomb += share * Double(exponentialGolombLength(Int(point)))
    let low = max(Double(point.magnitude) - 0.5, 0) * step
    let high = (Double(point.magnitude) + 0.5) * step
    let probability = law.partialMoment(0, from: low, to: high) * (point == 0 ? 2 : 1)
    report.generalizedGaussian -= share * .log2(max(probability, .leastNormalMagnitude))
    if point == 0 { report.zeros = share }
  }
  report.rangeCoded = Double(8 * RangeCoder().encode(points).count) / total
  return report
}

/// The length in bits of an integer's exponential Golomb code of order zero: positive q count as 2 q - 1, others as -2 q.
public func exponentialGolombLength(_ q: Int) -> Int {
  let index = q > 0 ? 2 * q - 1 : -2 * q
  return 2 * (Int.bitWidth - 1 - (index + 1).leadingZeroBitCount) + 1
}

/// How often each point occurs, in increasing order of the points.
private func countedPoints(_ points: [Int32]) -> [(point: Int32, count: Int)] {
  let low = points.min() ?? 0
  let span = Int(points.max() ?? 0) - Int(low) + 1
  if span <= max(1 << 16, 4 * points.count) {
    var counts = [Int](repeating: 0, count: span)
    for point in points { counts[Int(point) - Int(low)] += 1 }
    return counts.indices.filter { counts[$0] > 0 }.map { (Int32(Int(low) + $0), counts[$0]) }
  }
  var result: [(point: Int32, count: Int)] = []
  for point in points.sorted() {
    if result.last?.point == point { result[result.count - 1].count += 1 } else { result.append((point, 1)) }
  }
  return result
}
