// Comma- and tab-separated files, `.csv` and `.tsv`.

public import Tensors

/// A table of numbers with names for its columns, if it has them.
public struct TextTable: Sendable {
  public var columnNames: [String]?
  /// Shape [rows, columns].
  public var values: Tensor<Double>

  public init(columnNames: [String]? = nil, values: Tensor<Double>) {
    self.columnNames = columnNames
    self.values = values
  }
}

/// Reads a table of numbers from text, on several threads.
///
/// Blank lines and what follows `#` are skipped; cells may stand in quotes; lines may end in any convention. `nan` and
/// `inf` are numbers. Numbers are rounded correctly.
///
/// - Parameters:
///   - separator: by default what the first row shows: tab, semicolon, comma, or blanks.
///   - hasHeader: whether the first row names the columns; by default whether one of its cells is not a number.
/// - Throws: `FileError` with the line and the column of the first cell that is not a number or of a row that is longer
///   or shorter than the first.
public func readCSV(
  _ path: String, separator: CellSeparator? = nil, hasHeader: Bool? = nil
) throws(FileError) -> TextTable {
  let file = try MappedFile(path)
  defer { withExtendedLifetime(file) {} }
  return try readCSV(file.bytes, name: path, separator: separator, hasHeader: hasHeader)
}

/// The table in bytes that are in memory already; errors call them `name`.
package func readCSV(
  _ bytes: UnsafeRawBufferPointer, name: String, separator: CellSeparator? = nil, hasHeader: Bool? = nil
) throws(FileError) -> TextTable {
  let reader = try TextTableReader(bytes, path: name, separator: separator, hasHeader: hasHeader)
  return TextTable(columnNames: reader.columnNames, values: try reader.numbers())
}

/// Writes numbers as text that reads back to exactly the same: the shortest digits that do.
///
/// A matrix gives a row for each of its rows, a vector a row for each number.
///
/// - Throws: `FileError` when the disk refuses; `InvalidArgument` for more than two axes or a wrong count of names.
public func writeCSV(
  _ array: AnyTensor, to path: String, columnNames: [String]? = nil, separator: CellSeparator = .comma
) throws {
  guard array.rank <= 2 else {
    throw InvalidArgument("array", found: "shape \(array.shape)", wanted: "a matrix or a vector: text has two axes")
  }
  let columns = array.rank == 2 ? array.shape[1] : 1
  if let columnNames, columnNames.count != columns {
    throw InvalidArgument("columnNames", found: "\(columnNames.count) names", wanted: "\(columns), one a column")
  }
  let between = String(decoding: [separator.byte], as: UTF8.self)
  var file = try AtomicFile(path)
  if let columnNames {
    try file.write(columnNames.map { quotedCell($0) }.joined(separator: between) + "\n")
  }
  var text = ""
  text.reserveCapacity(1 << 17)
  let cell = array.cellText()
  for i in 0..<array.count {
    text += cell(i)
    text += (i + 1) % columns == 0 ? "\n" : between
    if text.utf8.count >= 1 << 16 {
      try file.write(text)
      text.removeAll(keepingCapacity: true)
    }
  }
  try file.write(text)
  try file.commit()
}

public func writeCSV<Scalar: StorableScalar>(
  _ tensor: Tensor<Scalar>, to path: String, columnNames: [String]? = nil, separator: CellSeparator = .comma
) throws {
  try writeCSV(AnyTensor(tensor), to: path, columnNames: columnNames, separator: separator)
}

/// A column's name as a cell, in quotes where it would be read otherwise.
private func quotedCell(_ name: String) -> String {
  // Byte by byte, as the reader sees it: as characters, a quote with an accent over it is no quote. Every separator
  // counts, since the reader may have to find out which one it is.
  let isPlain = !name.isEmpty && !name.utf8.contains { $0 <= 0x20 || "\"#,;".utf8.contains($0) }
  // A byte order mark at the beginning of a file is not taken for a part of its text.
  if isPlain, name.unicodeScalars.first != "\u{FEFF}" { return name }
  var cell = "\""
  for scalar in name.unicodeScalars {
    if scalar == "\"" { cell.unicodeScalars.append(scalar) }
    cell.unicodeScalars.append(scalar)
  }
  cell.unicodeScalars.append("\"")
  return cell
}

extension AnyTensor {
  /// The text of the element at a position in row-major order; Booleans are 1 and 0.
  func cellText() -> (Int) -> String {
    func text<Scalar: CustomStringConvertible>(_ tensor: Tensor<Scalar>) -> (Int) -> String {
      let scalars = tensor.scalars
      return { scalars[$0].description }
    }
    return switch self {
    case .float(let tensor): text(tensor)
    case .double(let tensor): text(tensor)
    case .int(let tensor): text(tensor)
    case .int32(let tensor): text(tensor)
    case .int16(let tensor): text(tensor)
    case .int8(let tensor): text(tensor)
    case .uint64(let tensor): text(tensor)
    case .uint32(let tensor): text(tensor)
    case .uint16(let tensor): text(tensor)
    case .uint8(let tensor): text(tensor)
    case .bool(let tensor): { [scalars = tensor.scalars] in scalars[$0] ? "1" : "0" }
    }
  }
}
