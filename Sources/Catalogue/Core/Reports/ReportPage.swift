import Foundation
import Mustache

extension Report {
  /// The report as one HTML page that needs nothing else: no network, no other file.
  ///
  /// Its figures are drawn by gnuplot, looked for in the folders of `searchPath`; without it the page has tables only, and
  /// says so.
  public func html(searchPath: String? = ProcessInfo.processInfo.environment["PATH"]) -> String {
    let renderer = PlotRenderer(searchPath: searchPath)
    let plots = sections.flatMap { section in
      section.blocks.compactMap { if case .plot(let plot) = $0 { plot } else { nil } }
    }
    var figures = renderer.figures(of: plots)[...]
    let page: [String: Any] = [
      "title": title,
      "subtitle": subtitle,
      "style": ReportStyle.text,
      "verdict": verdict,
      "index": sections.count > 1 ? [["entries": sections.map(\.indexEntry)]] : [],
      "sections": sections.map { $0.context(figures: &figures) },
      "provenance": provenance.map(\.context),
    ]
    // Control characters in names from a person's files are no part of a page.
    let text = ReportTemplate.page.render(page).unicodeScalars.filter {
      $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control
    }
    return String(String.UnicodeScalarView(text))
  }

  /// "2 of 3 claims hold, 17 of 18 checks", when there are checks.
  private var verdict: [[String: Any]] {
    let judged = sections.filter { $0.passed != nil }
    guard !judged.isEmpty else { return [] }
    let checks = judged.flatMap(\.checks)
    let passedChecks = checks.filter(\.passed).count
    let passedSections = judged.filter { $0.passed == true }.count
    let hasPassed = passedSections == judged.count
    let claims = judged.count == 1 ? "" : "\(passedSections) of \(judged.count) claims hold, "
    let text = "\(claims)\(passedChecks) of \(checks.count) checks passed"
    return [["class": hasPassed ? "pass" : "fail", "symbol": hasPassed ? "✓" : "✗", "text": text]]
  }
}

extension Report.Section {
  fileprivate var checks: [Check] {
    blocks.flatMap { if case .checks(let checks) = $0 { checks } else { [Check]() } }
  }

  private var status: [[String: Any]] {
    guard let passed else { return [] }
    return [["class": passed ? "pass" : "fail", "symbol": passed ? "✓" : "✗", "text": passed ? "passed" : "failed"]]
  }

  fileprivate var indexEntry: [String: Any] { ["id": id, "title": title, "status": status] }

  /// What the template needs. Neighbouring figures share a row where the page is wide enough.
  fileprivate func context(figures: inout ArraySlice<PlotRenderer.Figure>) -> [String: Any] {
    var contexts: [[String: Any]] = []
    var row: [[String: Any]] = []
    func endRow() {
      if !row.isEmpty { contexts.append(["figures": [["figures": row]]]) }
      row = []
    }
    for block in blocks {
      if case .plot(let plot) = block {
        row.append(plot.context(figures.popFirst() ?? .absent(reason: "Not drawn.")))
      } else {
        endRow()
        contexts.append(block.context)
      }
    }
    endRow()
    return ["id": id, "title": title, "status": status, "blocks": contexts]
  }
}

extension Report.Block {
  /// The one member says which part of the template shows the block.
  fileprivate var context: [String: Any] {
    switch self {
    case .text(let text): ["text": [["text": text]]]
    case .note(let text): ["note": [["text": text]]]
    case .command(let command): ["command": [["text": command]]]
    case .link(let text, let address): ["link": [["text": text, "address": address]]]
    case .facts(let facts): ["facts": [["facts": facts.map(\.context)]]]
    case .table(let table): ["table": [table.context]]
    case .checks(let checks): ["checks": [["checks": checks.map(\.context)]]]
    case .plot: [:]
    }
  }
}

extension Plot {
  fileprivate func context(_ figure: PlotRenderer.Figure) -> [String: Any] {
    var context: [String: Any] = ["title": title, "caption": caption]
    switch figure {
    case .svg(let svg): context["svg"] = [["svg": svg]]
    case .absent(let reason): context["absent"] = [["text": reason]]
    }
    return context
  }
}

extension Fact {
  fileprivate var context: [String: Any] { ["label": label, "value": value.text] }
}

extension Check {
  fileprivate var context: [String: Any] {
    [
      "class": passed ? "pass" : "fail", "symbol": passed ? "✓" : "✗", "verdict": passed ? "passed" : "failed",
      "name": name, "claimed": claimed.text, "measured": measuredText, "bound": bound,
    ]
  }
}

extension Table {
  /// Tables of more rows are folded, so that a page stays readable.
  private static let longestOpen = 20

  fileprivate var context: [String: Any] {
    let isNumeric = columns.indices.map { column in
      !rows.isEmpty && rows.allSatisfy { $0[column].isNumeric || $0[column] == .missing }
    }
    func cells(_ texts: [String]) -> [[String: Any]] {
      zip(texts, isNumeric).map { ["text": $0, "class": $1 ? "number" : "words"] }
    }
    let content: [String: Any] = [
      "columns": cells(columns), "rows": rows.map { row in ["cells": cells(row.map(\.text))] as [String: Any] },
      "caption": caption.isEmpty ? [] : [["text": caption]],
    ]
    if rows.count <= Self.longestOpen { return ["title": title, "open": [content]] }
    return ["title": title, "count": "\(rows.count) rows", "folded": [content]]
  }
}
