// How a window slides: the numbers that convolutions, pooling and unfolding share.

/// A number for every spatial axis: an `Int` for all of them, or an array with one for each.
public protocol PerAxis {
  var perAxis: [Int] { get }
}

extension Int: PerAxis { public var perAxis: [Int] { [self] } }
extension [Int]: PerAxis { public var perAxis: [Int] { self } }

/// How filters slide over their input. Each array holds one number for all spatial axes, or one for each.
public struct ConvolutionOptions: Sendable, Hashable {
  /// Places from one window to the next.
  public var stride: [Int]
  /// Zeros in front of and behind the input.
  public var padding: [Int]
  /// Zeros behind the input where they are not as many as in front.
  public var paddingBehind: [Int]?
  /// Places from one tap of a filter to the next.
  public var dilation: [Int]
  /// Parts that the channels fall into; each has filters of its own.
  public var groups: Int
  /// Whether single precision keeps to plain sums. Otherwise 3x3 filters of stride one over many channels go by
  /// Winograd's method: twice as fast, with errors of about 1e-5 of the largest numbers instead of 1e-6.
  ///
  /// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, F(4x4, 3x3).
  public var isExact: Bool

  public init(
    stride: some PerAxis = 1, padding: some PerAxis = 0, dilation: some PerAxis = 1, groups: Int = 1,
    isExact: Bool = false
  ) {
    self.stride = stride.perAxis
    self.padding = padding.perAxis
    self.dilation = dilation.perAxis
    self.groups = groups
    self.isExact = isExact
  }

  /// Padding with which a convolution of stride one keeps the extents; the odd zero of an even kernel goes behind.
  public static func same(
    kernel: some PerAxis, dilation: some PerAxis = 1, groups: Int = 1, isExact: Bool = false
  ) -> ConvolutionOptions {
    let kernel = kernel.perAxis
    let dilation = dilation.perAxis
    let axes = max(kernel.count, dilation.count)
    let totals = zip(spread(kernel, axes, "kernel"), spread(dilation, axes, "dilation")).map { ($0 - 1) * $1 }
    var options = ConvolutionOptions(
      padding: totals.map { $0 / 2 }, dilation: dilation, groups: groups, isExact: isExact)
    options.paddingBehind = totals.map { $0 - $0 / 2 }
    return options
  }
}

/// `values` for `axes` axes, from one for all or one for each.
func spread(_ values: [Int], _ axes: Int, _ name: String) -> [Int] {
  if values.count == axes { return values }
  precondition(values.count == 1, "\(name) \(values) for \(axes) spatial axes: one number, or one for each")
  return [Int](repeating: values[0], count: axes)
}
