public import CatalogueCore
import Diagnostics
import Tensors

extension CheckpointInspection {
  public var facts: [Fact] {
    var facts = [
      Fact("Checkpoint", path), Fact("Tensors", rows.count), Fact("Parameters", parameterCount),
      Fact("Bytes", byteCount),
      Fact("Types", types.map { "\($0.type) (\($0.count))" }.joined(separator: ", ")),
    ]
    if files > 1 { facts.append(Fact("Files", files)) }
    if let layers = rows.compactMap(\.layer).max() { facts.append(Fact("Layers", layers + 1)) }
    return facts
  }

  private var types: [(type: String, count: Int)] {
    let counts = Dictionary(grouping: rows) { $0.entry.type.rawValue }.mapValues(\.count)
    return counts.sorted { $0.value > $1.value }.map { ($0.key, $0.value) }
  }

  /// One row a role: what kind of matrix it is, and how its spectrum and magnitudes are, in the median.
  public var roleTable: Table {
    var table = Table(
      "Roles",
      columns: [
        "role", "matrices", "parameters", "stable rank", "effective rank", "of", "rank for 90 %", "Weibull shape",
        "Weibull scale",
      ],
      caption: "Medians over the matrices of a role. A matrix of independent Gaussian weights has Weibull shape 1.2054."
    )
    for role in roles {
      let members = matrices.filter { $0.row.role == role }.map(\.figures)
      table.add([
        role.title, members.count, members.reduce(0) { $0 + $1.shape.reduce(1, *) },
        median(members.compactMap(\.stableRank)), median(members.compactMap(\.effectiveRank)),
        members.map { $0.shape.min() ?? 0 }.max() ?? 0,
        median(members.compactMap { $0.rank(keeping: 0.9).map(Double.init) }),
        median(members.compactMap { $0.weibull?.shape }), median(members.compactMap { $0.weibull?.scale }),
      ])
    }
    return table
  }

  /// One row a matrix.
  public var matrixTable: Table {
    var table = Table(
      "Matrices",
      columns: [
        "tensor", "role", "shape", "type", "Frobenius", "spectral", "stable rank", "effective rank", "Weibull k",
        "± se", "λ", "R²", "KS",
      ])
    for (row, figures) in matrices {
      table.add([
        row.entry.name, row.role.title, text(row.entry.shape), row.entry.type.rawValue, figures.frobeniusNorm,
        figures.spectralNorm, figures.stableRank, figures.effectiveRank, figures.weibull?.shape,
        figures.weibull?.shapeStandardError, figures.weibull?.scale, figures.weibull?.rSquared,
        figures.weibull?.kolmogorovSmirnov,
      ])
    }
    return table
  }

  /// Tensors without figures of their own: vectors, integers, and matrices with something wrong.
  public var otherTable: Table {
    var table = Table("Other tensors", columns: ["tensor", "shape", "type", "parameters", "bytes", "remark"])
    for row in rows where row.matrix == nil || row.remark != nil {
      let entry = row.entry
      table.add([entry.name, text(entry.shape), entry.type.rawValue, entry.count, entry.byteCount, row.remark])
    }
    return table
  }

  /// Spectra by role, stable rank and Weibull parameters by layer.
  public var plots: [Plot] {
    let spectra = roles.compactMap { role -> Series? in
      let curves = matrices.filter { $0.row.role == role }.compactMap { normalized($0.figures.spectrum) }
      guard !curves.isEmpty else { return nil }
      // At 200 fractions of the full rank, the median over the matrices of the role.
      let fractions = (0...200).map { Double($0) / 200 }
      let heights = fractions.map { fraction in
        median(curves.map { $0[min(Int(fraction * Double($0.count - 1)), $0.count - 1)] }) ?? .nan
      }
      return Series(role.title, x: fractions, y: heights)
    }
    var plots: [Plot] = []
    if !spectra.isEmpty {
      plots.append(
        Plot(
          "Spectra by role", caption: "Singular values over the largest, median over the matrices of a role.",
          x: "position, as a share of the full rank", y: .logarithmic("singular value / largest"), spectra))
    }
    plots += byLayer("Stable rank by layer", "stable rank", caption: "Low: a few directions carry the matrix.") {
      $0.stableRank
    }
    let anchor = WeibullAnchor.gaussian().shape
    plots += byLayer(
      "Weibull shape by layer", "shape k",
      caption: "Below the dashed anchor of Gaussian weights: training has selected some weights over others.",
      marks: [.horizontal(at: anchor, "Gaussian weights")]
    ) { $0.weibull?.shape }
    plots += byLayer("Weibull scale by layer", "scale λ", caption: "How large the weights of a matrix have grown.") {
      $0.weibull?.scale
    }
    return plots
  }

