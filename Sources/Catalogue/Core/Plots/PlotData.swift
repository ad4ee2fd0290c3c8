import Tensors

/// What of a series can be drawn: finite points, few enough, with gaps where a line is interrupted.
struct DrawableSeries {
  var label: String
  var style: Series.Style
  /// Runs of points without a gap between them.
  var runs: [[Point]] = []

  struct Point {
    var x: Double
    var y: Double
  }

  var points: some Sequence<Point> { runs.joined() }

  /// Whether a line has points between two gaps, which a line cannot show.
  var hasLonePoints: Bool { (style == .line || style == .steps) && runs.contains { $0.count == 1 } }

  /// Curves of more points are thinned to this many; nobody sees the difference at the width of a page.
  static let mostPoints = 1600

  init(_ series: Series, x: Plot.Axis, y: Plot.Axis) {
    label = series.label
    style = series.style
    var run: [Point] = []
    for (px, py) in zip(series.x, series.y) {
      if x.canShow(px), y.canShow(py) {
        run.append(Point(x: px, y: py))
      } else if !run.isEmpty {
        runs.append(run)
        run = []
      }
    }
    if !run.isEmpty { runs.append(run) }
    let count = runs.reduce(0) { $0 + $1.count }
    guard count > Self.mostPoints else { return }
    switch style {
    case .line, .lineAndPoints, .steps, .bars:
      runs = runs.map { Self.keepingExtremes($0, most: max(2, Self.mostPoints * $0.count / count)) }
      // A line that is mostly gaps would still be long: then the runs themselves are thinned.
      if runs.count > Self.mostPoints { runs = Self.evenly(runs, most: Self.mostPoints) }
    case .points: runs = [Self.evenly(Array(runs.joined()), most: Self.mostPoints)]
    }
  }

  /// The lowest and the highest point of consecutive groups, in their order: peaks survive.
  private static func keepingExtremes(_ run: [Point], most: Int) -> [Point] {
    guard run.count > most else { return run }
    let groups = max(most / 2, 1)
    return (0..<groups).flatMap { group -> [Point] in
      let range = run.count * group / groups..<run.count * (group + 1) / groups
      guard let low = range.min(by: { run[$0].y < run[$1].y }), let high = range.max(by: { run[$0].y < run[$1].y })
      else { return [] }
      return low == high ? [run[low]] : [run[min(low, high)], run[max(low, high)]]
    }
  }

  private static func evenly<Element>(_ elements: [Element], most: Int) -> [Element] {
    guard elements.count > most else { return elements }
    return (0..<most).map { elements[$0 * elements.count / most] }
  }
}

extension Plot.Axis {
  func canShow(_ value: Double) -> Bool { value.isFinite && (!isLogarithmic || value > 0) }
}

extension Plot {
  /// Larger heat maps are averaged over blocks: a page does not show more.
  static let mostCells = 240

  /// The mean of the finite cells of each block; NaN where there are none.
  static func reduced(_ matrix: Tensor<Double>) -> [[Double]] {
    let rows = min(matrix.rows, mostCells)
    let columns = min(matrix.columns, mostCells)
    return matrix.withUnsafeBuffer { cells in
      (0..<rows).map { i in
        let rowRange = matrix.rows * i / rows..<matrix.rows * (i + 1) / rows
        return (0..<columns).map { j in
          let columnRange = matrix.columns * j / columns..<matrix.columns * (j + 1) / columns
          var sum = 0.0
          var count = 0.0
          for row in rowRange {
            for column in columnRange {
              let cell = cells[row * matrix.columns + column]
              if cell.isFinite {
                sum += cell
                count += 1
              }
            }
          }
          return count == 0 ? .nan : sum / count
        }
      }
    }
  }
}
