import FileFormats
import Tensors
import TestSupport
import Testing

/// Files that were damaged by chance: each is read, or refused with a `FileError`, and never anything else.
@Suite struct HostileFilesTests {
  let folder = TemporaryFolder()

  enum Format: String, CaseIterable, Sendable { case npy, npz, deflated, safetensors, index, csv, mtx }

  private func originals(_ format: Format) throws -> [[UInt8]] {
    func bytes(_ ending: String, _ write: (String) throws -> Void) rethrows -> [UInt8] {
      let path = folder.file("original.\(ending)")
      try write(path)
      return readBytes(path)
    }
    let array = pattern(.float32, [3, 4])
    return switch format {
    case .npy:
      [try bytes("npy") { try writeNPY(array, to: $0) }]
        + ["fortran", "big_endian", "half", "scalar", "empty", "version2", "records"].map {
          readBytes(fixture("\($0).npy"))
        }
    case .npz:
      [readBytes(fixture("types.npz")), try bytes("npz") { try writeNPZ([("a", array), ("b", array)], to: $0) }]
    case .deflated:
      [
        readBytes(fixture("types_deflated.npz")),
        try bytes("npz") { try writeNPZ([("a", array), ("z", .double(.zeros([5_000])))], to: $0, compressing: true) },
      ]
    case .safetensors:
      [
        readBytes(fixture("types.safetensors")),
        try bytes("safetensors") {
          try writeSafetensors([("a", array), ("b", pattern(.int8, [5])), ("c", array)], to: $0, metadata: ["k": "v"])
        },
      ]
    case .index:
      [
        Array(
          "{\"metadata\":{\"total_size\":16},\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}".utf8
        )
      ]
    case .csv:
      [
        Array("x,\"y\",z\n1,2.5,-3e-4\n\"4\",nan,inf # c\n\n7,8,9\r\n".utf8),
        Array("1 2 3\n4 5 6\n".utf8), Array("1;2\n3;0.30000000000000004\n".utf8), readBytes(fixture("savetxt.txt")),
      ]
    case .mtx: ["symmetric", "array"].map { readBytes(fixture("\($0).mtx")) }
    }
  }

  private func readAll(_ format: Format, _ path: String) throws {
    switch format {
    case .npy: consume(try readNPY(path))
    case .npz, .deflated:
      let archive = try NumPyArchive(path)
      for name in archive.names {
        // One damaged member does not spoil the others.
        do throws(FileError) { consume(try archive.array(named: name)) } catch { continue }
      }
    case .safetensors:
      let file = try SafetensorsFile(path)
      for entry in file.entries {
        do throws(FileError) { consume(try file.tensor(named: entry.name)) } catch { continue }
      }
    case .index: _ = try Checkpoint(path)
    case .csv: consume(.double(try readCSV(path).values))
    case .mtx:
      let matrix = try readMatrixMarket(path)
      consume(.double(matrix.values))
      do { consume(.double(try matrix.dense(maximumBytes: 1 << 20))) } catch is InvalidArgument {}
    }
  }

  /// Touches every element.
  private func consume(_ tensor: AnyTensor) {
    let sum = tensor.asDouble().sum().scalar
    #expect(sum.isNaN || sum.isInfinite || sum.magnitude >= 0)
  }

  @Test(arguments: Format.allCases, 0..<4 as Range<UInt64>)
  func damagedFilesNeverCrash(format: Format, seed: UInt64) throws {
    var mutator = Mutator(generator: TestGenerator(seed: seed))
    let originals = try originals(format)
    try writeSafetensors([("a", .float(Tensor([1])))], to: folder.file("m-1.safetensors"))
    try writeSafetensors([("b", .float(Tensor([1])))], to: folder.file("m-2.safetensors"))
    let path = folder.file(format == .index ? "damaged.json" : "damaged")
    var refused = 0
    var read = 0
    for round in 0..<500 {
      let bytes = mutator.mutate(originals[round % originals.count])
      writeBytes(bytes, to: path)
      do {
        try readAll(format, path)
        read += 1
      } catch let error as FileError {
        refused += 1
        #expect(!error.reason.isEmpty && error.path.hasPrefix(folder.path))
      } catch {
        Issue.record("round \(round): \(error) instead of a FileError")
      }
    }
    // The damage must be such that both happen, or the test shows nothing.
    #expect(refused >= 50 && read >= 1, "\(refused) refused, \(read) read")
  }
}

/// Damages files the way that finds mistakes in readers.
private struct Mutator {
  var generator: TestGenerator

  private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(bound, 1), using: &generator) }

  mutating func mutate(_ original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...below(3) {
      guard !bytes.isEmpty else { break }
      switch below(8) {
      case 0: bytes[below(bytes.count)] ^= 1 << UInt8(below(8))
      case 1: bytes[below(bytes.count)] = UInt8(below(256))
      case 2: bytes.removeSubrange(below(bytes.count)...)
      case 3:
        let start = below(bytes.count)
        let count = min(below(16), bytes.count - start)
        bytes.removeSubrange(start..<start + count)
      case 4:
        let start = below(bytes.count)
        let count = min(below(40), bytes.count - start)
        bytes.insert(contentsOf: Array(bytes[start..<start + count]), at: below(bytes.count))
      case 5: bytes.insert(contentsOf: generator.bytes(below(12)), at: below(bytes.count))
      case 6: setField(&bytes)
      default: replaceNumber(&bytes)
      }
    }
    return bytes
  }

  /// An extreme value where a length or an offset may stand.
  private mutating func setField(_ bytes: inout [UInt8]) {
    let extremes: [UInt64] = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 1 << 31, 0xFFFF_FFFF, 1 << 60, 1 << 63, .max, .max - 7]
    let width = [1, 2, 4, 8][below(4)]
    guard bytes.count > width else { return }
    // Headers stand at either end.
    let reach = min(160, bytes.count - width)
    let start = [below(reach), bytes.count - width - below(reach), below(bytes.count - width)][below(3)]
    withUnsafeBytes(of: extremes[below(extremes.count)].littleEndian) {
      bytes.replaceSubrange(start..<start + width, with: $0.prefix(width))
    }
  }

  /// Another number, often a huge one, in place of one written in digits.
  private mutating func replaceNumber(_ bytes: inout [UInt8]) {
    let numbers = [
      "0", "1", "-1", "4294967296", "1152921504606846976", "9223372036854775807", "9223372036854775808",
      "99999999999999999999999", "1e400", "1e-400", "nan", "", "1.5",
    ]
    let isDigit = { (byte: UInt8) in byte >= 48 && byte < 58 }
    let starts = bytes.indices.filter { isDigit(bytes[$0]) && ($0 == 0 || !isDigit(bytes[$0 - 1])) }
    guard !starts.isEmpty else { return }
    let start = starts[below(starts.count)]
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
    bytes.replaceSubrange(start..<end, with: Array(numbers[below(numbers.count)].utf8))
  }
}
