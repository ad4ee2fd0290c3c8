import Foundation

extension WeightReport {
  /// The report as a person reads it: a table of matrices, one of roles, and what was left out.
  public var text: String {
    var sections = [matrixTable.text, roleTable.text]
    if let attention { sections.append("Attention: \(attention).") }
    if !outliers.isEmpty {
      sections.append("Outliers of their role (*): \(outliers.map(\.name).joined(separator: ", ")).")
    }
    if !skipped.isEmpty {
      let names = skipped.map { tensor in
        switch tensor.reason {
        case .notAMatrix: tensor.name
        case .unusable(let error): "\(tensor.name) (\(error.found))"
        }
      }
      sections.append("Skipped: \(names.joined(separator: ", ")).")
    }
    return sections.joined(separator: "\n\n")
  }

  /// One row a matrix, rounded for reading.
  public var matrixTable: ReportTable {
    ReportTable(
      columns: ["matrix", "shape", "role", "k", "se", "lambda", "R2", "KS", "regime"],
      rows: rows.map { row in
        [
          row.name, row.shape.map(String.init).joined(separator: "x"), row.role.title,
          fixed(row.fit.shape, 4) + (row.isOutlier ? "*" : ""),
          row.fit.shapeStandardError.map { fixed($0, 4) } ?? "",
          significant(row.fit.scale, 4), fixed(row.fit.rSquared, 4), fixed(row.fit.kolmogorovSmirnov, 4),
          row.regime.title,
        ]
      })
  }

  /// One row a role.
  public var roleTable: ReportTable {
    ReportTable(
      columns: ["role", "matrices", "median k", "least k", "greatest k", "median lambda", "median R2"],
      rows: roles.map { role in
        [
          role.role.title, "\(role.count)", fixed(role.medianShape, 4), fixed(role.shapeRange.lowerBound, 4),
          fixed(role.shapeRange.upperBound, 4), significant(role.medianScale, 4), fixed(role.medianRSquared, 4),
        ]
      })
  }

  /// Everything that is known of each matrix, in full precision, as comma-separated values.
  public var csv: String {
    let table = ReportTable(
      columns: [
        "name", "shape", "role", "layer", "k", "lambda", "k_standard_error", "lambda_standard_error", "r_squared",
        "kolmogorov_smirnov", "count", "dropped", "points_used", "trim", "regime", "is_outlier", "median", "q90_q10",
        "q99_q50", "q999_q50", "gini",
      ],
      rows: rows.map { row in
        let fit = row.fit
        let metrics = row.metrics
        let identity = [
          row.name, row.shape.map(String.init).joined(separator: "x"), row.role.rawValue,
          row.layer.map { "\($0)" } ?? "",
        ]
        let parameters = [
          "\(fit.shape)", "\(fit.scale)", fit.shapeStandardError.map { "\($0)" } ?? "",
          fit.scaleStandardError.map { "\($0)" } ?? "", "\(fit.rSquared)", "\(fit.kolmogorovSmirnov)",
        ]
        let counts = ["\(fit.count)", "\(fit.dropped)", "\(fit.pointsUsed)", fit.trim.rawValue]
        let verdicts = [row.regime.rawValue, "\(row.isOutlier)"]
        let companions = [
          metrics.median, metrics.interdecileRatio, metrics.tailRatio, metrics.extremeTailRatio, metrics.gini,
        ].map { "\($0)" }
        return identity + parameters + counts + verdicts + companions
      })
    return table.csv
  }
}

/// Cells under column titles.
public struct ReportTable: Sendable, Hashable {
  public var columns: [String]
  public var rows: [[String]]

  public init(columns: [String], rows: [[String]]) {
    self.columns = columns
    self.rows = rows
  }

  /// Columns padded to their widest cell; those that hold only numbers are flush right.
  public var text: String {
    let lines = [columns] + rows
    let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    let isNumeric = columns.indices.map { column in
      !rows.isEmpty && rows.allSatisfy { Double($0[column].filter { $0 != "*" }) != nil || $0[column].isEmpty }
    }
    return lines.map { line in
      var text = ""
      for (column, cell) in line.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        text += (column == 0 ? "" : "  ") + (isNumeric[column] ? padding + cell : cell + padding)
      }
      while text.last == " " { text.removeLast() }
      return text
    }.joined(separator: "\n")
  }

  /// Comma-separated values (RFC 4180, but for line ends, which are single).
  public var csv: String {
    func quoted(_ cell: String) -> String {
      guard cell.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return cell }
      return "\"" + cell.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
    return ([columns] + rows).map { $0.map(quoted).joined(separator: ",") + "\n" }.joined()
  }
}

private func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.*f", digits, value) }
private func significant(_ value: Double, _ digits: Int) -> String { String(format: "%#.*g", digits, value) }
