import Diagnostics
import Foundation
import Tensors

/// Independent Gaussian weights, the same for the same seed.
func gaussian<Scalar: RealScalar>(
  _ shape: [Int], standardDeviation: Scalar = 1, seed: UInt64, of: Scalar.Type
) -> Tensor<Scalar> {
  let standard = Tensor<Scalar>(uninitializedShape: shape) { buffer in
    guard let base = buffer.baseAddress else { return }
    Scalar.fillNormal(key: seed, stream: 0, first: 0, base, count: buffer.count)
  }
  return standard * standardDeviation
}

func gaussian(_ shape: [Int], standardDeviation: Double = 1, seed: UInt64) -> Tensor<Double> {
  gaussian(shape, standardDeviation: standardDeviation, seed: seed, of: Double.self)
}

/// `count` quantiles of a law at the middles of equal parts of probability, in a scrambled order and with both signs.
func quantiles(_ count: Int, of quantile: (Double) -> Double) -> Tensor<Double> {
  let step = 7_368_787  // prime, so that i -> i * step mod count visits all when count is not a multiple
  return Tensor(
    (0..<count).map { i in
      let value = quantile((Double(i * step % count) + 0.5) / Double(count))
      return i % 2 == 0 ? value : -value
    })
}

/// The histogram of so many weights of a law with the given distribution function, rounded in each bin.
func histogram(_ count: Double, of cumulativeProbability: (Double) -> Double) -> MagnitudeHistogram {
  let edges = (0...MagnitudeHistogram.binCount).map { bin in
    Double.pow(10, MagnitudeHistogram.exponents.lowerBound + Double(bin) * MagnitudeHistogram.binWidth)
  }
  let probabilities = edges.map(cumulativeProbability)
  return MagnitudeHistogram(
    counts: zip(probabilities, probabilities.dropFirst()).map { UInt64((count * ($1 - $0)).rounded()) })
}

/// What Tests/Reference/weibull.py wrote.
struct WeibullReference: Decodable {
  struct Fit: Decodable {
    var shape, scale, rSquared: Double
    var pointsUsed: Int
  }
  var firstBin: Int
  var counts: [UInt64]
  var fits: [String: Fit]
  var gini, median, interdecileRatio, tailRatio: Double

  var histogram: MagnitudeHistogram {
    var all = [UInt64](repeating: 0, count: MagnitudeHistogram.binCount)
    for (i, count) in counts.enumerated() { all[firstBin + i] = count }
    return MagnitudeHistogram(counts: all)
  }

  static func load() throws -> [String: WeibullReference] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/weibull.json")
    return try JSONDecoder().decode([String: WeibullReference].self, from: Data(contentsOf: file))
  }
}
