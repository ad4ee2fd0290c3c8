// Files compressed by gzip, in memory. Source: RFC 1952.

/// The contents of a gzip file with one member, checked against its checksum.
///
/// - Parameters:
///   - bytes: the whole file.
///   - name: what errors call it.
/// - Throws: `FileError` when the bytes are damaged.
package func gunzipped(_ bytes: UnsafeRawBufferPointer, name: String) throws -> [UInt8] {
  let headerCount = 10
  let trailerCount = 8
  guard bytes.count >= headerCount + trailerCount, bytes.starts(with: [0x1F, 0x8B, 8]) else {
    throw FileError(.foreign, name, "this is not a gzip file")
  }
  let flags = bytes[3]
  var start = headerCount
  // An extra field, a name, a comment and a checksum of the header may follow, in this order.
  if flags & 4 != 0 { start += 2 + Int(bytes.loadUnaligned(fromByteOffset: start, as: UInt16.self).littleEndian) }
  for flag in [8, 16] as [UInt8] where flags & flag != 0 {
    while start < bytes.count, bytes[start] != 0 { start += 1 }
    start += 1
  }
  if flags & 2 != 0 { start += 2 }
  let end = bytes.count - trailerCount
  guard start <= end else { throw FileError(.truncated, name, "the file ends in its header") }
  let expectedSum = bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self).littleEndian
  let count = Int(bytes.loadUnaligned(fromByteOffset: end + 4, as: UInt32.self).littleEndian)
  // Deflate shrinks by a factor of 1,032 at most; a larger size is a lie.
  guard count <= 1_032 * bytes.count else { throw FileError(.malformed, name, "the size in the trailer cannot be") }

  let inflater = try Inflater(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), path: name)
  var contents = [UInt8](repeating: 0, count: count)
  let isWhole = try contents.withUnsafeMutableBytes { buffer in
    var sum = Checksum()
    let done = try inflater.inflate(into: buffer)
    sum.add(UnsafeRawBufferPointer(buffer))
    return done == count && inflater.isAtEnd && sum.value == expectedSum
  }
  guard isWhole else { throw FileError(.malformed, name, "the contents do not have the checksum they should") }
  return contents
}
