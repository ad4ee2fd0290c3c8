import Numerics

/// The least-squares line through points: y = intercept + slope x.
public struct LineFit: Sendable, Hashable {
  public let slope: Double
  public let intercept: Double
  /// The share of the variance of y that the line explains, Pearson's correlation squared; one when y is constant.
  public let explained: Double
  /// The root mean square of what is left.
  public let residual: Double

  /// NaN throughout for fewer than two distinct x.
  public init(_ x: [Double], _ y: [Double]) {
    precondition(x.count == y.count, "a line through \(x.count) and \(y.count) coordinates")
    let count = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (xx, xy, yy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xx += (a - meanX) * (a - meanX)
      xy += (a - meanX) * (b - meanY)
      yy += (b - meanY) * (b - meanY)
    }
    let slope = xy / xx
    let intercept = meanY - slope * meanX
    let squares = zip(x, y).reduce(0) { sum, point in
      let rest = point.1 - intercept - slope * point.0
      return sum + rest * rest
    }
    (self.slope, self.intercept) = (slope, intercept)
    explained = yy == 0 ? (slope.isNaN ? .nan : 1) : xy * xy / (xx * yy)
    residual = (squares / count).squareRoot()
  }
}

/// The exponent of y in x: the slope of the line through their logarithms, by least squares.
public func logarithmicSlope(_ x: [Double], _ y: [Double]) -> Double {
  LineFit(x.map { Double.log($0) }, y.map { Double.log($0) }).slope
}
