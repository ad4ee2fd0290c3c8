// The rows of a large `.npy` file, some at a time.

public import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Reads the rows of a `.npy` file one piece after the other, in memory for one piece, however long the file is.
///
/// A row is a slice along the first axis. The file is read, not mapped: it may be far larger than memory, and one that is
/// shortened in the meantime is an error instead of the end of the process.
///
/// ```swift
/// var reader = try NumPyRowReader("rows.npy")
/// while let rows = try reader.next(atMost: 4_096) { ... }
/// ```
public struct NumPyRowReader: ~Copyable {
  public let path: String
  /// The shape of the whole array.
  public let shape: [Int]
  public let type: StoredType
  /// The rows that were read so far.
  public private(set) var position = 0
  private let descriptor: Int32
  private let header: NumPyHeader
  private let size: Int

  /// The rows of the whole array.
  public var rows: Int { shape[0] }
  /// The numbers of a row.
  public var rowCount: Int { shape.dropFirst().reduce(1, *) }
  private var rowBytes: Int { rows > 0 ? header.byteCount / rows : 0 }

  /// Opens a file and reads its header.
  ///
  /// - Throws: `FileError`, also for arrays without an axis, and for those in Fortran order, whose rows lie scattered.
  public init(_ path: String) throws {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError.reading(path, errno: errno) }
    do {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw FileError.reading(path, errno: errno) }
      if let special = FileError.nameOfSpecialFile(mode: status.st_mode) {
        throw FileError(.notRegular, path, "this is \(special), a file was expected")
      }
      let size = Int(status.st_size)
      let first = OwnedBytes(count: min(size, 1 << 17))
      try Self.fill(first.bytes, from: descriptor, at: 0, path)
      let header = try NumPyHeader(UnsafeRawBufferPointer(first.bytes), path: path)
      guard let rows = header.shape.first, !(header.isFortranOrder && header.shape.count > 1 && rows > 1) else {
        throw FileError(
          .unsuitable, path,
          header.shape.isEmpty
            ? "a single number, an array of rows was expected"
            : "the array is in Fortran order, whose rows do not lie one after the other; store it in C order")
      }
      guard size - header.length == header.byteCount else {
        throw FileError(
          size - header.length < header.byteCount ? .truncated : .malformed, path,
          "shape \(header.shape) of \(header.type) takes \(header.byteCount) bytes, the file holds \(size - header.length)"
        )
      }
      (self.descriptor, self.header, self.size) = (descriptor, header, size)
      (shape, type) = (header.shape, header.type)
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// The next rows, at most so many, of shape [rows, ...]; `nil` after the last.
  ///
  /// - Throws: `FileError`, also when the file has changed its size since it was opened.
  public mutating func next(atMost count: Int) throws -> AnyTensor? {
    precondition(count >= 1, "\(count) rows at a time")
    let taken = min(count, rows - position)
    guard taken > 0 else { return nil }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError.reading(path, errno: errno) }
    guard Int(status.st_size) == size else {
      throw FileError(.truncated, path, "the file changed its size from \(size) to \(status.st_size) while it was read")
    }
    try requireMemory(taken * rowBytes, path, "\(taken) rows")
    let bytes = OwnedBytes(count: taken * rowBytes)
    try Self.fill(bytes.bytes, from: descriptor, at: header.length + position * rowBytes, path)
    let numbers = StoredNumbers(
      bytes: UnsafeRawBufferPointer(bytes.bytes), type: type, shape: [taken] + shape.dropFirst(), owner: bytes,
      isSwapped: header.isSwapped, path: path)
    let tensor = try numbers.tensor()
    position += taken
    return tensor
  }

  /// The same as `Float` or `Double`.
  public mutating func next<Scalar: RealScalar>(atMost count: Int, as: Scalar.Type) throws -> Tensor<Scalar>? {
    try next(atMost: count)?.real(as: Scalar.self)
  }

  /// Back to the first row.
  public mutating func rewind() { position = 0 }

  private static func fill(
    _ bytes: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: Int, _ path: String
  ) throws {
    var done = 0
    while done < bytes.count {
      let read = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if read < 0 && errno == EINTR { continue }
      guard read >= 0 else { throw FileError.reading(path, errno: errno) }
      guard read > 0 else { throw FileError(.truncated, path, "the file became shorter while it was read") }
      done += read
    }
  }
}
