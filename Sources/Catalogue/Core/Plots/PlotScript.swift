import Tensors

/// The commands by which gnuplot draws one plot as an SVG on its standard output.
///
/// Colours are sentinels that the page's style sheet replaces: `#000K0K` is the colour of series K, gray the grid, black
/// the ink. Everything a person wrote goes into single quotes, where gnuplot substitutes nothing, and is never set as
/// enhanced text; data are numbers formatted here.
struct PlotScript {
  /// The commands; nothing if there is no point to draw.
  let text: String?

  /// Colours of the palette; later series repeat them with other dashes.
  static let colours = 6
  /// The number of the sentinel colour of marks.
  static let markColour = 9

  init(_ plot: Plot, index: Int) {
    switch plot.content {
    case .series(let series):
      let drawable = series.map { DrawableSeries($0, x: plot.x, y: plot.y) }.filter { !$0.runs.isEmpty }
      text = drawable.isEmpty ? nil : Self.curves(drawable, of: plot, index: index)
    case .heatMap(let matrix):
      let cells = matrix.isEmpty ? [] : Plot.reduced(matrix)
      let isEmpty = !cells.contains { $0.contains(where: \.isFinite) }
      text = isEmpty ? nil : Self.heatMap(cells, shape: matrix.shape, of: plot, index: index)
    }
  }