  private func byLayer(
    _ title: String, _ label: String, caption: String, marks: [Plot.Mark] = [],
    _ figure: (MatrixFigures) -> Double?
  ) -> [Plot] {
    let series = roles.compactMap { role -> Series? in
      let points = matrices.compactMap { row, figures -> (Double, Double)? in
        guard row.role == role, let layer = row.layer, let value = figure(figures) else { return nil }
        return (Double(layer), value)
      }
      guard points.count > 1 else { return nil }
      let ordered = points.sorted { $0.0 < $1.0 }
      return Series(role.title, x: ordered.map(\.0), y: ordered.map(\.1), .lineAndPoints)
    }
    guard !series.isEmpty else { return [] }
    return [Plot(title, caption: caption, x: "layer", y: Plot.Axis(label), series, marks: marks)]
  }

  private func normalized(_ spectrum: [Double]?) -> [Double]? {
    guard let spectrum, let largest = spectrum.first, largest > 0 else { return nil }
    return spectrum.map { $0 / largest }
  }

  /// The inspection as sections of a report.
  public var sections: [Report.Section] {
    var blocks: [Report.Block] = [.facts(facts), .table(roleTable)]
    blocks += plots.map { .plot($0) }
    blocks += [.table(matrixTable), .table(otherTable)]
    return [Report.Section(id: "inspection", title: "What is in the checkpoint", blocks: blocks)]
  }

  public var json: JSONValue {
    [
      "path": .string(path), "files": .integer(files), "tensors": .integer(rows.count),
      "parameters": .integer(parameterCount), "bytes": .integer(byteCount),
      "metadata": .object(metadata.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }),
      "rows": .array(rows.map(json)),
    ]
  }

  private func json(_ row: Row) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("name", .string(row.entry.name)), .init("type", .string(row.entry.type.rawValue)),
      .init("shape", .array(row.entry.shape.map { .integer($0) })), .init("parameters", .integer(row.entry.count)),
      .init("bytes", .integer(row.entry.byteCount)), .init("role", .string(row.role.rawValue)),
      .init("layer", row.layer.map { .integer($0) } ?? .null),
      .init("remark", row.remark.map { .string($0) } ?? .null),
    ]
    if let figures = row.matrix {
      func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
      members += [
        .init("frobenius_norm", .number(figures.frobeniusNorm)),
        .init("spectral_norm", number(figures.spectralNorm)), .init("nuclear_norm", number(figures.nuclearNorm)),
        .init("stable_rank", number(figures.stableRank)), .init("effective_rank", number(figures.effectiveRank)),
        .init("weibull_shape", number(figures.weibull?.shape)),
        .init("weibull_shape_standard_error", number(figures.weibull?.shapeStandardError)),
        .init("weibull_scale", number(figures.weibull?.scale)),
        .init("weibull_r_squared", number(figures.weibull?.rSquared)),
        .init("kolmogorov_smirnov", number(figures.weibull?.kolmogorovSmirnov)),
        .init("singular_values", figures.spectrum.map { .array($0.map { .number($0) }) } ?? .null),
      ]
    }
    return .object(members)
  }
}

/// The middle value; nothing of nothing.
func median(_ values: [Double]) -> Double? {
  guard !values.isEmpty else { return nil }
  return Tensor(values).median().scalar
}

/// "384x1536".
func text(_ shape: [Int]) -> String { shape.isEmpty ? "scalar" : shape.map(String.init).joined(separator: "x") }
