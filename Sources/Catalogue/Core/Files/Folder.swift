import FileFormats
import Foundation
import Synchronization

/// Folders that results go to.
enum Folder {
  static func exists(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// Throws unless files can be written to the folder, or it can be made.
  static func requireWritable(_ path: String) throws {
    var ancestor = path
    while true {
      if FileManager.default.fileExists(atPath: ancestor) {
        guard exists(ancestor) else {
          throw FileError(.unwritable, path, "cannot be written: '\(ancestor)' exists and is not a folder")
        }
        guard access(ancestor, W_OK | X_OK) == 0 else {
          throw FileError(.unwritable, path, "cannot be written: no permission to write to '\(ancestor)'")
        }
        return
      }
      let parent = (ancestor as NSString).deletingLastPathComponent
      ancestor = parent.isEmpty ? "." : parent
    }
  }

  /// Makes the folder and those it lies in.
  static func make(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileError(.unwritable, path, "cannot be written: the folder cannot be made")
    }
  }
}

/// Folders that exist while something is being written, and must not stay behind.
public enum ScratchFolder {
  private static let inUse = Mutex<Set<String>>([])

  /// Makes a folder, passes it to `body`, and removes what is left of it.
  static func with<Result>(_ path: String, _ body: (String) throws -> Result) throws -> Result {
    try Folder.make(path)
    inUse.withLock { _ = $0.insert(path) }
    defer {
      try? FileManager.default.removeItem(atPath: path)
      inUse.withLock { _ = $0.remove(path) }
    }
    return try body(path)
  }

  /// Removes all of them; for a process that is about to end.
  public static func removeAll() {
    for path in inUse.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
  }
}
