// The program that libFuzzer drives. Its arguments are libFuzzer's; what to fuzz stands in the environment.

import CLibFuzzer
import FileFormats
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Everything that is fuzzed: the readers of `FuzzedFormat` and the factors in a checkpoint's metadata.
enum FuzzTarget: Sendable {
  case reader(FuzzedFormat)
  case factors

  init?(_ name: String) {
    if name == "factors" {
      self = .factors
    } else if let format = FuzzedFormat(rawValue: name) {
      self = .reader(format)
    } else {
      return nil
    }
  }
}

/// Set once, before the first input. (No global text: the leak checker does not see what a `String` points to.)
private nonisolated(unsafe) var target = FuzzTarget.reader(.npy)
private nonisolated(unsafe) var folder: UnsafePointer<CChar>?

@main enum Fuzz {
  static func main() throws {
    // Not arguments: libFuzzer starts this program anew with its own when it merges.
    guard let name = getenv("APUS_FUZZ_FORMAT"), let chosen = FuzzTarget(String(cString: name)),
      let place = getenv("APUS_FUZZ_FOLDER")
    else {
      let names = FuzzedFormat.allCases.map(\.rawValue) + ["factors"]
      say("APUS_FUZZ_FORMAT must be one of \(names), and APUS_FUZZ_FOLDER an empty folder; `run` sets both")
      exit(2)
    }
    target = chosen
    folder = UnsafePointer(place)
    if case .reader(let format) = chosen { try format.prepare(String(cString: place)) }
    // One thread: what an input does must not depend on the others.
    threadCount = 1

    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    let status = LLVMFuzzerRunDriver(&count, &arguments) { data, count in
      Fuzz.run(UnsafeRawBufferPointer(start: data, count: count))
      return 0
    }
    exit(status)
  }

  /// Reads one input; ends the process when a law is broken.
  static func run(_ input: UnsafeRawBufferPointer) {
    guard let folder = folder.map({ String(cString: $0) }) else { return }
    do {
      switch target {
      case .reader(let format):
        let path = "\(folder)/\(format.fileName)"
        save(input, to: path)
        try format.check(path, scratch: "\(folder)/scratch")
      case .factors:
        guard let file = FactorLaws.file(describing: input) else { return }
        let path = "\(folder)/input.safetensors"
        file.withUnsafeBytes { save($0, to: path) }
        try FactorLaws.check(path)
      }
    } catch let error as FileError {
      if error.reason.isEmpty || error.path.isEmpty { fail("an empty error") }
    } catch {
      fail("\(type(of: error)): \(error)")
    }
  }

  private static func save(_ bytes: UnsafeRawBufferPointer, to path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    let isWritten = descriptor >= 0 && write(descriptor, bytes.baseAddress, bytes.count) == bytes.count
    close(descriptor)
    if !isWritten { fail("\(path) cannot be written") }
  }

  private static func fail(_ message: String) -> Never {
    say("BROKEN LAW: \(message)")
    abort()
  }

  private static func say(_ message: String) {
    let line = Array((message + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
  }
}

/// libFuzzer's own mutations, followed as often as not by the repair of lengths and checksums: without it nearly every
/// mutation would end at the first check.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: UInt32) -> Int {
  let count = LLVMFuzzerMutate(data, count, capacity)
  guard seed % 2 == 0 else { return count }
  let bytes = UnsafeMutableRawBufferPointer(start: data, count: count)
  switch target {
  case .reader(.npy): Repair.npy(bytes)
  case .reader(.npz): Repair.npz(bytes)
  case .reader(.safetensors): Repair.safetensors(bytes)
  default: break
  }
  return count
}