  /// Text as gnuplot takes it literally: in single quotes, on one line, not too long for a legend.
  static func quoted(_ text: String, longest: Int = 60) -> String {
    var clean = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator: clean += " "
      case .format, .surrogate, .privateUse, .unassigned: break
      default: clean.unicodeScalars.append(scalar)
      }
    }
    if clean.count > longest { clean = clean.prefix(longest - 1) + "…" }
    // gnuplot does not read a doubled quote at the beginning as a quote, so there is none inside at all.
    return "'" + clean.map { $0 == "'" ? "’" : String($0) }.joined() + "'"
  }

  // MARK: Curves

  private static func curves(_ series: [DrawableSeries], of plot: Plot, index: Int) -> String {
    var lines: [String] = []
    for (i, one) in series.enumerated() {
      lines.append("$data\(index)_\(i) << EOD")
      for (r, run) in one.runs.enumerated() {
        if r > 0 { lines.append("") }
        for point in run { lines.append("\(point.x) \(point.y)") }
      }
      lines.append("EOD")
      if one.hasLonePoints {
        lines.append("$lone\(index)_\(i) << EOD")
        for run in one.runs where run.count == 1 { lines.append("\(run[0].x) \(run[0].y)") }
        lines.append("EOD")
      }
    }
    let marks = plot.marks.filter { mark in
      switch mark {
      case .vertical(let at, _): plot.x.canShow(at)
      case .horizontal(let at, _): plot.y.canShow(at)
      }
    }
    let legend = series.map(\.label).filter { !$0.isEmpty } + marks.map(\.label).filter { !$0.isEmpty }
    lines += frame(plot, index: index, legend: legend)
    let x = extent(series.flatMap { $0.points.map(\.x) } + marks.compactMap(\.x))
    let y = extent(series.flatMap { $0.points.map(\.y) } + marks.compactMap(\.y))
    let isCounted = series.allSatisfy { $0.points.allSatisfy { $0.x == $0.x.rounded() } }
    let hasBars = series.contains { $0.style == .bars || $0.style == .steps }
    lines += axis("x", plot.x, x, padding: hasBars ? 0.02 : 0)
    // Between the layers 1 and 2 there is no layer 1.5.
    if isCounted, !plot.x.isLogarithmic, x.upperBound - x.lowerBound <= 10 { lines.append("set xtics 1") }
    lines += axis("y", plot.y, y, padding: 0.04, fromZero: hasBars && y.lowerBound >= 0)
    for (i, mark) in marks.enumerated() { lines.append(arrow(mark, number: i + 1)) }
    let drawn = series.enumerated().flatMap { i, one in
      ["$data\(index)_\(i) using 1:2 with \(one.style.command) ls \(i + 1) \(title(one.label))"]
        + (one.hasLonePoints ? ["$lone\(index)_\(i) using 1:2 with points ls \(i + 1) notitle"] : [])
    }
    let markLegend = marks.filter { !$0.label.isEmpty }.map { "keyentry with lines ls 100 \(title($0.label))" }
    for (i, one) in series.enumerated() {
      lines.append("set style line \(i + 1) \(style(i, isPoints: one.style == .points))")
    }
    lines.append("plot " + (drawn + markLegend).joined(separator: ", \\\n  "))
    return lines.joined(separator: "\n") + "\n"
  }

  private static func title(_ label: String) -> String {
    label.isEmpty ? "notitle" : "title \(quoted(label)) noenhanced"
  }

  /// Colour, dashes and symbol of the series at a position.
  private static func style(_ position: Int, isPoints: Bool) -> String {
    let colour = position % colours + 1
    let dashes = ["solid", "(10,4)", "(3,3)", "(10,3,2,3)"]
    let symbols = [7, 5, 9, 13, 11, 15]
    let size = isPoints ? 0.3 : 0.5
    let dash = dashes[(position + position / colours) % dashes.count]
    return "lc rgb '#000\(colour)0\(colour)' lw 1.6 pt \(symbols[position % symbols.count]) ps \(size) dt \(dash)"
  }

  private static func arrow(_ mark: Plot.Mark, number: Int) -> String {
    switch mark {
    case .vertical(let at, _): "set arrow \(number) from \(at), graph 0 to \(at), graph 1 nohead ls 100"
    case .horizontal(let at, _): "set arrow \(number) from graph 0, first \(at) to graph 1, first \(at) nohead ls 100"
    }
  }

  // MARK: Heat maps

  private static func heatMap(_ cells: [[Double]], shape: [Int], of plot: Plot, index: Int) -> String {
    var lines = ["$data\(index) << EOD"]
    for row in cells { lines.append(row.map { $0.isFinite ? "\($0)" : "NaN" }.joined(separator: " ")) }
    lines.append("EOD")
    lines += frame(plot, index: index, legend: [])
    // The axes count the cells of the matrix itself, also when blocks of them were averaged.
    let stretchX = Double(shape[1]) / Double(cells[0].count)
    let stretchY = Double(shape[0]) / Double(cells.count)
    let values = extent(cells.joined().filter(\.isFinite))
    let padding = values.lowerBound < values.upperBound ? 0 : max(values.lowerBound.magnitude, 1) * 0.5
    lines.append("unset logscale")
    lines.append("set format xy '%h'")
    lines.append("set xtics auto; set ytics auto; unset grid")
    lines.append("set xrange [\(-0.5 * stretchX):\(Double(shape[1]) - 0.5 * stretchX)]")
    lines.append("set yrange [\(Double(shape[0]) - 0.5 * stretchY):\(-0.5 * stretchY)]")
    lines.append("set cbrange [\(values.lowerBound - padding):\(values.upperBound + padding)]")
    lines.append("plot $data\(index) matrix using ($1*\(stretchX)):($2*\(stretchY)):3 with image notitle")
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: What all plots share

  /// Commands at the head of a script with any number of plots.
  static let preamble = """
    set encoding utf8
    set border 3 lc rgb 'black' lw 0.6
    set tics nomirror out scale 0.6 tc rgb 'black'
    set style line 100 lc rgb '#000\(markColour)0\(markColour)' lw 1 dt (6,4)
    set boxwidth 0.9 relative
    set palette defined (0 '#440154', 0.25 '#3e4a89', 0.5 '#26828e', 0.75 '#35b779', 1 '#fde725')

    """

  /// The terminal, the legend below the plot and the labels of the axes.
  private static func frame(_ plot: Plot, index: Int, legend: [String]) -> [String] {
    // A legend of one entry says what the title says.
    let entries = legend.count == 1 ? 0 : legend.count
    let longest = min(legend.map(\.count).max() ?? 0, 60)
    let columns = max(1, min(entries, 64 / (longest + 5)))
    let rows = (entries + columns - 1) / columns
    let key =
      rows == 0 || rows > 8
      ? "unset key" : "set key below center horizontal Left reverse samplen 1.6 height 1 maxcols \(columns)"
    let height = 330 + (rows == 0 || rows > 8 ? 0 : 26 + 18 * rows)
    return [
      "set terminal svg size 560,\(height) dynamic enhanced rounded font 'sans-serif,14' linewidth 1.2 name 'plot\(index)'",
      key, "unset arrow", "set grid lc rgb 'gray' lt 1 lw 0.4",
      "set xlabel \(quoted(plot.x.label)) noenhanced offset 0,0.5",
      "set ylabel \(quoted(plot.y.label, longest: 36)) noenhanced offset 0.5,0",
    ]
  }

  private static func extent(_ values: some Collection<Double>) -> ClosedRange<Double> {
    guard let low = values.min(), let high = values.max() else { return 0...1 }
    return low...high
  }

  /// Scale, range and tics of an axis.
  private static func axis(
    _ name: String, _ axis: Plot.Axis, _ extent: ClosedRange<Double>, padding: Double, fromZero: Bool = false
  ) -> [String] {
    guard axis.isLogarithmic else {
      let length = extent.upperBound - extent.lowerBound
      let margin = length > 0 && length.isFinite ? length * padding : max(extent.lowerBound.magnitude, 1) * 0.5
      let low = fromZero ? 0 : extent.lowerBound - margin
      return [
        "unset logscale \(name)", "set format \(name) '%h'", "set \(name)tics auto",
        "set \(name)range [\(low):\(extent.upperBound + margin)]",
      ]
    }
    let decades = Double.log10(extent.upperBound) - Double.log10(extent.lowerBound)
    let stretch = decades > 0 ? Double.pow(10, max(decades * padding, 0.01)) : 2
    let range = extent.lowerBound / stretch...extent.upperBound * stretch
    var lines = ["set logscale \(name)", "set \(name)range [\(range.lowerBound):\(range.upperBound)]"]
    if decades >= 2 {
      lines += ["set \(name)tics auto", "set format \(name) '10^{%T}'"]
    } else {
      // Within two decades powers of ten are too few to read values by.
      let labels = tics(within: range).map { "'\($0.formatted(digits: 4))' \($0)" }
      lines += ["set format \(name) '%h'", "set \(name)tics (\(labels.joined(separator: ", ")))"]
    }
    return lines
  }

  /// About four to eight round numbers of a logarithmic range.
  private static func tics(within range: ClosedRange<Double>) -> [Double] {
    for factors in [[1.0, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]] {
      let first = Int(Double.log10(range.lowerBound).rounded(.down))
      let last = Int(Double.log10(range.upperBound).rounded(.up))
      guard last - first < 20 else { return [range.lowerBound, range.upperBound] }
      let tics = (first...last).flatMap { power in factors.map { $0 * Double.pow(10, Double(power)) } }
        .filter(range.contains)
      if tics.count >= 3 { return tics }
    }
    return evenTics(within: range)
  }

  /// About five multiples of one, two or five times a power of ten.
  private static func evenTics(within range: ClosedRange<Double>) -> [Double] {
    let length = range.upperBound - range.lowerBound
    let power = Double.pow(10, Double.log10(length / 5).rounded(.down))
    let step = [1, 2, 5, 10].map { $0 * power }.first { length / $0 <= 6 } ?? length / 4
    guard step > 0, step.isFinite else { return [range.lowerBound, range.upperBound] }
    return (0...6).map { ((range.lowerBound / step).rounded(.up) + Double($0)) * step }.filter(range.contains)
  }
}

extension Plot.Mark {
  var label: String {
    switch self {
    case .vertical(_, let label), .horizontal(_, let label): label
    }
  }
  var x: Double? { if case .vertical(let at, _) = self { at } else { nil } }
  var y: Double? { if case .horizontal(let at, _) = self { at } else { nil } }
}

extension Series.Style {
  /// The words of gnuplot's `with`.
  fileprivate var command: String {
    switch self {
    case .line: "lines"
    case .points: "points"
    case .lineAndPoints: "linespoints"
    case .steps: "histeps"
    case .bars: "boxes fs solid 0.5 noborder"
    }
  }
}
