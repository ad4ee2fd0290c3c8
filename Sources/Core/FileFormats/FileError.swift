// One error type for everything that reads or writes files.

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file that cannot be read or written: which one, what is wrong, and what would be right.
///
/// Readers throw it for every file that is not what it claims to be; they never trap and never allocate more than the
/// file can plausibly hold.
public struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kinds of trouble, for those who want to act on them.
  public enum Kind: Sendable, Hashable {
    /// There is no such file.
    case missing
    /// The system refuses to open or read it.
    case unreadable
    /// A folder, a device, a pipe or a socket.
    case notRegular
    /// The file holds nothing.
    case empty
    /// The file ends before what it announces.
    case truncated
    /// The file is of another format than the one expected.
    case foreign
    /// The file contradicts its own format.
    case malformed
    /// Numbers of a type that cannot be read or written here.
    case unsupportedType
    /// A valid file that uses a part of the format that Apus does not read.
    case unsupported
    /// The file holds no array of the name asked for, or several where one was wanted.
    case noSuchArray
    /// The array is readable, but not of the shape or kind that was asked for.
    case unsuitable
    /// More numbers than this machine's memory holds.
    case tooLarge
    /// The system refuses to write there.
    case unwritable
    /// No space is left where the file was to be written.
    case diskFull
  }

  public var kind: Kind
  public var path: String
  /// What is wrong and what would be right, without the path.
  public var reason: String

  public init(_ kind: Kind, _ path: String, _ reason: String) {
    self.kind = kind
    self.path = path
    self.reason = reason
  }

  public var description: String { "\(path): \(reason)" }
}

extension FileError {
  /// A failed system call while reading `path`.
  static func reading(_ path: String, errno code: Int32) -> FileError {
    switch code {
    case ENOENT, ENOTDIR: FileError(.missing, path, "there is no such file")
    case EISDIR: FileError(.notRegular, path, "this is a folder, a file was expected")
    case EACCES, EPERM: FileError(.unreadable, path, "no permission to read this file")
    case ENAMETOOLONG: FileError(.missing, path, "the name is too long for a file")
    case ELOOP: FileError(.unreadable, path, "too many symbolic links lead to this file")
    default: FileError(.unreadable, path, "cannot be read: \(systemMessage(code))")
    }
  }

  /// A failed system call while writing `path`.
  static func writing(_ path: String, errno code: Int32) -> FileError {
    switch code {
    case ENOSPC, EDQUOT: FileError(.diskFull, path, "cannot be written: no space is left on the disk")
    case EFBIG: FileError(.diskFull, path, "cannot be written: the file would be larger than the system allows")
    case ENOENT, ENOTDIR: FileError(.unwritable, path, "cannot be written: its folder does not exist")
    case EACCES, EPERM: FileError(.unwritable, path, "cannot be written: no permission to write there")
    case EROFS: FileError(.unwritable, path, "cannot be written: the file system is read-only")
    case EISDIR: FileError(.unwritable, path, "cannot be written: this is a folder")
    default: FileError(.unwritable, path, "cannot be written: \(systemMessage(code))")
    }
  }

  private static func systemMessage(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    let message = String(cString: text)
    return message.prefix(1).lowercased() + message.dropFirst()
  }

  /// What a file of this mode is, when it is not a regular file.
  static func nameOfSpecialFile(mode: mode_t) -> String? {
    switch mode & S_IFMT {
    case S_IFREG: nil
    case S_IFDIR: "a folder"
    case S_IFIFO: "a pipe"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }
}

/// Text from a file as it may stand in a message: shortened, with control characters made visible.
func quoted(_ text: some StringProtocol) -> String {
  var result = ""
  for scalar in text.unicodeScalars.prefix(60) {
    result += scalar.value < 32 || scalar.value == 127 ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
  }
  return text.unicodeScalars.count > 60 ? "'\(result)…'" : "'\(result)'"
}

/// What arithmetic on a person's file can ask of memory at most: the machine's own.
let physicalMemory: Int = {
  let pages = sysconf(Int32(_SC_PHYS_PAGES))
  let pageSize = sysconf(Int32(_SC_PAGESIZE))
  return pages > 0 && pageSize > 0 ? pages * pageSize : 1 << 40
}()

/// The number of elements of a shape that was read from a file, checked; `nil` when a tensor cannot have it.
///
/// Extents beside a zero count too, so that strides of an empty tensor stay within bounds.
func checkedCount(_ shape: [Int], bytesPerElement: Int) -> Int? {
  guard shape.count <= 64 else { return nil }
  var size = max(bytesPerElement, 1)
  var isEmpty = false
  for extent in shape {
    guard extent >= 0 else { return nil }
    if extent == 0 { isEmpty = true }
    let (product, overflow) = size.multipliedReportingOverflow(by: max(extent, 1))
    guard !overflow else { return nil }
    size = product
  }
  return isEmpty ? 0 : size / max(bytesPerElement, 1)
}

/// Throws unless `bytes` bytes of tensor fit into this machine.
func requireMemory(_ bytes: Int, _ path: String, _ what: String) throws(FileError) {
  guard bytes <= physicalMemory else {
    throw FileError(.tooLarge, path, "\(what) takes \(bytes) bytes, more than this machine's memory")
  }
}
