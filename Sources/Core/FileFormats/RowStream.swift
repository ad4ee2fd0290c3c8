// Rows that go by once: from a pipe, from standard input, or from a file that is read front to back.

public import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Reads rows one piece after the other from what can be read only once, in memory for one piece.
///
/// The source may be a pipe, standard input or a file, and may go on for ever. What a header or a file's size announces
/// is held to it: rows that are missing, that are cut off or that nobody announced are errors, and so is a file that
/// changes its size in the meantime.
///
/// ```swift
/// var stream = try RowStream("-")                                          // a .npy array from standard input
/// var numbers = try RowStream("rows.pipe", layout: .raw(columns: 128))     // doubles without a header
/// while let rows = try stream.next(atMost: 4_096, as: Double.self) { ... }
/// ```
public struct RowStream: ~Copyable {
  /// How the rows lie in the stream.
  public enum Layout: Sendable, Hashable {
    /// A `.npy` array in C order; a row is a slice along the first axis.
    case numPy
    /// Rows of so many little-endian numbers, one after the other: as many as come.
    case raw(columns: Int, type: StoredType = .float64)
  }

  /// The path, or what stands for it in messages.
  public let path: String
  public let type: StoredType
  /// The shape of one row.
  public let rowShape: [Int]
  /// The rows that are announced, by a header or by the size of a file; nil if nobody knows.
  public let expectedRows: Int?
  /// The rows that were read so far.
  public private(set) var position = 0
  private let descriptor: Int32
  private let isSwapped: Bool
  private let rowBytes: Int
  /// Of a regular file, when it was opened.
  private let size: Int?
  private var isAtEnd = false

  /// The numbers of a row.
  public var rowCount: Int { rowShape.reduce(1, *) }

