// What the claims of this module make of repeated measurements.

import Numerics
import Tensors

/// The exponent of y in x: the slope of the line through their logarithms, by least squares.
func logarithmicSlope(_ x: [Double], _ y: [Double]) -> Double {
  let (x, y) = (x.map { Double.log($0) }, y.map { Double.log($0) })
  let count = Double(x.count)
  let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
  let products = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
  return products / x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
}

/// The value below which this share lies, infinities included.
func quantile(_ values: [Double], _ level: Double) -> Double {
  guard !values.isEmpty, !values.contains(where: \.isNaN) else { return .nan }
  let sorted = values.sorted()
  let position = level * Double(sorted.count - 1)
  let low = sorted[Int(position)]
  let high = sorted[min(Int(position) + 1, sorted.count - 1)]
  let share = position - position.rounded(.down)
  return share == 0 || low == high ? low : low + (high - low) * share
}

func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

func rootMeanSquare(_ values: [Double]) -> Double {
  (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
}
