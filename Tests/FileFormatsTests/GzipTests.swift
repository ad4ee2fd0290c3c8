import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct GzipTests {
  private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Data/diabetes_targets.csv.gz")

  private func contents(_ bytes: [UInt8]) throws -> [UInt8] {
    try bytes.withUnsafeBytes { try gunzipped($0, name: "file.gz") }
  }

  /// With the fields that a header may have beside the ones it must.
  @Test func headersOfEveryKind() throws {
    let plain = Array(try Data(contentsOf: Self.file))
    let wanted = try contents(plain)
    #expect(wanted.count > 1_000)
    let start = 10 + (plain[3] & 8 == 0 ? 0 : (plain[10...].firstIndex(of: 0) ?? 10) - 9)
    let fields: [UInt8: [UInt8]] = [4: [3, 0, 1, 2, 3], 8: [65, 66, 0], 16: [67, 0], 2: [9, 9]]
    for flags in 0..<16 as Range<UInt8> {
      let bits = [4, 8, 16, 2].enumerated().filter { flags >> UInt8($0.offset) & 1 == 1 }.map { UInt8($0.element) }
      var bytes = Array(plain[..<10])
      bytes[3] = bits.reduce(0, |)
      for bit in bits { bytes += fields[bit] ?? [] }
      bytes += plain[start...]
      #expect(try contents(bytes) == wanted, "fields \(bits)")
    }
  }

  @Test(arguments: 0..<4) func damageIsNoticed(seed: UInt64) throws {
    let whole = Array(try Data(contentsOf: Self.file))
    var generator = TestGenerator(seed: seed)
    var refused = 0
    for round in 0..<300 {
      // The beginning and the end say how to read what is between them.
      var bytes = whole
      switch round % 3 {
      case 0: bytes = damaged(whole, using: &generator)
      case 1: bytes.replaceSubrange(..<20, with: damaged(Array(whole.prefix(20)), using: &generator))
      default: bytes.replaceSubrange((whole.count - 12)..., with: damaged(Array(whole.suffix(12)), using: &generator))
      }
      do {
        _ = try contents(bytes)
      } catch is FileError {
        refused += 1
      }
    }
    #expect(refused > 200)
    for count in 0..<20 { #expect(throws: FileError.self) { try contents(Array(whole.prefix(count))) } }
  }
}
