// The directory of a ZIP archive, believed only as far as it can be checked.

/// The members of a ZIP archive, with ZIP64 sizes, stored or deflated, in one file.
struct ZipArchive {
  struct Member {
    var name: String
    var isDeflated: Bool
    var checksum: UInt32
    /// The bytes after inflation.
    var size: Int
    /// Where the member begins, with its local header.
    var headerOffset: Int
    /// Where its bytes lie as they are in the archive.
    var byteRange: Range<Int>
  }

  let members: [Member]

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(FileError) {
    let reader = ZipReader(bytes: bytes, path: path)
    members = try reader.members()
  }
}

private struct ZipReader {
  let bytes: UnsafeRawBufferPointer
  let path: String

  /// Deflate cannot shrink by more than this.
  static let largestRatio = 1_032

  private func malformed(_ reason: String) -> FileError {
    FileError(.malformed, path, "not a valid archive of NumPy arrays: \(reason)")
  }

  /// A little-endian number at `offset`; throws past the end of the file.
  private func number<Word: FixedWidthInteger & UnsignedInteger>(
    _: Word.Type, at offset: Int
  ) throws(FileError) -> Word {
    guard offset >= 0, offset <= bytes.count - MemoryLayout<Word>.size else {
      throw FileError(.truncated, path, "the archive ends within its directory: the file is cut off")
    }
    return Word(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Word.self))
  }

  private func short(_ offset: Int) throws(FileError) -> Int { Int(try number(UInt16.self, at: offset)) }
  private func word(_ offset: Int) throws(FileError) -> UInt32 { try number(UInt32.self, at: offset) }
  private func long(_ offset: Int) throws(FileError) -> Int {
    guard let value = Int(exactly: try number(UInt64.self, at: offset)), value < 1 << 62 else {
      throw malformed("a size or an offset is larger than any file")
    }
    return value
  }

  private struct Directory {
    var count: Int
    var byteRange: Range<Int>
  }

  /// The central directory, found from the record at the end of the file.
  private func directory() throws(FileError) -> Directory {
    guard bytes.count >= 22 else { throw FileError(.truncated, path, "the archive is cut off: it has no directory") }
    // A comment of up to 65,535 bytes may follow the record; it must then reach to the end exactly.
    var end = bytes.count - 22
    let lowest = max(0, end - 65_535)
    while try !isEndRecord(at: end) {
      guard end > lowest else { throw FileError(.truncated, path, "the archive has no directory: the file is cut off") }
      end -= 1
    }
    var count = try short(end + 10)
    var size = Int(try word(end + 12))
    var offset = Int(try word(end + 16))
    var limit = end
    if end >= 20, try word(end - 20) == 0x0706_4B50 {
      let record = try long(end - 12)
      guard record <= end - 20 - 56, try word(record) == 0x0606_4B50 else {
        throw malformed("its 64-bit directory record is not where it should be")
      }
      (count, size, offset, limit) = (try long(record + 32), try long(record + 40), try long(record + 48), record)
    }
    guard offset <= limit, size <= limit - offset, count <= size / 46 else {
      throw malformed("its directory of \(count) members does not fit before its end")
    }
    return Directory(count: count, byteRange: offset..<offset + size)
  }

  private func isEndRecord(at offset: Int) throws(FileError) -> Bool {
    guard try word(offset) == 0x0605_4B50 else { return false }
    return offset + 22 + (try short(offset + 20)) == bytes.count
  }

  func members() throws(FileError) -> [ZipArchive.Member] {
    let directory = try directory()
    var members: [ZipArchive.Member] = []
    var names: Set<String> = []
    var position = directory.byteRange.lowerBound
    for _ in 0..<directory.count {
      let (member, length) = try member(at: position, limit: directory.byteRange.lowerBound)
      guard names.insert(member.name).inserted else { throw malformed("the name \(quoted(member.name)) occurs twice") }
      members.append(member)
      position += length
      guard position <= directory.byteRange.upperBound else { throw malformed("its directory is longer than it says") }
    }
    guard position == directory.byteRange.upperBound else { throw malformed("its directory is shorter than it says") }
    // Members that share bytes are how a small archive pretends to be a huge one.
    var end = 0
    for member in members.sorted(by: { $0.headerOffset < $1.headerOffset }) {
      guard member.headerOffset >= end else { throw malformed("the member \(quoted(member.name)) overlaps another") }
      end = member.byteRange.upperBound
    }
    return members
  }

  /// The member whose directory entry begins at `entry`, and the length of that entry.
  private func member(at entry: Int, limit: Int) throws(FileError) -> (ZipArchive.Member, length: Int) {
    guard try word(entry) == 0x0201_4B50 else {
      throw malformed("an entry of its directory does not begin as it should")
    }
    let nameLength = try short(entry + 28)
    let extraLength = try short(entry + 30)
    let commentLength = try short(entry + 32)
    let nameStart = entry + 46
    let extraStart = nameStart + nameLength
    guard extraStart + extraLength + commentLength <= bytes.count else {
      throw FileError(.truncated, path, "the archive ends within its directory: the file is cut off")
    }
    guard let name = String(validating: bytes[nameStart..<extraStart], as: UTF8.self), !name.isEmpty else {
      throw malformed("the name of a member is not valid UTF-8")
    }
    guard try short(entry + 8) & 1 == 0 else {
      throw FileError(.unsupported, path, "the member \(quoted(name)) is encrypted")
    }
    let method = try short(entry + 10)
    guard method == 0 || method == 8 else {
      throw FileError(
        .unsupported, path, "the member \(quoted(name)) is compressed by method \(method), only deflate can be read")
    }

    var sizes = [Int(try word(entry + 24)), Int(try word(entry + 20)), Int(try word(entry + 42))]
    try replaceSaturated(&sizes, inExtra: extraStart..<extraStart + extraLength, of: name)
    let (size, compressedSize, headerOffset) = (sizes[0], sizes[1], sizes[2])
    let isSane = method == 8 ? size / Self.largestRatio <= compressedSize : size == compressedSize
    guard isSane else {
      throw malformed("the member \(quoted(name)) cannot hold \(size) bytes in \(compressedSize)")
    }
    guard headerOffset <= limit - 30, try word(headerOffset) == 0x0403_4B50 else {
      throw malformed("the member \(quoted(name)) is not where the directory says")
    }
    let start = headerOffset + 30 + (try short(headerOffset + 26)) + (try short(headerOffset + 28))
    guard start <= limit, compressedSize <= limit - start else {
      throw malformed("the member \(quoted(name)) reaches beyond the directory")
    }
    let member = ZipArchive.Member(
      name: name, isDeflated: method == 8, checksum: try word(entry + 16), size: size, headerOffset: headerOffset,
      byteRange: start..<start + compressedSize)
    return (member, 46 + nameLength + extraLength + commentLength)
  }

  /// Replaces sizes that do not fit 32 bits by those in the ZIP64 field, which holds only these, in this order.
  private func replaceSaturated(_ sizes: inout [Int], inExtra extra: Range<Int>, of name: String) throws(FileError) {
    guard sizes.contains(0xFFFF_FFFF) else { return }
    var field = extra.lowerBound
    while field + 4 <= extra.upperBound {
      let identifier = try short(field)
      let end = field + 4 + (try short(field + 2))
      guard end <= extra.upperBound else { break }
      if identifier == 1 {
        var position = field + 4
        for i in sizes.indices where sizes[i] == 0xFFFF_FFFF {
          guard position + 8 <= end else { throw malformed("the 64-bit sizes of \(quoted(name)) are not all there") }
          sizes[i] = try long(position)
          position += 8
        }
        return
      }
      field = end
    }
  }
}

