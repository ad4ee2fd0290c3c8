// What must hold of the factors that a checkpoint's metadata announce, whatever is in them.

import FileFormats
import Tensors

enum FactorLaws {
  /// Factors of small numbers, of whole numbers, empty ones, and empty ones whose product would be huge.
  private static let tensors: [(name: String, type: String, shape: [Int], bytes: Int)] = [
    ("l", "F32", [3, 2], 24), ("r", "F32", [2, 4], 32), ("v", "F16", [2], 4), ("b", "BF16", [2, 3], 12),
    ("i", "I8", [2, 2], 4), ("e", "F32", [0, 2], 0), ("t", "F32", [1_099_511_627_776, 0], 0),
    ("w", "F32", [0, 1_099_511_627_776], 0), ("k", "F32", [4_194_304, 0], 0), ("m", "F32", [0, 4_194_304], 0),
  ]

  /// A safetensors file with a few tensors and `text` as the description of its factors; nothing unless it is UTF-8.
  static func file(describing text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let text = String(validating: text, as: UTF8.self) else { return nil }
    var escaped = ""
    for scalar in text.unicodeScalars {
      if scalar.value < 0x20 || scalar == "\"" || scalar == "\\" {
        let digits = String(scalar.value, radix: 16)
        escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        escaped.unicodeScalars.append(scalar)
      }
    }
    var header = "{\"__metadata__\":{\"\(FactoredCheckpoint.factorsKey)\":\"\(escaped)\"}"
    var end = 0
    for (name, type, shape, bytes) in tensors {
      header += ",\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(end),\(end + bytes)]}"
      end += bytes
    }
    header += "}"
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
    return length + Array(header.utf8) + (0..<end).map { UInt8($0 % 64) }
  }

  /// Reads every tensor of the checkpoint. One that is larger than memory may be refused; any other has the shape that
  /// was announced.
  static func check(_ path: String) throws {
    let checkpoint = try FactoredCheckpoint(path)
    for entry in checkpoint.entries {
      do {
        let tensor = try checkpoint.tensor(named: entry.name)
        guard tensor.shape == entry.shape else {
          throw FactorError(description: "\(entry.name) has shape \(tensor.shape), announced \(entry.shape)")
        }
      } catch is FileError {}
    }
  }
}

struct FactorError: Error, CustomStringConvertible {
  var description: String
}
