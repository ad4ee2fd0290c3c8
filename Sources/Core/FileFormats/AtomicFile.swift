// Writing a file so that nobody ever sees half of it.

import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file that appears under its name only when it is complete.
///
/// The bytes go to a temporary file beside the target, which `commit` puts in the target's place in one step. Leaving the
/// scope without `commit`, by an error or otherwise, removes it; the old contents of the target stay. A symbolic link
/// keeps pointing where it did, and an existing file keeps its permissions. What a killed process left behind
/// (`NAME.PID-RANDOM.partial`) is removed by the next write to the same name.
///
/// ```swift
/// var file = try AtomicFile("weights.bin")
/// try file.write(bytes)
/// try file.commit()
/// ```
public struct AtomicFile: ~Copyable {
  /// The name the file was asked for under; errors use it.
  public let path: String
  /// Bytes written by `write(_:)` so far.
  public private(set) var position = 0
  private let target: String
  private let partial: String
  private let descriptor: Int32
  private let slot: Int?

  /// Starts writing the file at `path`, which may exist or not.
  ///
  /// - Throws: `FileError` when the folder is missing or not writable, and when `path` is a folder, a device, a pipe or
  ///   a file without write permission: replacing it would destroy it.
  public init(_ path: String) throws(FileError) {
    let target = try Self.followingLinks(path)
    let old = try Self.statusOfReplaced(target, path)
    Self.sweep(besides: target)
    let partial = Self.partialName(for: target)
    let descriptor = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .writing(path, errno: errno) }
    // The lock says "in use" to sweeps, also to those in containers that see other process numbers.
    _ = flock(descriptor, LOCK_EX | LOCK_NB)
    if let old {
      // Giving the file to its former owner is for the administrator alone; for others it fails, and may.
      if fchown(descriptor, old.st_uid, old.st_gid) != 0 { _ = fchown(descriptor, uid_t.max, old.st_gid) }
      _ = fchmod(descriptor, old.st_mode & 0o777)
    }
    self.path = path
    self.target = target
    self.partial = partial
    self.descriptor = descriptor
    slot = PartialFiles.register(partial)
  }

  deinit {
    close(descriptor)
    unlink(partial)
    PartialFiles.unregister(slot)
  }

  /// Appends bytes.
  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    try write(bytes, at: position)
    position += bytes.count
  }

  /// Appends text as UTF-8.
  public mutating func write(_ text: String) throws(FileError) {
    var text = text
    let failure: FileError? = text.withUTF8 { utf8 in
      do throws(FileError) {
        try write(UnsafeRawBufferPointer(utf8))
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
  }

  /// Writes bytes at an offset from the beginning, in any order; gaps read as zeros.
  public borrowing func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let chunk = min(bytes.count - done, 1 << 30)
      let written = pwrite(descriptor, bytes.baseAddress! + done, chunk, off_t(offset + done))
      if written < 0 && errno == EINTR { continue }
      guard written >= 0 else { throw .writing(path, errno: errno) }
      done += written
    }
  }

  /// Puts the file in its place, on the disk and under its name.
  public consuming func commit() throws(FileError) {
    guard fsync(descriptor) == 0 else { throw .writing(path, errno: errno) }
    // A name that became a folder or a device meanwhile is refused here as it would have been before.
    _ = try Self.statusOfReplaced(target, path)
    guard rename(partial, target) == 0 else { throw .writing(path, errno: errno) }
    // The new name survives a power cut only when the folder is on the disk as well; the file itself is whole anyway.
    let folder = open(folderName(of: target), O_RDONLY | O_CLOEXEC)
    if folder >= 0 {
      _ = fsync(folder)
      close(folder)
    }
  }

  /// Removes the temporary files of all writes in progress; for a process that is about to end.
  ///
  /// It takes no lock and allocates nothing, so a signal handler may call it. Writes in progress fail at `commit`.
  public static func removeAllPartials() { PartialFiles.removeAll() }

  // MARK: Names

  /// Where the bytes of `path` really lie: links are followed, also to a file that does not exist yet.
  private static func followingLinks(_ path: String) throws(FileError) -> String {
    var path = path
    let asked = path
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    for _ in 0..<40 {
      let length = readlink(path, &buffer, buffer.count)
      guard length >= 0 else { return path }
      let destination = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      path = destination.hasPrefix("/") ? destination : folderName(of: path) + "/" + destination
    }
    throw .writing(asked, errno: ELOOP)
  }

  /// The status of the file that will be replaced, `nil` when there is none; throws when it must not be replaced.
  private static func statusOfReplaced(_ target: String, _ path: String) throws(FileError) -> stat? {
    var status = stat()
    guard stat(target, &status) == 0 else {
      guard errno == ENOENT else { throw .writing(path, errno: errno) }
      guard !target.isEmpty, !target.hasSuffix("/") else { throw .writing(path, errno: EISDIR) }
      return nil
    }
    if let special = FileError.nameOfSpecialFile(mode: status.st_mode) {
      throw FileError(.unwritable, path, "cannot be written: this is \(special)")
    }
    guard access(target, W_OK) == 0 else { throw .writing(path, errno: errno) }
    return status
  }

  private static func partialName(for target: String) -> String {
    let name = fileName(of: target).utf8.prefix(180)
    let random = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    return folderName(of: target) + "/" + String(decoding: name, as: UTF8.self) + ".\(getpid())-\(random).partial"
  }

  /// Removes what killed processes left of writes to `target`.
  private static func sweep(besides target: String) {
    let folder = folderName(of: target)
    let prefix = String(decoding: fileName(of: target).utf8.prefix(180), as: UTF8.self) + "."
    guard let directory = opendir(folder) else { return }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = nameOfEntry(entry)
      guard name.hasPrefix(prefix), name.hasSuffix(".partial") else { continue }
      let middle = name.dropFirst(prefix.count).dropLast(".partial".count).split(separator: "-")
      guard middle.count == 2, let process = pid_t(middle[0]), process > 0 else { continue }
      guard kill(process, 0) != 0, errno == ESRCH else { continue }
      let leftover = folder + "/" + name
      let descriptor = open(leftover, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(leftover) }
      close(descriptor)
    }
  }
}