/// Writes ZIP archives, member by member, with 64-bit sizes throughout: one way for archives of any size.
struct ZipWriter: ~Copyable {
  private struct Entry {
    var name: [UInt8]
    var isDeflated: Bool
    var checksum: UInt32
    var size: Int
    var compressedSize: Int
    var offset: Int
  }

  private var file: AtomicFile
  private var entries: [Entry] = []

  init(_ path: String) throws(FileError) { file = try AtomicFile(path) }

  /// Adds a member whose bytes `body` hands over in pieces.
  mutating func add(
    _ name: String, deflated: Bool, _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    let name = Array(name.utf8)
    let offset = file.position
    var entry = Entry(name: name, isDeflated: deflated, checksum: 0, size: 0, compressedSize: 0, offset: offset)
    // The header holds the checksum and comes first: its place is left empty until they are known.
    try [UInt8](repeating: 0, count: localHeader(entry).count).withUnsafeBytes { try file.write($0) }
    let start = file.position
    var checksum = Checksum()
    if deflated {
      let deflater = try Deflater(path: file.path)
      try body { bytes in
        checksum.add(bytes)
        entry.size += bytes.count
        try deflater.add(bytes) { try file.write($0) }
      }
      try deflater.finish { try file.write($0) }
    } else {
      try body { bytes in
        checksum.add(bytes)
        entry.size += bytes.count
        try file.write(bytes)
      }
    }
    entry.checksum = checksum.value
    entry.compressedSize = file.position - start
    try localHeader(entry).withUnsafeBytes { try file.write($0, at: offset) }
    entries.append(entry)
  }

