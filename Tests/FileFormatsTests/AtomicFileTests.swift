import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct AtomicFileTests {
  let folder = TemporaryFolder()

  private func write(_ text: String, to path: String) throws {
    var file = try AtomicFile(path)
    try file.write(text)
    try file.commit()
  }

  @Test func aFileAppearsWholeOrNotAtAll() throws {
    let path = folder.file("file")
    do {
      var file = try AtomicFile(path)
      try file.write("half")
      #expect(folder.names.count == 1 && folder.names[0].hasPrefix("file.") && folder.names[0].hasSuffix(".partial"))
    }
    #expect(folder.names.isEmpty)
    try write("old", to: path)
    do {
      var file = try AtomicFile(path)
      try file.write("new")
      #expect(readBytes(path) == Array("old".utf8))
    }
    #expect(readBytes(path) == Array("old".utf8) && folder.names == ["file"])
    try write("new", to: path)
    #expect(readBytes(path) == Array("new".utf8) && folder.names == ["file"])
  }

  @Test func bytesMayBeWrittenInAnyOrder() throws {
    let path = folder.file("file")
    var file = try AtomicFile(path)
    try Array("cd".utf8).withUnsafeBytes { try file.write($0, at: 2) }
    try file.write("ab")
    #expect(file.position == 2)
    try file.commit()
    #expect(readBytes(path) == Array("abcd".utf8))
  }

  @Test func linksAndPermissionsStay() throws {
    let path = folder.file("file")
    let link = folder.file("link")
    let chain = folder.file("chain")
    try write("old", to: path)
    chmod(path, 0o640)
    symlink("file", link)
    symlink(link, chain)
    try write("new", to: chain)
    #expect(readBytes(path) == Array("new".utf8))
    var status = stat()
    #expect(lstat(chain, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o640)
    symlink("later", folder.file("dangling"))
    try write("x", to: folder.file("dangling"))
    #expect(readBytes(folder.file("later")) == Array("x".utf8))
    symlink("loop", folder.file("loop"))
    #expect(fileError { try write("x", to: folder.file("loop")) }?.kind == .unwritable)
  }

  @Test func whatIsNoFileIsNeverReplaced() throws {
    mkdir(folder.file("folder"), 0o755)
    mkfifo(folder.file("pipe"), 0o644)
    symlink("/dev/full", folder.file("device"))
    for name in ["folder", "pipe", "device", "folder/", "new/", "missing/file"] {
      #expect(fileError { try write("x", to: folder.file(name)) }?.kind == .unwritable, "\(name)")
    }
    #expect(fileError { try write("x", to: "/dev/full") }?.kind == .unwritable)
    #expect(fileError { try write("x", to: "") }?.kind == .unwritable)
    #expect(folder.names == ["device", "folder", "pipe"])
  }

  @Test func whatIsNoFileIsNeverRead() {
    mkdir(folder.file("folder"), 0o755)
    mkfifo(folder.file("pipe"), 0o644)
    // A reader that waited for a writer of the pipe would never return.
    for path in [folder.file("folder"), folder.file("pipe"), "/dev/zero", "/dev/null"] {
      #expect(fileError { _ = try MappedFile(path) }?.kind == .notRegular, "\(path)")
      #expect(fileError { _ = try readArray(path) }?.kind == .notRegular, "\(path)")
    }
    #expect(fileError { _ = try MappedFile(folder.file("nothing")) }?.kind == .missing)
    #expect(fileError { _ = try MappedFile(folder.file(String(repeating: "x", count: 300))) }?.kind == .missing)
  }

  @Test(.enabled(if: geteuid() != 0, "the administrator may read and write everything"))
  func permissionsAreRespected() throws {
    let path = folder.file("file")
    try write("old", to: path)
    chmod(path, 0)
    #expect(fileError { _ = try MappedFile(path) }?.kind == .unreadable)
    chmod(path, 0o444)
    #expect(fileError { try write("new", to: path) }?.kind == .unwritable)
    chmod(folder.path, 0o555)
    #expect(fileError { try write("new", to: folder.file("other")) }?.kind == .unwritable)
    chmod(folder.path, 0o755)
  }

  @Test func longNamesCanBeWritten() throws {
    let path = folder.file(String(repeating: "é", count: 127))
    try write("x", to: path)
    #expect(readBytes(path) == Array("x".utf8) && folder.names.count == 1)
  }

  @Test func largeAndSmallFilesAreReadAlike() throws {
    for count in [
      0, 1, MappedFile.mappingThreshold - 1, MappedFile.mappingThreshold, MappedFile.mappingThreshold + 4_097,
    ] {
      let path = folder.file("file")
      var generator = TestGenerator(seed: UInt64(count))
      let words = (0..<count / 8 + 1).map { _ in generator.next() }
      let bytes = words.withUnsafeBytes { Array($0.prefix(count)) }
      writeBytes(bytes, to: path)
      let file = try MappedFile(path)
      #expect(file.count == count && file.isMapped == (count >= MappedFile.mappingThreshold))
      #expect(file.bytes.elementsEqual(bytes))
    }
  }

  // MARK: Processes that end early

  private func runChild(_ name: String, shell: String = "") -> Int32 {
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/bin/sh")
    let binary = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    child.arguments = [
      "-c", "\(shell) exec \"$0\" --testing-library swift-testing --filter AtomicFileTests/\(name)", binary,
    ]
    child.environment = ProcessInfo.processInfo.environment.merging(["APUS_TEST_CHILD": folder.path]) { $1 }
    child.standardOutput = FileHandle.nullDevice
    child.standardError = FileHandle.nullDevice
    guard (try? child.run()) != nil else { return -1 }
    child.waitUntilExit()
    return child.terminationStatus
  }

  @Test(.enabled(if: canRunChildren, "needs to start this very test binary"))
  func aKilledWriterLeavesTheOldContents() throws {
    try write("old", to: folder.file("file"))
    #expect(runChild("childIsKilled") == SIGKILL)
    #expect(readBytes(folder.file("file")) == Array("old".utf8))
    #expect(folder.names.filter { $0.hasSuffix(".partial") }.count == 1)
    // The next writer of the same name sweeps; files of living processes and of other names stay.
    let others = ["file.\(getpid())-abc.partial", "file.x-abc.partial", "other.1073741824-abc.partial", "file.partial"]
    for name in others { writeText("", to: folder.file(name)) }
    try write("new", to: folder.file("file"))
    #expect(folder.names == (["file"] + others).sorted())
  }

  @Test(.enabled(if: isChild, "runs inside aKilledWriterLeavesTheOldContents"))
  func childIsKilled() throws {
    let folder = ProcessInfo.processInfo.environment["APUS_TEST_CHILD"] ?? ""
    var file = try AtomicFile(folder + "/file")
    try file.write("half")
    kill(getpid(), SIGKILL)
  }

  @Test(.enabled(if: canRunChildren, "needs to start this very test binary"))
  func aFullDiskIsAnErrorAndLeavesNothing() throws {
    try write("old", to: folder.file("file"))
    // A limit on the size of files (in blocks of 512 bytes) stands for the full disk.
    #expect(runChild("childIsLimited", shell: "trap '' XFSZ; ulimit -f 16;") == 0)
    #expect(readBytes(folder.file("file")) == Array("old".utf8))
    #expect(folder.names == ["file", "seen"])
  }

  @Test(.enabled(if: isChild, "runs inside aFullDiskIsAnErrorAndLeavesNothing"))
  func childIsLimited() throws {
    let folder = ProcessInfo.processInfo.environment["APUS_TEST_CHILD"] ?? ""
    let error = fileError { try writeNPY(Tensor<Double>.zeros([10_000]), to: folder + "/file") }
    #expect(error?.kind == .diskFull)
    let other = fileError { try writeSafetensors([("a", .double(.zeros([10_000])))], to: folder + "/other") }
    #expect(other?.kind == .diskFull)
    if error?.kind == .diskFull, other?.kind == .diskFull { writeText("", to: folder + "/seen") }
  }

  @Test(.enabled(if: canRunChildren, "needs to start this very test binary"))
  func aProcessThatEndsRemovesItsPartialFiles() throws {
    #expect(runChild("childCleansUp") == 7)
    #expect(folder.names.isEmpty)
  }

  @Test(.enabled(if: isChild, "runs inside aProcessThatEndsRemovesItsPartialFiles"))
  func childCleansUp() throws {
    let folder = ProcessInfo.processInfo.environment["APUS_TEST_CHILD"] ?? ""
    let error = fileError { try writeHalfAndCleanUp(folder) }
    if error?.kind == .unwritable { _exit(7) }
  }

  private func writeHalfAndCleanUp(_ folder: String) throws {
    var first = try AtomicFile(folder + "/first")
    var second = try AtomicFile(folder + "/second")
    try first.write("half")
    try second.write("half")
    AtomicFile.removeAllPartials()
    try second.commit()
  }

  @Test(.enabled(if: TinyDisk.isAvailable, "needs the right to mount a file system"))
  func aDiskThatFillsUpIsAnErrorAndLeavesNothing() throws {
    let disk = try #require(TinyDisk(at: folder.file("disk")))
    let path = disk.path + "/file"
    try write("old", to: path)
    let large = AnyTensor.double(.zeros([100_000]))
    #expect(fileError { try writeNPY(large, to: path) }?.kind == .diskFull)
    #expect(fileError { try writeSafetensors([("a", large)], to: path) }?.kind == .diskFull)
    #expect(fileError { try writeNPZ([("a", large)], to: path) }?.kind == .diskFull)
    #expect(fileError { try writeCSV(large, to: path) }?.kind == .diskFull)
    #expect(readBytes(path) == Array("old".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path) == ["file"])
  }
}

private let isChild = ProcessInfo.processInfo.environment["APUS_TEST_CHILD"] != nil

/// Whether this binary can be started again to run a single test: on Linux, built as a plain test bundle.
private let canRunChildren: Bool = {
  let binary = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  return !isChild && binary?.hasSuffix(".xctest") == true
}()

/// A file system of 64 kB in memory.
private final class TinyDisk {
  let path: String

  static let isAvailable: Bool = {
    let folder = TemporaryFolder()
    return !isChild && geteuid() == 0 && TinyDisk(at: folder.file("disk")) != nil
  }()

  init?(at path: String) {
    self.path = path
    mkdir(path, 0o755)
    guard Self.run("/bin/mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]) else { return nil }
  }

  deinit { _ = Self.run("/bin/umount", [path]) }

  private static func run(_ command: String, _ arguments: [String]) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command)
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
