// What must hold of every file, whatever is in it. The tests check it on the corpus, the fuzzer on everything else.

import FileFormats
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A reader that did something else than reading correctly or refusing with a `FileError`.
struct BrokenLaw: Error, CustomStringConvertible {
  var description: String
}

/// The readers, and the laws that they keep: a file is refused with a `FileError`, or it is read, every number can be
/// touched, and what is written from it reads back to the same.
enum FuzzedFormat: String, CaseIterable, Sendable {
  case npy, npz, safetensors, index, csv, tsv, mtx

  /// The name of a file in this format.
  var fileName: String {
    switch self {
    case .index: "input.safetensors.index.json"
    default: "input.\(rawValue)"
    }
  }

  /// Writes what the reader needs beside the input: an index of shards names `a.safetensors` and `b.safetensors`.
  func prepare(_ folder: String) throws {
    guard self == .index else { return }
    try writeSafetensors([("x", .float(Tensor([1, 2]))), ("y", .int8(Tensor([3])))], to: folder + "/a.safetensors")
    try writeSafetensors([("x", .float(Tensor([4]))), ("z", .double(Tensor([5])))], to: folder + "/b.safetensors")
  }

  /// Reads the file at `path`; `scratch` is a name that may be written to.
  ///
  /// - Throws: `FileError` when the file is refused, `BrokenLaw` when a law does not hold.
  func check(_ path: String, scratch: String) throws {
    switch self {
    case .npy: try checkNPY(path, scratch)
    case .npz: try checkNPZ(path, scratch)
    case .safetensors: try checkSafetensors(path, scratch)
    case .index: try checkIndex(path)
    case .csv: try checkText(path, scratch, separator: nil)
    case .tsv: try checkText(path, scratch, separator: .tab)
    case .mtx: try checkMatrixMarket(path, scratch)
    }
  }
}

private func require(_ condition: Bool, _ law: @autoclosure () -> String) throws {
  if !condition { throw BrokenLaw(description: law()) }
}

/// The error of a file that was just written is the writer's mistake, not the input's.
private func readingBack<Result>(_ what: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch { throw BrokenLaw(description: "\(what) does not write and read back: \(error)") }
}

/// Touches every number in every way there is.
private func touch(_ array: AnyTensor) throws {
  try require(array.count == array.shape.reduce(1, *), "shape \(array.shape) and count \(array.count) disagree")
  let numbers = array.asDouble()
  let total = numbers.withUnsafeBuffer { $0.reduce(0, +) }
  try require(numbers.shape == array.shape && (total.isNaN || total >= 0 || total < 0), "numbers are no numbers")
  _ = array.asFloat()
  // Refused unless they are whole.
  do { _ = try array.asInt("labels") } catch is InvalidArgument {}
}

private func haveSameBytes(_ a: AnyTensor, _ b: AnyTensor) -> Bool {
  guard a.shape == b.shape, a.storedType == b.storedType else { return false }
  return a.withUnsafeBytes { a in b.withUnsafeBytes { b in a.elementsEqual(b) } }
}

private func haveSameNumbers(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Bool {
  guard a.shape == b.shape else { return false }
  return zip(a.scalars, b.scalars).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) }
}

// MARK: Arrays

private func checkNPY(_ path: String, _ scratch: String) throws {
  let array = try readNPY(path)
  try touch(array)
  let copy = try readingBack("an array of \(array.typeName), shape \(array.shape),") {
    try writeNPY(array, to: scratch)
    return try readNPY(scratch)
  }
  try require(haveSameBytes(array, copy), "an array of \(array.typeName), shape \(array.shape), reads back otherwise")
}

private func checkNPZ(_ path: String, _ scratch: String) throws {
  let archive = try NumPyArchive(path)
  var arrays: [(name: String, array: AnyTensor)] = []
  for name in archive.names {
    // One damaged member does not spoil the others.
    guard let array = try readOrRefused({ try archive.array(named: name) }) else { continue }
    try touch(array)
    arrays.append((name, array))
  }
  // An archive can have a member named ".npy", which is an array without a name: nobody writes that.
  guard arrays.allSatisfy({ !$0.name.isEmpty }) else { return }
  let copy = try readingBack("an archive of \(arrays.map(\.name))") {
    try writeNPZ(arrays, to: scratch, compressing: arrays.count % 2 == 1)
    let copy = try NumPyArchive(scratch)
    return try copy.names.map { ($0, try copy.array(named: $0)) }
  }
  try require(copy.map(\.0) == arrays.map(\.name), "the names \(arrays.map(\.name)) read back as \(copy.map(\.0))")
  for (original, copy) in zip(arrays, copy) {
    try require(haveSameBytes(original.array, copy.1), "the array \(original.name) reads back otherwise")
  }
}

private func readOrRefused(_ read: () throws -> AnyTensor) throws -> AnyTensor? {
  do { return try read() } catch is FileError { return nil }
}