/// The name of a folder's entry.
func nameOfEntry(_ entry: UnsafeMutablePointer<dirent>) -> String {
  withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}

/// The part of a path before its last name.
func folderName(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last name of a path.
func fileName(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
  return String(path[path.utf8.index(after: slash)...])
}

/// The temporary files of this process, in a table that a signal handler can walk.
private enum PartialFiles {
  typealias Slot = Atomic<UnsafeMutablePointer<CChar>?>
  private static let capacity = 256
  private nonisolated(unsafe) static let slots: UnsafeMutablePointer<Slot> = {
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    for i in 0..<capacity { (slots + i).initialize(to: Slot(nil)) }
    return slots
  }()

  /// Notes a path; `nil` when the table is full, and the file is then cleaned up by its owner alone.
  static func register(_ path: String) -> Int? {
    guard let name = strdup(path) else { return nil }
    for i in 0..<capacity
    where slots[i].compareExchange(expected: nil, desired: name, ordering: .acquiringAndReleasing).exchanged {
      return i
    }
    free(name)
    return nil
  }

  static func unregister(_ slot: Int?) {
    // Whoever takes the pointer out of its slot owns it.
    guard let slot, let name = slots[slot].exchange(nil, ordering: .acquiringAndReleasing) else { return }
    free(name)
  }

  static func removeAll() {
    for i in 0..<capacity {
      // The name is not freed: the process ends, and a signal handler must not.
      if let name = slots[i].exchange(nil, ordering: .acquiringAndReleasing) { unlink(name) }
    }
  }
}
