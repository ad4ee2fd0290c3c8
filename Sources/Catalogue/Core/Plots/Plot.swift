public import Tensors

/// A figure of a report: data and labels, without a word about how it is drawn.
///
/// Points that cannot be drawn (NaN, infinities, zero or less on a logarithmic axis) interrupt a line and are left out
/// elsewhere. Long series are thinned before drawing.
public struct Plot: Sendable {
  public var title: String
  /// What the reader should see in it; becomes the caption.
  public var caption: String
  public var x: Axis
  public var y: Axis
  public var content: Content
  /// Dashed lines across the whole plot: a switch of stages, a bound, an anchor.
  public var marks: [Mark] = []

  public enum Content: Sendable {
    case series([Series])
    /// A matrix as colours, its first row at the top.
    case heatMap(Tensor<Double>)
  }

  public struct Axis: Sendable, ExpressibleByStringLiteral {
    public var label: String
    public var isLogarithmic: Bool

    public init(_ label: String, isLogarithmic: Bool = false) {
      self.label = label
      self.isLogarithmic = isLogarithmic
    }

    public init(stringLiteral label: String) { self.init(label) }

    /// An axis in powers of ten.
    public static func logarithmic(_ label: String) -> Axis { Axis(label, isLogarithmic: true) }
  }

  public enum Mark: Sendable {
    case vertical(at: Double, String)
    case horizontal(at: Double, String)
  }

  /// Curves, points and bars over common axes.
  ///
  /// ```swift
  /// Plot("Convergence", x: "iteration", y: .logarithmic("residual"), [
  ///   Series("Sinkhorn", sinkhorn.history), Series("Newton", newton.history),
  /// ])
  /// ```
  public init(_ title: String, caption: String = "", x: Axis, y: Axis, _ series: [Series], marks: [Mark] = []) {
    self.title = title
    self.caption = caption
    self.x = x
    self.y = y
    self.content = .series(series)
    self.marks = marks
  }

  /// A matrix drawn as colours, its first row at the top.
  public init(_ title: String, caption: String = "", x: Axis, y: Axis, heatMap matrix: Tensor<Double>) {
    precondition(matrix.rank == 2, "a heat map needs a matrix, but the shape is \(matrix.shape)")
    self.title = title
    self.caption = caption
    self.x = x
    self.y = y
    self.content = .heatMap(matrix)
  }

  /// What the figure is, for those who cannot see it.
  public var alternativeText: String {
    switch content {
    case .heatMap(let matrix):
      return "\(title): heat map of \(matrix.rows) rows and \(matrix.columns) columns, \(y.label) against \(x.label)."
    case .series(let series):
      let names = series.filter { !$0.label.isEmpty }.map(\.label).joined(separator: ", ")
      return "\(title): \(y.label) against \(x.label)\(names.isEmpty ? "" : " for \(names)")."
    }
  }
}

/// The points of one curve, cloud or row of bars.
public struct Series: Sendable {
  public enum Style: Sendable { case line, points, lineAndPoints, steps, bars }

  /// Its name in the legend; an empty one is left out.
  public var label: String
  public var x: [Double]
  public var y: [Double]
  public var style: Style

  /// Traps when there are not as many x as y.
  public init(_ label: String, x: [Double], y: [Double], _ style: Style = .line) {
    precondition(x.count == y.count, "series '\(label)' has \(x.count) x and \(y.count) y")
    self.label = label
    self.x = x
    self.y = y
    self.style = style
  }

  /// Values over their positions, counted from `first`.
  public init(_ label: String, _ y: [Double], first: Int = 1, _ style: Style = .line) {
    self.init(label, x: y.indices.map { Double($0 + first) }, y: y, style)
  }

  /// The share of the values in each of `bins` equally wide bins, divided by the bin width: a density.
  ///
  /// Values that are not finite are left out. Without values there are no bars.
  public static func histogram(
    _ label: String, of values: [Double], bins: Int = 60, in range: ClosedRange<Double>? = nil, _ style: Style = .steps
  ) -> Series {
    precondition(bins > 0, "a histogram needs at least one bin, not \(bins)")
    let finite = values.filter(\.isFinite)
    guard let smallest = finite.min(), let largest = finite.max() else { return Series(label, x: [], y: [], style) }
    let low = range?.lowerBound ?? smallest
    var width = ((range?.upperBound ?? largest) - low) / Double(bins)
    if !(width > 0) || !width.isFinite { width = 1 / Double(bins) }
    var counts = [Int](repeating: 0, count: bins)
    for value in finite {
      let position = (value - low) / width
      guard position >= 0, position <= Double(bins) else { continue }
      counts[min(Int(position), bins - 1)] += 1
    }
    let scale = 1 / (Double(finite.count) * width)
    return Series(
      label, x: counts.indices.map { low + (Double($0) + 0.5) * width }, y: counts.map { Double($0) * scale }, style)
  }
}
