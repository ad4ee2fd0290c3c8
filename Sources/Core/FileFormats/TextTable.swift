// Tables of numbers as text: comma-, semicolon-, tab- or blank-separated.

import Tensors

/// What stands between the cells of a text table.
public enum CellSeparator: Sendable, Hashable, CaseIterable {
  case comma, semicolon, tab
  /// One or more blanks or tabs.
  case blanks

  var byte: UInt8 {
    switch self {
    case .comma: UInt8(ascii: ",")
    case .semicolon: UInt8(ascii: ";")
    case .tab: 0x09
    case .blanks: 0x20
    }
  }
}

/// A cell that is not what the table needs, in a part of the text.
private struct CellError: Error {
  /// Lines before it in its part of the text.
  var line: Int
  var kind: FileError.Kind
  var reason: String
}

/// The text of a table and how to read it.
struct TextTableReader {
  let bytes: UnsafeRawBufferPointer
  let path: String
  let separator: CellSeparator
  let columnNames: [String]?
  /// The cells of each row.
  let columns: Int
  /// Where the rows of numbers begin, and on which line, counted from one.
  private let start: Int
  private let startLine: Int

  /// Finds out what separates the cells and whether the first row names the columns.
  init(
    _ bytes: UnsafeRawBufferPointer, path: String, separator given: CellSeparator?, hasHeader: Bool?
  ) throws(FileError) {
    self.bytes = bytes
    self.path = path
    try Self.requireText(bytes, path)
    var cursor = TextCursor(
      bytes: bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), position: 0, end: bytes.count)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { cursor.position = 3 }
    var line = 1
    while cursor.position < cursor.end, Self.isBlankOrComment(cursor) {
      cursor.skipLine()
      line += 1
    }
    guard cursor.position < cursor.end else { throw FileError(.empty, path, "the file holds no numbers") }
    separator = given ?? Self.separator(ofRowAt: cursor)
    let firstRow = cursor.position
    let firstLine = line
    let cells = try Self.cells(&cursor, &line, separator, path)
    columns = cells.count
    let isHeader = hasHeader ?? cells.contains { !$0.isEmpty && !Self.isNumber($0) }
    columnNames = isHeader ? cells : nil
    start = isHeader ? cursor.position : firstRow
    startLine = isHeader ? line : firstLine
  }

  private static func requireText(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(FileError) {
    guard bytes.count > 0 else { throw FileError(.empty, path, "the file is empty") }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw FileError(.foreign, path, "this is text in UTF-16, save it as UTF-8")
    }
    if bytes.prefix(4_096).contains(0) { throw FileError(.foreign, path, "this is not a text of numbers") }
  }

  private static func isBlankOrComment(_ cursor: TextCursor) -> Bool {
    var cursor = cursor
    cursor.skipBlanks()
    return cursor.isAtLineEnd || cursor.next == UInt8(ascii: "#")
  }

  /// The first of tab, semicolon, comma that occurs in the row outside quotes, else blanks if there are any inside.
  private static func separator(ofRowAt cursor: TextCursor) -> CellSeparator {
    var cursor = cursor
    let candidates = [CellSeparator.tab, .semicolon, .comma]
    var isQuoted = false
    // A quote opens only where a cell begins, or right after one that closed: that is a doubled quote.
    var mayOpen = true
    var found: Set<UInt8> = []
    cursor.skipBlanks()
    // Inside quotes a row goes on over the end of a line.
    while cursor.position < cursor.end, isQuoted || !cursor.isAtLineEnd {
      let byte = cursor.next
      if byte == UInt8(ascii: "\""), isQuoted || mayOpen {
        mayOpen = isQuoted
        isQuoted.toggle()
      } else if !isQuoted {
        found.insert(byte)
        mayOpen = byte == 0x20 || candidates.contains { $0.byte == byte }
      }
      cursor.position += 1
    }
    for candidate in candidates where found.contains(candidate.byte) { return candidate }
    return found.contains(0x20) ? .blanks : .comma
  }

  private static func isNumber(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { utf8 in
      guard let start = utf8.baseAddress else { return false }
      var cursor = TextCursor(bytes: start, position: 0, end: utf8.count)
      cursor.skipSpaces()
      guard cursor.number() != nil else { return false }
      cursor.skipSpaces()
      return cursor.position == cursor.end
    }
  }

  /// The cells of a row as text, quotes resolved; moves behind the row.
  private static func cells(
    _ cursor: inout TextCursor, _ line: inout Int, _ separator: CellSeparator, _ path: String
  ) throws(FileError) -> [String] {
    var cells: [String] = []
    cursor.skipSpaces()
    if separator == .blanks { cursor.skipBlanks() }
    while true {
      var cell: [UInt8] = []
      cursor.skipSpaces()
      if cursor.next == UInt8(ascii: "\"") {
        let firstLine = line
        cursor.position += 1
        while true {
          guard cursor.position < cursor.end else {
            throw FileError(.malformed, path, "line \(firstLine), column \(cells.count + 1): a quote is not closed")
          }
          let byte = cursor.next
          cursor.position += 1
          if byte == UInt8(ascii: "\"") {
            guard cursor.next == UInt8(ascii: "\"") else { break }
            cursor.position += 1
          }
          if byte == 0x0A { line += 1 }
          cell.append(byte)
        }
      }
      // Blanks inside quotes belong to the cell.
      let quotedCount = cell.count
      while !cursor.isAtLineEnd, cursor.next != separator.byte, separator != .blanks || cursor.next != 0x09 {
        cell.append(cursor.next)
        cursor.position += 1
      }
      while cell.count > quotedCount, cell.last == 0x20 { cell.removeLast() }
      cells.append(String(decoding: cell, as: UTF8.self))
      if separator == .blanks { cursor.skipBlanks() }
      if cursor.isAtLineEnd { break }
      if separator != .blanks { cursor.position += 1 }
    }
    cursor.skipLine()
    line += 1
    return cells
  }

  // MARK: Numbers

  private struct Part {
    var numbers: [Double] = []
    var lines = 0
    var error: CellError?
  }

  private struct Parts: @unchecked Sendable {
    let start: UnsafeMutablePointer<Part>
  }

  /// All rows of numbers, read on several threads.
  func numbers() throws(FileError) -> Tensor<Double> {
    let bounds = partBounds()
    var parts = [Part](repeating: Part(), count: bounds.count)
    parts.withUnsafeMutableBufferPointer { buffer in
      guard let first = buffer.baseAddress else { return }
      let parts = Parts(start: first)
      parallelTasks(bounds.count) { parts.start[$0] = read(bounds[$0]) }
    }
    var line = startLine
    for part in parts {
      if let error = part.error { throw FileError(error.kind, path, "line \(line + error.line), \(error.reason)") }
      line += part.lines
    }
    let count = parts.reduce(0) { $0 + $1.numbers.count }
    return Tensor(uninitializedShape: [count / columns, columns]) { result in
      var position = 0
      for part in parts {
        _ = UnsafeMutableBufferPointer(rebasing: result[position...]).update(fromContentsOf: part.numbers)
        position += part.numbers.count
      }
    }
  }

  /// The rows in parts of about a megabyte that begin and end between lines.
  private func partBounds() -> [Range<Int>] {
    var bounds: [Range<Int>] = []
    var position = start
    while position < bytes.count {
      var end = min(position + 1 << 20, bytes.count)
      while end < bytes.count, bytes[end - 1] != 0x0A { end += 1 }
      bounds.append(position..<end)
      position = end
    }
    return bounds
  }

  private func read(_ range: Range<Int>) -> Part {
    var part = Part()
    part.numbers.reserveCapacity(range.count / 8)
    var cursor = TextCursor(
      bytes: bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), position: range.lowerBound, end: range.upperBound)
    do throws(CellError) {
      while cursor.position < cursor.end {
        if !Self.isBlankOrComment(cursor) { try readRow(&cursor, &part) }
        cursor.skipLine()
        part.lines += 1
      }
    } catch { part.error = error }
    return part
  }

  private func readRow(_ cursor: inout TextCursor, _ part: inout Part) throws(CellError) {
    let separator = separator.byte
    let isBlanks = self.separator == .blanks
    var column = 0
    while true {
      isBlanks ? cursor.skipBlanks() : cursor.skipSpaces()
      if column == columns { throw raggedRow(cursor, part, column) }
      let isQuoted = cursor.next == UInt8(ascii: "\"")
      if isQuoted {
        cursor.position += 1
        cursor.skipSpaces()
      }
      guard let number = cursor.number() else { throw noNumber(cursor, part, column) }
      if isQuoted {
        cursor.skipSpaces()
        guard cursor.next == UInt8(ascii: "\"") else { throw noNumber(cursor, part, column) }
        cursor.position += 1
      }
      part.numbers.append(number)
      column += 1
      let behind = cursor.position
      isBlanks ? cursor.skipBlanks() : cursor.skipSpaces()
      if cursor.isAtLineEnd || cursor.next == UInt8(ascii: "#") { break }
      if isBlanks {
        guard cursor.position > behind else { throw noNumber(cursor, part, column - 1) }
      } else {
        guard cursor.next == separator else { throw noNumber(cursor, part, column - 1) }
        cursor.position += 1
      }
    }
    guard column == columns else { throw raggedRow(cursor, part, column) }
  }

  private func raggedRow(_ cursor: TextCursor, _ part: Part, _ column: Int) -> CellError {
    let count = column == columns ? "more than \(columns)" : "\(column)"
    let reason = "column \(min(column, columns) + 1): the row has \(count) cells, the first row has \(columns)"
    return CellError(line: part.lines, kind: .malformed, reason: reason)
  }

  private func noNumber(_ cursor: TextCursor, _ part: Part, _ column: Int) -> CellError {
    // The whole cell is shown, also when only its end is no number.
    var cell = cursor
    while cell.position > 0, ![separator.byte, 0x20, 0x0A, 0x0D].contains(bytes[cell.position - 1]) {
      cell.position -= 1
    }
    let text = cell.token(until: separator.byte)
    let found = text.isEmpty ? "an empty cell, a number (or nan) was expected" : "\(quoted(text)) is not a number"
    return CellError(line: part.lines, kind: .malformed, reason: "column \(column + 1): \(found)")
  }
}
