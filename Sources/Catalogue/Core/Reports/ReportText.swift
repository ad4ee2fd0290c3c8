extension Report {
  /// The report for a terminal `width` columns wide. Figures are left out.
  public func text(width: Int) -> String {
    var lines: [String] = []
    if !title.isEmpty { lines += [title, String(repeating: "=", count: title.count)] }
    if !subtitle.isEmpty { lines += TextLayout.wrapped(subtitle, width: width) }
    for section in sections {
      if !lines.isEmpty { lines.append("") }
      lines += section.lines(width: width)
    }
    if !provenance.isEmpty { lines += [""] + TextLayout.facts(provenance, width: width) }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Report.Section {
  /// The section's lines: its title, then the blocks with empty lines between them.
  func lines(width: Int) -> [String] {
    var lines: [String] = []
    if !title.isEmpty { lines = TextLayout.wrapped(id.isEmpty ? title : "\(id) — \(title)", width: width) }
    for block in blocks {
      let content = block.lines(width: width)
      if content.isEmpty { continue }
      if !lines.isEmpty { lines.append("") }
      lines += content
    }
    if let passed { lines += ["", passed ? "passed" : "FAILED"] }
    return lines
  }
}

extension Report.Block {
  func lines(width: Int) -> [String] {
    switch self {
    case .text(let text): TextLayout.wrapped(text, width: width)
    case .note(let text): TextLayout.wrapped("note: " + text, width: width, hanging: 6)
    case .facts(let facts): TextLayout.facts(facts, width: width)
    case .table(let table): TextLayout.table(table, width: width)
    case .plot: []
    case .checks(let checks): TextLayout.table(Table(checks: checks), width: width)
    case .command(let command): ["  " + command]
    case .link(let text, let address): TextLayout.wrapped("\(text) (\(address))", width: width)
    }
  }
}

extension Table {
  /// Checks as people read them on a terminal.
  init(checks: [Check]) {
    self.init("", columns: ["", "check", "claimed", "measured", "bound"])
    for check in checks {
      add([check.passed ? "ok" : "FAIL", check.name, check.claimed, check.measuredText, check.bound])
    }
  }
}

/// Words, facts and tables laid out in columns of characters.
enum TextLayout {
  /// Lines of at most `width` characters, broken at spaces; later lines are indented by `hanging`.
  static func wrapped(_ text: String, width: Int, hanging: Int = 0) -> [String] {
    let margin = String(repeating: " ", count: hanging)
    return text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { paragraph -> [String] in
      var lines: [String] = []
      var line = ""
      for word in paragraph.split(separator: " ") {
        if !line.isEmpty, line.count + 1 + word.count > width {
          lines.append(line)
          line = margin + word
        } else {
          line += line.isEmpty ? String(word) : " " + word
        }
      }
      return lines + [line]
    }
  }

  /// Labels and values in two columns.
  static func facts(_ facts: [Fact], width: Int) -> [String] {
    let labelWidth = facts.map(\.label.count).max() ?? 0
    return facts.flatMap { fact in
      wrapped(
        padded(fact.label, to: labelWidth) + "  " + fact.value.text, columnWidth: labelWidth + 2, width: width)
    }
  }

  /// A line whose first column is kept together: only what follows it is broken into lines.
  static func wrapped(_ line: String, columnWidth: Int, width: Int) -> [String] {
    let head = String(line.prefix(columnWidth))
    let lines = wrapped(String(line.dropFirst(columnWidth)), width: max(width - columnWidth, 24))
    let margin = String(repeating: " ", count: columnWidth)
    return lines.enumerated().map { ($0.offset == 0 ? head : margin) + $0.element }
  }

  /// The title, the column heads and the rows; numbers stand on the right of their columns.
  ///
  /// Where the table is wider than the page, its widest column of texts is broken into lines.
  static func table(_ table: Table, width: Int) -> [String] {
    var cells = table.rows.map { $0.map(\.text) }
    cells.insert(table.columns, at: 0)
    let columns = table.columns.indices
    let isNumeric = columns.map { column in
      !table.rows.isEmpty && table.rows.allSatisfy { $0[column].isNumeric || $0[column] == .missing }
    }
    var widths = columns.map { column in cells.map { $0[column].count }.max() ?? 0 }
    let excess = widths.reduce(0, +) + 2 * max(widths.count - 1, 0) - width
    let texts = columns.filter { !isNumeric[$0] }
    if excess > 0, let widest = texts.max(by: { widths[$0] < widths[$1] }) {
      // Words are never broken, so a column is at least as wide as its longest one.
      let longestWord = cells.flatMap { $0[widest].split(separator: " ").map(\.count) }.max() ?? 0
      widths[widest] = max(widths[widest] - excess, min(widths[widest], max(24, longestWord)))
    }
    var lines = table.title.isEmpty ? [] : [table.title]
    for (i, row) in cells.enumerated() {
      let parts = columns.map { wrapped(row[$0], width: widths[$0]) }
      for line in 0..<(parts.map(\.count).max() ?? 0) {
        let texts = columns.map { column in
          let text = line < parts[column].count ? parts[column][line] : ""
          return padded(text, to: widths[column], onTheRight: isNumeric[column])
        }
        lines.append(texts.joined(separator: "  ").trimmedAtTheEnd)
      }
      if i == 0 {
        lines.append(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ").trimmedAtTheEnd)
      }
    }
    if !table.caption.isEmpty { lines += wrapped(table.caption, width: width) }
    return lines
  }

  private static func padded(_ text: String, to width: Int, onTheRight: Bool = false) -> String {
    let margin = String(repeating: " ", count: max(width - text.count, 0))
    return onTheRight ? margin + text : text + margin
  }
}

extension String {
  fileprivate var trimmedAtTheEnd: String {
    String(self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)])
  }
}