  consuming func finish() throws {
    let start = file.position
    for entry in entries { try directoryEntry(entry).withUnsafeBytes { try file.write($0) } }
    let record = file.position
    let size = record - start
    let count = entries.count
    var end: [UInt8] = []
    end.append(0x0606_4B50 as UInt32, 44 as UInt64, 45 as UInt16, 45 as UInt16, 0 as UInt32, 0 as UInt32)
    end.append(UInt64(count), UInt64(count), UInt64(size), UInt64(start))
    end.append(0x0706_4B50 as UInt32, 0 as UInt32, UInt64(record), 1 as UInt32)
    end.append(0x0605_4B50 as UInt32, 0 as UInt16, 0 as UInt16)
    end.append(UInt16(clamping: count), UInt16(clamping: count), UInt32(clamping: size), UInt32(clamping: start))
    end.append(0 as UInt16)
    try end.withUnsafeBytes { try file.write($0) }
    try file.commit()
  }

  private func localHeader(_ entry: Entry) -> [UInt8] {
    var header: [UInt8] = []
    header.append(0x0403_4B50 as UInt32)
    appendCommon(entry, to: &header)
    header.append(UInt16(entry.name.count), 20 as UInt16)
    header += entry.name
    header.append(1 as UInt16, 16 as UInt16, UInt64(entry.size), UInt64(entry.compressedSize))
    return header
  }

  private func directoryEntry(_ entry: Entry) -> [UInt8] {
    var header: [UInt8] = []
    // Made on a Unix system, for the permissions below.
    header.append(0x0201_4B50 as UInt32, 45 | 3 << 8 as UInt16)
    appendCommon(entry, to: &header)
    header.append(UInt16(entry.name.count), 28 as UInt16, 0 as UInt16, 0 as UInt16, 0 as UInt16)
    header.append(0o100644 << 16 as UInt32, UInt32.max)
    header += entry.name
    header.append(
      1 as UInt16, 24 as UInt16, UInt64(entry.size), UInt64(entry.compressedSize), UInt64(entry.offset))
    return header
  }

  /// What both headers say: version, UTF-8 names, method, 1 January 1980, checksum, and that sizes are in the 64-bit field.
  private func appendCommon(_ entry: Entry, to header: inout [UInt8]) {
    header.append(45 as UInt16, 0x0800 as UInt16, (entry.isDeflated ? 8 : 0) as UInt16, 0 as UInt16, 0x0021 as UInt16)
    header.append(entry.checksum, UInt32.max, UInt32.max)
  }
}

extension [UInt8] {
  /// Appends numbers in little-endian order.
  fileprivate mutating func append<each Word: FixedWidthInteger>(_ words: repeat each Word) {
    for word in repeat each words {
      Swift.withUnsafeBytes(of: word.littleEndian) { append(contentsOf: $0) }
    }
  }
}