private func checkSafetensors(_ path: String, _ scratch: String) throws {
  let file = try SafetensorsFile(path)
  var tensors: [(name: String, tensor: AnyTensor)] = []
  for entry in file.entries {
    let bytes = try file.withBytes(of: entry.name) { $0.reduce(0) { $0 &+ Int($1) } }
    try require(bytes >= 0 && entry.byteCount == entry.byteRange.count, "the bytes of \(entry.name)")
    guard let tensor = try readOrRefused({ try file.tensor(named: entry.name) }) else { continue }
    try require(tensor.shape == entry.shape, "\(entry.name) has shape \(tensor.shape), announced \(entry.shape)")
    try touch(tensor)
    tensors.append((entry.name, tensor))
  }
  let copy = try readingBack("a file of \(tensors.map(\.name)), metadata \(file.metadata),") {
    try writeSafetensors(tensors, to: scratch, metadata: file.metadata)
    return try SafetensorsFile(scratch)
  }
  try require(copy.metadata == file.metadata, "metadata \(file.metadata) read back as \(copy.metadata)")
  for (name, tensor) in tensors {
    let other = try readingBack(name) { try copy.tensor(named: name) }
    try require(haveSameBytes(tensor, other), "the tensor \(name) reads back otherwise")
  }
}

private func checkIndex(_ path: String) throws {
  let checkpoint = try Checkpoint(path)
  for entry in checkpoint.entries {
    let tensor = try readingBack(entry.name) { try checkpoint.tensor(named: entry.name) }
    try require(tensor.shape == entry.shape, "\(entry.name) has shape \(tensor.shape), announced \(entry.shape)")
    try touch(tensor)
  }
}

// MARK: Text

private func checkText(_ path: String, _ scratch: String, separator: CellSeparator?) throws {
  if separator == nil { try checkAgainstPlainReader(path) }
  let table = try readCSV(path, separator: separator)
  try touch(.double(table.values))
  let columns = table.values.shape[1]
  try require((table.columnNames?.count ?? columns) == columns, "\(columns) columns, names \(table.columnNames ?? [])")
  // Without rows or names there is no text to tell the columns from.
  guard table.columnNames != nil || table.values.count > 0 else { return }
  let copy = try readingBack("a table of shape \(table.values.shape), names \(table.columnNames ?? []),") {
    let between = separator ?? .comma
    try writeCSV(.double(table.values), to: scratch, columnNames: table.columnNames, separator: between)
    return try readCSV(scratch, separator: separator, hasHeader: table.columnNames != nil)
  }
  try require(
    copy.columnNames == table.columnNames, "names \(table.columnNames ?? []) read back as \(copy.columnNames ?? [])")
  try require(haveSameNumbers(copy.values, table.values), "\(table.values.scalars) read back as \(copy.values.scalars)")
}

/// Where a text is nothing but digits, commas and line feeds, a reader of ten lines around `strtod` knows the answer.
private func checkAgainstPlainReader(_ path: String) throws {
  let allowed = Set("0123456789+-.eE,\n".utf8)
  let text = try MappedFile(path).withBytes(0..<MappedFile(path).count) { Array($0) }
  guard !text.isEmpty, text.allSatisfy(allowed.contains) else { return }
  let rows = text.split(separator: UInt8(ascii: "\n")).map { row in
    row.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { cell -> Double? in
      let cell = cell.map { CChar($0) } + [0]
      return cell.withUnsafeBufferPointer { cell in
        var end: UnsafeMutablePointer<CChar>?
        let value = strtod(cell.baseAddress!, &end)
        return cell.count > 1 && end.map { UnsafePointer($0) } == cell.baseAddress! + (cell.count - 1) ? value : nil
      }
    }
  }
  let isTable = !rows.isEmpty && rows.allSatisfy { $0.count == rows[0].count && $0.allSatisfy { $0 != nil } }
  let table = try? readCSV(path, separator: .comma, hasHeader: false)
  try require((table != nil) == isTable, "\(isTable ? "a table was refused" : "what is no table was read")")
  guard let table else { return }
  let expected = Tensor(shape: [rows.count, rows[0].count], scalars: rows.joined().map { $0 ?? .nan })
  try require(haveSameNumbers(table.values, expected), "\(table.values.scalars) instead of \(expected.scalars)")
}

private func checkMatrixMarket(_ path: String, _ scratch: String) throws {
  let matrix = try readMatrixMarket(path)
  try touch(.double(matrix.values))
  let rows = matrix.rowIndices.scalars
  let columns = matrix.columnIndices.scalars
  try require(
    rows.count == matrix.values.count && columns.count == rows.count && rows.allSatisfy { 0..<matrix.rows ~= $0 }
      && columns.allSatisfy { 0..<matrix.columns ~= $0 },
    "an entry lies outside \(matrix.rows) rows and \(matrix.columns) columns")
  // Refused when its zeros take too much.
  do { try touch(.double(matrix.dense(maximumBytes: 1 << 16))) } catch is InvalidArgument {}
  let copy = try readingBack("a matrix of \(matrix.rows) rows and \(matrix.columns) columns") {
    try writeMatrixMarket(matrix, to: scratch)
    return try readMatrixMarket(scratch)
  }
  try require(
    copy.rows == matrix.rows && copy.columns == matrix.columns && copy.rowIndices.scalars == rows
      && copy.columnIndices.scalars == columns && haveSameNumbers(copy.values, matrix.values),
    "the entries read back otherwise")
}