  /// Opens a path, or standard input for "-", and reads the header, if there is one.
  ///
  /// - Throws: `FileError`, also for arrays in Fortran order, whose rows do not lie one after the other, and for rows
  ///   without numbers.
  public init(_ path: String, layout: Layout = .numPy) throws {
    let isInput = path == "-"
    let name = isInput ? "standard input" : path
    let descriptor = isInput ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError.reading(name, errno: errno) }
    do {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw FileError.reading(name, errno: errno) }
      guard status.st_mode & S_IFMT != S_IFDIR else {
        throw FileError(.notRegular, name, "this is a folder, rows were expected")
      }
      let isFile = status.st_mode & S_IFMT == S_IFREG
      // Standard input may be a file of which the beginning was read by someone else.
      let rest = isFile ? Int(status.st_size) - Int(lseek(descriptor, 0, SEEK_CUR)) : nil
      let rows =
        switch layout {
        case .numPy: try Self.numPyRows(descriptor, rest, name)
        case .raw(let columns, let type): try Self.rawRows(columns, type, rest, name)
        }
      guard let bytes = rows.type.byteCount(of: rows.shape), bytes > 0 else {
        throw FileError(.unsuitable, name, "rows of shape \(rows.shape) hold no numbers")
      }
      (self.path, self.descriptor, rowBytes) = (name, descriptor, bytes)
      size = isFile ? Int(status.st_size) : nil
      (type, isSwapped, rowShape, expectedRows) = (rows.type, rows.isSwapped, rows.shape, rows.count)
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// The next rows, as many as asked for or those that are left, of shape [rows, ...]; `nil` after the last.
  ///
  /// - Throws: `FileError` when the stream ends before what was announced or within a row, goes on after that, or is a
  ///   file that changed its size.
  public mutating func next(atMost count: Int) throws -> AnyTensor? {
    precondition(count >= 1, "\(count) rows at a time")
    guard !isAtEnd else { return nil }
    try requireSameSize()
    let wanted = min(count, expectedRows.map { $0 - position } ?? count)
    guard wanted > 0 else {
      try requireEnd()
      return nil
    }
    try requireMemory(wanted * rowBytes, path, "\(wanted) rows")
    let piece = OwnedBytes(count: wanted * rowBytes)
    let read = try Self.fill(piece.bytes, from: descriptor, path)
    let rows = read / rowBytes
    guard read % rowBytes == 0 else {
      throw FileError(
        .truncated, path,
        "the stream ended within row \(position + rows): \(read % rowBytes) of its \(rowBytes) bytes came")
    }
    if rows < wanted {
      if let expectedRows {
        throw FileError(
          .truncated, path, "the stream ended after \(position + rows) of the \(expectedRows) rows that it announces")
      }
      isAtEnd = true
      if rows == 0 { return nil }
    }
    position += rows
    let numbers = StoredNumbers(
      bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece.bytes)[..<read]), type: type,
      shape: [rows] + rowShape, owner: piece, isSwapped: isSwapped, path: path)
    return try numbers.tensor()
  }

  /// The same as `Float` or `Double`.
  public mutating func next<Scalar: RealScalar>(atMost count: Int, as: Scalar.Type) throws -> Tensor<Scalar>? {
    try next(atMost: count)?.real(as: Scalar.self)
  }

  private func requireSameSize() throws {
    guard let size else { return }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError.reading(path, errno: errno) }
    guard Int(status.st_size) == size else {
      throw FileError(.truncated, path, "the file changed its size from \(size) to \(status.st_size) while it was read")
    }
  }

  private mutating func requireEnd() throws {
    isAtEnd = true
    let byte = OwnedBytes(count: 1)
    guard try Self.fill(byte.bytes, from: descriptor, path) == 0 else {
      throw FileError(.malformed, path, "the stream goes on after the \(position) rows that it announces")
    }
  }

  private struct Rows {
    var type: StoredType
    var isSwapped = false
    var shape: [Int]
    var count: Int?
  }

  /// - Parameter rest: the bytes that a file has from here on.
  private static func numPyRows(_ descriptor: Int32, _ rest: Int?, _ name: String) throws -> Rows {
    let header = try header(descriptor, name)
    guard let count = header.shape.first, !(header.isFortranOrder && header.shape.count > 1 && count > 1) else {
      throw FileError(
        .unsuitable, name,
        header.shape.isEmpty
          ? "a single number, an array of rows was expected"
          : "the array is in Fortran order, whose rows do not lie one after the other; store it in C order")
    }
    if let rest, rest - header.length != header.byteCount {
      throw FileError(
        rest - header.length < header.byteCount ? .truncated : .malformed, name,
        "shape \(header.shape) of \(header.type) takes \(header.byteCount) bytes, the file holds "
          + "\(rest - header.length)")
    }
    return Rows(
      type: header.type, isSwapped: header.isSwapped, shape: Array(header.shape.dropFirst()), count: count)
  }

  private static func rawRows(_ columns: Int, _ type: StoredType, _ rest: Int?, _ name: String) throws -> Rows {
    guard columns >= 1, let bytes = type.byteCount(of: [columns]) else {
      throw FileError(.unsuitable, name, "rows of \(columns) numbers, at least one was expected")
    }
    if let rest, rest % bytes != 0 {
      throw FileError(
        .truncated, name, "\(rest) bytes are not a whole number of rows of \(columns) numbers, \(bytes) bytes each")
    }
    return Rows(type: type, shape: [columns], count: rest.map { $0 / bytes })
  }

  /// The header of a NumPy array, and not a byte more.
  private static func header(_ descriptor: Int32, _ name: String) throws -> NumPyHeader {
    let most = 1 << 17
    let bytes = OwnedBytes(count: most)
    var length = try fill(.init(rebasing: bytes.bytes[..<12]), from: descriptor, name)
    if length == 12, bytes.bytes.starts(with: NumPyHeader.magic) {
      let isShort = bytes.bytes[6] == 1
      let count =
        isShort
        ? 10 + Int(UInt16(littleEndian: bytes.bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
        : 12 + Int(UInt32(littleEndian: bytes.bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
      guard 12...most ~= count else {
        throw FileError(.malformed, name, "a header of \(count) bytes, at most \(most) were expected")
      }
      length += try fill(.init(rebasing: bytes.bytes[12..<count]), from: descriptor, name)
    }
    return try NumPyHeader(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes.bytes)[..<length]), path: name)
  }

  /// Reads until the buffer is full or the stream at its end; returns the bytes that came.
  private static func fill(
    _ bytes: UnsafeMutableRawBufferPointer, from descriptor: Int32, _ path: String
  ) throws -> Int {
    var done = 0
    while done < bytes.count {
      let count = read(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw FileError.reading(path, errno: errno) }
      if count == 0 { break }
      done += count
    }
    return done
  }
}
