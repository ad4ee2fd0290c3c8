// Matrix Market files, `.mtx`.

public import Tensors

/// A matrix given by its entries; all others are zero, and entries of one place add up.
public struct CoordinateMatrix: Sendable {
  public var rows: Int
  public var columns: Int
  /// Shape [entries], counted from zero; likewise `columnIndices` and `values`.
  public var rowIndices: Tensor<Int>
  public var columnIndices: Tensor<Int>
  public var values: Tensor<Double>

  public init(rows: Int, columns: Int, rowIndices: Tensor<Int>, columnIndices: Tensor<Int>, values: Tensor<Double>) {
    precondition(
      rowIndices.rank == 1 && rowIndices.shape == columnIndices.shape && rowIndices.shape == values.shape,
      "indices and values of shapes \(rowIndices.shape), \(columnIndices.shape), \(values.shape) do not fit together")
    self.rows = rows
    self.columns = columns
    self.rowIndices = rowIndices
    self.columnIndices = columnIndices
    self.values = values
  }

  /// The matrix with its zeros, shape [rows, columns].
  ///
  /// - Throws: `InvalidArgument` when it would take more than `maximumBytes`, or than this machine's memory.
  public func dense(maximumBytes: Int = 1 << 32) throws -> Tensor<Double> {
    let maximumBytes = min(maximumBytes, physicalMemory)
    guard let count = checkedCount([rows, columns], bytesPerElement: 8), count <= maximumBytes / 8 else {
      throw InvalidArgument(
        "matrix", found: "\(rows) rows and \(columns) columns",
        wanted: "at most \(maximumBytes) bytes when its zeros are written out")
    }
    var result = Tensor<Double>.zeros([rows, columns])
    result.withUnsafeMutableBuffer { result in
      rowIndices.withUnsafeBuffer { row in
        columnIndices.withUnsafeBuffer { column in
          values.withUnsafeBuffer { value in
            for i in value.indices {
              precondition(
                0 <= row[i] && row[i] < rows && 0 <= column[i] && column[i] < columns,
                "the entry (\(row[i]), \(column[i])) lies outside \(rows) rows and \(columns) columns")
              result[row[i] * columns + column[i]] += value[i]
            }
          }
        }
      }
    }
    return result
  }
}

/// Reads a Matrix Market file, of coordinates or a full array, real, integer or pattern, general, symmetric or
/// skew-symmetric; mirrored entries are written out, and entries of a pattern are one.
///
/// - Throws: `FileError`, also for complex matrices.
public func readMatrixMarket(_ path: String) throws(FileError) -> CoordinateMatrix {
  let file = try MappedFile(path)
  defer { withExtendedLifetime(file) {} }
  var reader = try MatrixMarketReader(file.bytes, path: path)
  return try reader.matrix()
}

/// Writes the entries of a matrix as a Matrix Market file that reads back to exactly the same.
public func writeMatrixMarket(_ matrix: CoordinateMatrix, to path: String) throws {
  var file = try AtomicFile(path)
  try file.write("%%MatrixMarket matrix coordinate real general\n")
  try file.write("\(matrix.rows) \(matrix.columns) \(matrix.values.count)\n")
  let rows = matrix.rowIndices.scalars
  let columns = matrix.columnIndices.scalars
  let values = matrix.values.scalars
  for start in stride(from: 0, to: values.count, by: 4_096) {
    var text = ""
    for i in start..<min(start + 4_096, values.count) {
      text += "\(rows[i] + 1) \(columns[i] + 1) \(values[i])\n"
    }
    try file.write(text)
  }
  try file.commit()
}

/// Writes all elements of a matrix as a Matrix Market file of the array kind.
public func writeMatrixMarket(_ matrix: Tensor<Double>, to path: String) throws {
  guard matrix.rank == 2 else {
    throw InvalidArgument("matrix", found: "shape \(matrix.shape)", wanted: "a matrix")
  }
  var file = try AtomicFile(path)
  try file.write("%%MatrixMarket matrix array real general\n\(matrix.rows) \(matrix.columns)\n")
  // The format goes down the columns.
  let values = matrix.transposed.scalars
  for start in stride(from: 0, to: values.count, by: 4_096) {
    try file.write(values[start..<min(start + 4_096, values.count)].map { "\($0)\n" }.joined())
  }
  try file.commit()
}

private struct MatrixMarketReader {
  enum Symmetry: String {
    case general, symmetric
    case skew = "skew-symmetric"
  }

  private var cursor: TextCursor
  private var line = 1
  private let path: String
  private let isArray: Bool
  private let isPattern: Bool
  private let symmetry: Symmetry
  private var rows: [Int] = []
  private var columns: [Int] = []
  private var values: [Double] = []

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(FileError) {
    guard let start = bytes.baseAddress, bytes.count > 0 else {
      throw FileError(.empty, path, "the file is empty, a Matrix Market file was expected")
    }
    self.path = path
    cursor = TextCursor(bytes: start.assumingMemoryBound(to: UInt8.self), position: 0, end: bytes.count)
    var first = cursor
    first.skipLine()
    let banner = String(decoding: bytes[..<min(first.position, 200)], as: UTF8.self).lowercased()
    let words = banner.split { $0.isWhitespace }.map(String.init)
    guard words.first == "%%matrixmarket" else {
      throw FileError(.foreign, path, "this is not a Matrix Market file: it does not begin with %%MatrixMarket")
    }
    guard words.count == 5, words[1] == "matrix", ["coordinate", "array"].contains(words[2]) else {
      throw FileError(.unsupported, path, "line 1 announces neither a matrix of coordinates nor an array")
    }
    isArray = words[2] == "array"
    isPattern = words[3] == "pattern"
    guard words[3] != "complex" else {
      throw FileError(.unsupportedType, path, "a matrix of complex numbers, real ones were expected")
    }
    guard ["real", "double", "integer"].contains(words[3]) || (isPattern && !isArray) else {
      throw FileError(.malformed, path, "line 1 announces numbers of the kind \(quoted(words[3]))")
    }
    guard let symmetry = Symmetry(rawValue: words[4]) else {
      throw FileError(.unsupported, path, "line 1 announces a matrix that is \(quoted(words[4]))")
    }
    self.symmetry = symmetry
    cursor = first
    line = 2
  }

