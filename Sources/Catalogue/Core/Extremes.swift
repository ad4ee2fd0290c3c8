// The worst of several measurements, for checks that NaN must not pass.

extension Double {
  /// Becomes the larger of itself and `other`, and NaN when either is.
  ///
  /// `max(0, .nan)` is zero: a measurement that failed would look like a perfect one.
  public mutating func keepMaximum(of other: Double) { if !(self >= other) && !isNaN { self = other } }

  /// Becomes the smaller of itself and `other`, and NaN when either is.
  public mutating func keepMinimum(of other: Double) { if !(self <= other) && !isNaN { self = other } }
}
