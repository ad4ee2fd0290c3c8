// The bytes of a file: mapped when there are many, read when there are few.

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The contents of a regular file, read-only, for as long as this object lives.
///
/// A file of at least `mappingThreshold` bytes is mapped: opening costs nothing, and a byte is read from disk when it is
/// first touched. A smaller one is read at once. The descriptor is closed in both cases.
///
/// - Important: A mapped file must not be shortened or overwritten in place while it is in use: its tensors would change,
///   and touching a page that is gone ends the process (SIGBUS). Replacing a file by renaming another over it, as
///   `AtomicFile` does, is safe: the mapping keeps the old contents.
public final class MappedFile: Sendable {
  public static let mappingThreshold = 4 << 20

  public let path: String
  public let count: Int
  /// Whether the bytes are a mapping of the file rather than a copy of it.
  public var isMapped: Bool { holding == .mapping }
  private let holding: Holding
  // Never written to after `init`, which makes sharing it between threads sound.
  private nonisolated(unsafe) let start: UnsafeMutableRawPointer

  private enum Holding { case mapping, copy, partOfProgram }

  /// The contents of a file that is part of the program, under the name that errors call it by.
  init(named name: String, partOfProgram bytes: StaticBytes) {
    path = name
    count = bytes.count
    // Never written to: see `start`.
    start = UnsafeMutableRawPointer(mutating: bytes.start)
    holding = .partOfProgram
  }

  /// Opens `path`. Symbolic links are followed; folders, devices and pipes are refused.
  ///
  /// - Throws: `FileError`, also when the file changes its size while it is opened.
  public init(_ path: String) throws(FileError) {
    // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .reading(path, errno: errno) }
    defer { close(descriptor) }
    let size = try Self.sizeOfRegularFile(descriptor, path)

    if size >= Self.mappingThreshold {
      let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
      guard let address, address != MAP_FAILED else { throw .reading(path, errno: errno) }
      start = address
      holding = .mapping
    } else {
      start = UnsafeMutableRawPointer.allocate(byteCount: max(size, 1), alignment: 64)
      holding = .copy
    }
    self.path = path
    count = size

    // All properties are set: from here on a throw runs `deinit`.
    if !isMapped { try Self.fill(start, size, from: descriptor, path) }
    guard try Self.sizeOfRegularFile(descriptor, path) == size else {
      throw FileError(.truncated, path, "the file changed its size while it was opened")
    }
  }

  deinit {
    switch holding {
    case .mapping: munmap(start, count)
    case .copy: start.deallocate()
    case .partOfProgram: break
    }
  }

  /// All bytes. The pointer is valid while this object lives.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  /// Calls `body` with the bytes in `range`.
  public func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
  }

  /// Tells the system that bytes in `range` are not needed for now: they stop counting as this process's memory, and are
  /// read again from the file when they are touched again.
  public func release(_ range: Range<Int>) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "bytes \(range) of a file of \(count) cannot be released")
    guard isMapped else { return }
    // Whole pages inside the range; its ends may share theirs with a neighbour in use.
    let page = Int(getpagesize())
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound == count ? count : range.upperBound / page * page
    if first < last { madvise(start + first, last - first, MADV_DONTNEED) }
  }

  private static func sizeOfRegularFile(_ descriptor: Int32, _ path: String) throws(FileError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .reading(path, errno: errno) }
    if let special = FileError.nameOfSpecialFile(mode: status.st_mode) {
      throw FileError(.notRegular, path, "this is \(special), a file was expected")
    }
    return Int(status.st_size)
  }

  private static func fill(
    _ start: UnsafeMutableRawPointer, _ size: Int, from descriptor: Int32, _ path: String
  ) throws(FileError) {
    var position = 0
    while position < size {
      let read = pread(descriptor, start + position, size - position, off_t(position))
      if read < 0 && errno == EINTR { continue }
      guard read >= 0 else { throw .reading(path, errno: errno) }
      guard read > 0 else { throw FileError(.truncated, path, "the file became shorter while it was read") }
      position += read
    }
  }
}

/// Bytes that are there as long as the program runs.
public struct StaticBytes: @unchecked Sendable {
  let start: UnsafeRawPointer
  let count: Int

  /// - Parameter start: the first of `count` bytes that nobody changes or frees, such as a C array of the program.
  public init(start: UnsafeRawPointer, count: Int) {
    self.start = start
    self.count = count
  }
}

/// Whether there is a file, folder or anything else of that name.
func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
