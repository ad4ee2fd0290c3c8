import CatalogueCore
import LinearAlgebra
import Recovery
import Tensors

/// The slope of the least-squares line through (log x, log y).
func logarithmicSlope(_ x: [Double], _ y: [Double]) -> Double {
  linearFit(x.map { Double.log($0) }, y.map { Double.log($0) }).slope
}

/// The least-squares line through points, and the share of the variance it explains.
func linearFit(_ x: [Double], _ y: [Double]) -> (slope: Double, explained: Double) {
  let count = Double(x.count)
  let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
  let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
  let varianceX = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
  let varianceY = y.reduce(0) { $0 + ($1 - meanY) * ($1 - meanY) }
  return (covariance / varianceX, covariance * covariance / (varianceX * varianceY))
}

/// The middle value; of an even number, the mean of the two in the middle.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  guard !sorted.isEmpty, !values.contains(where: \.isNaN) else { return .nan }
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