  private func malformed(_ reason: String) -> FileError { FileError(.malformed, path, "line \(line): \(reason)") }

  /// Moves to the next line that is neither blank nor a comment; false at the end of the file.
  private mutating func findLine() -> Bool {
    while cursor.position < cursor.end {
      cursor.skipBlanks()
      if !cursor.isAtLineEnd, cursor.next != UInt8(ascii: "%") { return true }
      cursor.skipLine()
      line += 1
    }
    return false
  }

  private mutating func endLine() throws(FileError) {
    cursor.skipBlanks()
    guard cursor.isAtLineEnd else { throw malformed("\(quoted(cursor.token())) is more than belongs on this line") }
    cursor.skipLine()
    line += 1
  }

  private mutating func wholeNumber() throws(FileError) -> Int {
    cursor.skipBlanks()
    let start = cursor
    // What follows must be apart: `1 1.5` is not the entry .5 at (1, 1).
    if let number = cursor.wholeNumber(), cursor.isAtLineEnd || cursor.next == 0x20 || cursor.next == 0x09 {
      return number
    }
    throw malformed(start.isAtLineEnd ? "a number is missing" : "\(quoted(start.token())) is not a whole number")
  }

  private mutating func number() throws(FileError) -> Double {
    cursor.skipBlanks()
    guard let number = cursor.number() else {
      throw malformed(cursor.isAtLineEnd ? "a number is missing" : "\(quoted(cursor.token())) is not a number")
    }
    return number
  }

  mutating func matrix() throws(FileError) -> CoordinateMatrix {
    guard findLine() else { throw FileError(.truncated, path, "the file ends before the size of the matrix") }
    let rowCount = try wholeNumber()
    let columnCount = try wholeNumber()
    guard symmetry == .general || rowCount == columnCount else {
      throw malformed("a \(symmetry.rawValue) matrix of \(rowCount) rows and \(columnCount) columns")
    }
    if isArray {
      try endLine()
      try readArray(rowCount, columnCount)
    } else {
      let count = try wholeNumber()
      try endLine()
      try readCoordinates(rowCount, columnCount, count)
    }
    guard !findLine() else { throw malformed("more entries than the \(values.count) announced") }
    return CoordinateMatrix(
      rows: rowCount, columns: columnCount, rowIndices: Tensor(rows), columnIndices: Tensor(columns),
      values: Tensor(values))
  }

  /// Makes room for `count` entries; throws unless so many, of at least `bytes` bytes each, can follow in the file.
  private mutating func makeRoom(for count: Int, bytes: Int) throws(FileError) {
    // The last line may lack its line feed.
    guard count <= (cursor.end - cursor.position + 1) / bytes else {
      throw FileError(.truncated, path, "\(count) entries are announced, more than the rest of the file can hold")
    }
    reserve(count)
  }

  private mutating func reserve(_ count: Int) {
    let capacity = symmetry == .general ? count : 2 * count
    rows.reserveCapacity(capacity)
    columns.reserveCapacity(capacity)
    values.reserveCapacity(capacity)
  }

  private mutating func add(_ row: Int, _ column: Int, _ value: Double) {
    rows.append(row)
    columns.append(column)
    values.append(value)
    if symmetry != .general, row != column {
      rows.append(column)
      columns.append(row)
      values.append(symmetry == .skew ? -value : value)
    }
  }

  private mutating func readCoordinates(_ rowCount: Int, _ columnCount: Int, _ count: Int) throws(FileError) {
    try makeRoom(for: count, bytes: isPattern ? 4 : 6)
    for _ in 0..<count {
      guard findLine() else { throw FileError(.truncated, path, "the file ends before the last of \(count) entries") }
      let row = try wholeNumber()
      let column = try wholeNumber()
      let value = isPattern ? 1 : try number()
      guard 1...max(rowCount, 1) ~= row, 1...max(columnCount, 1) ~= column, rowCount > 0, columnCount > 0 else {
        throw malformed("the entry (\(row), \(column)) lies outside \(rowCount) rows and \(columnCount) columns")
      }
      guard symmetry == .general || row > column || (row == column && symmetry == .symmetric) else {
        throw malformed(
          "the entry (\(row), \(column)) of a \(symmetry.rawValue) matrix does not lie below the diagonal")
      }
      try endLine()
      add(row - 1, column - 1, value)
    }
  }

  private mutating func readArray(_ rowCount: Int, _ columnCount: Int) throws(FileError) {
    guard let count = checkedCount([rowCount, columnCount], bytesPerElement: 8) else {
      throw malformed("\(rowCount) rows and \(columnCount) columns are more than memory can hold")
    }
    let needed = symmetry == .general ? count : symmetry == .symmetric ? (count + rowCount) / 2 : (count - rowCount) / 2
    try makeRoom(for: needed, bytes: 2)
    // An empty matrix may have a huge other side.
    for column in 0..<(needed == 0 ? 0 : columnCount) {
      let first = symmetry == .general ? 0 : symmetry == .symmetric ? column : column + 1
      for row in first..<max(first, rowCount) {
        guard findLine() else {
          throw FileError(.truncated, path, "the file ends before the last of \(needed) numbers")
        }
        let value = try number()
        try endLine()
        add(row, column, value)
      }
    }
  }
}
