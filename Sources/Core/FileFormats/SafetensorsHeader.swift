// The header of a safetensors file: what is in it, and whether to believe it.

/// A tensor in a file.
public struct StoredTensor: Sendable, Hashable {
  public var name: String
  public var type: StoredType
  public var shape: [Int]
  /// Where its bytes lie, from the beginning of the file.
  public var byteRange: Range<Int>

  public var count: Int { shape.reduce(1, *) }
  public var byteCount: Int { byteRange.count }
}

/// The parsed header of a safetensors file.
///
/// The format: the header's length as a little-endian 64-bit number, a JSON object, the numbers. The object maps each
/// name to a type, a shape and a range of bytes; the ranges must follow one another without gap or overlap, and end where
/// the file ends. `__metadata__` maps text to text.
struct SafetensorsHeader {
  /// As in the reference implementation: no checkpoint needs more.
  static let maximumLength = 100_000_000
  static let metadataKey = "__metadata__"

  var entries: [StoredTensor] = []
  var metadata: [String: String] = [:]

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(FileError) {
    func malformed(_ reason: String) -> FileError {
      FileError(.malformed, path, "not a valid safetensors file: \(reason)")
    }
    guard bytes.count > 0 else { throw FileError(.empty, path, "the file is empty, a safetensors file was expected") }
    guard bytes.count >= 8 else {
      throw FileError(.truncated, path, "the file has \(bytes.count) bytes, too few for a safetensors file")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= Self.maximumLength else {
      throw FileError(.foreign, path, "this is not a safetensors file: its header would have \(length) bytes")
    }
    let bufferStart = 8 + Int(length)
    guard bufferStart <= bytes.count else {
      throw FileError(
        .truncated, path, "the header has \(length) bytes by its own account, but the file only \(bytes.count) in all")
    }
    guard length > 0, bytes[8] == UInt8(ascii: "{") else {
      throw FileError(.foreign, path, "this is not a safetensors file: it has no header")
    }

    let header: JSON
    do throws(JSON.SyntaxError) {
      header = try JSON(parsing: UnsafeRawBufferPointer(rebasing: bytes[8..<bufferStart]))
    } catch {
      throw malformed("\(error.reason) (byte \(8 + error.position))")
    }
    for member in header.members ?? [] {
      if member.key == Self.metadataKey {
        metadata = try Self.metadata(member.value, malformed)
      } else {
        entries.append(try Self.entry(member, bufferStart, bytes.count, malformed))
      }
    }
    // Empty tensors share their place with the next one, and come before it.
    entries.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    var end = bufferStart
    for entry in entries {
      guard entry.byteRange.lowerBound == end else {
        let trouble = entry.byteRange.lowerBound < end ? "overlaps the one before it" : "leaves a gap before it"
        throw malformed("the tensor \(quoted(entry.name)) \(trouble)")
      }
      end = entry.byteRange.upperBound
    }
    guard end == bytes.count else {
      throw malformed("\(bytes.count - end) bytes after the last tensor belong to none")
    }
  }

  private static func metadata(
    _ value: JSON, _ malformed: (String) -> FileError
  ) throws(FileError) -> [String: String] {
    guard let members = value.members else { throw malformed("the metadata are not a JSON object") }
    var metadata: [String: String] = [:]
    for member in members {
      guard let text = member.value.string else {
        throw malformed("the value of \(quoted(member.key)) in the metadata is not a text")
      }
      metadata[member.key] = text
    }
    return metadata
  }

  private static func entry(
    _ member: JSON.Member, _ bufferStart: Int, _ fileCount: Int, _ malformed: (String) -> FileError
  ) throws(FileError) -> StoredTensor {
    let name = quoted(member.key)
    guard let fields = member.value.members, fields.count == 3, let typeName = member.value["dtype"]?.string,
      let extents = member.value["shape"]?.array, let offsets = member.value["data_offsets"]?.array
    else { throw malformed("the tensor \(name) has no dtype, shape and data_offsets") }
    guard let type = StoredType(rawValue: typeName) else {
      throw malformed("the tensor \(name) has the unknown type \(quoted(typeName))")
    }
    var shape: [Int] = []
    for extent in extents {
      guard let extent = extent.integer, extent >= 0 else {
        throw malformed("the shape of \(name) is not of whole numbers")
      }
      shape.append(extent)
    }
    guard offsets.count == 2, let start = offsets[0].integer, let end = offsets[1].integer, 0 <= start, start <= end
    else {
      throw malformed("the data_offsets of \(name) are not a beginning and an end")
    }
    guard end <= fileCount - bufferStart else {
      throw malformed(
        "the tensor \(name) ends at byte \(end), but there are only \(fileCount - bufferStart): the file is cut off")
    }
    guard let wanted = type.byteCount(of: shape) else {
      throw malformed("the tensor \(name) of shape \(shape) is larger than memory can hold, or not of whole bytes")
    }
    guard end - start == wanted else {
      throw malformed(
        "the tensor \(name) of shape \(shape) and type \(type) takes \(wanted) bytes, but has \(end - start)")
    }
    return StoredTensor(name: member.key, type: type, shape: shape, byteRange: bufferStart + start..<bufferStart + end)
  }
}
