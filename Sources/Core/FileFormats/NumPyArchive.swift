// Archives of NumPy arrays, `.npz`.

import Tensors

/// An open `.npz` archive. Its arrays are read when they are asked for.
///
/// ```swift
/// let archive = try NumPyArchive("batch.npz")
/// let images = try archive.array(named: "images").asFloat()
/// ```
public struct NumPyArchive: Sendable {
  public let path: String
  /// The names of the arrays, without `.npy`, in the order of the archive.
  public let names: [String]
  private let file: MappedFile
  private let members: [String: ZipArchive.Member]

  /// Opens `path` and checks the archive's directory.
  ///
  /// - Throws: `FileError` when the file cannot be read or breaks a rule of the format.
  public init(_ path: String) throws(FileError) {
    file = try MappedFile(path)
    guard file.count > 0 else { throw FileError(.empty, path, "the file is empty, an archive was expected") }
    guard isZip(file.bytes) else {
      throw FileError(.foreign, path, "this is not an archive of NumPy arrays: the first bytes are others")
    }
    var names: [String] = []
    var members: [String: ZipArchive.Member] = [:]
    for member in try ZipArchive(file.bytes, path: path).members where !member.name.hasSuffix("/") {
      guard !member.name.hasSuffix("data.pkl") else {
        throw FileError(.foreign, path, "this is a pickled PyTorch checkpoint, save it as safetensors first")
      }
      let name = member.name.hasSuffix(".npy") ? String(member.name.dropLast(4)) : member.name
      guard members.updateValue(member, forKey: name) == nil else {
        throw FileError(.malformed, path, "the archive has two arrays named \(quoted(name))")
      }
      names.append(name)
    }
    self.path = path
    self.names = names
    self.members = members
  }

  /// Reads an array, inflates it where it is deflated, and checks its checksum.
  ///
  /// - Throws: `FileError` when there is no such array, it is damaged, or it is not of numbers.
  public func array(named name: String) throws(FileError) -> AnyTensor {
    guard let member = members[name] else { throw .noTensor(named: name, path, among: names) }
    let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[member.byteRange])
    let place = "\(path)#\(name)"
    return try member.isDeflated ? inflated(member, bytes, place) : stored(member, bytes, place)
  }

  private func stored(
    _ member: ZipArchive.Member, _ bytes: UnsafeRawBufferPointer, _ place: String
  ) throws(FileError) -> AnyTensor {
    let header = try Self.header(bytes, of: member, place)
    var checksum = Checksum()
    checksum.add(bytes)
    try Self.check(checksum, member, place)
    return try header.tensor(reading: UnsafeRawBufferPointer(rebasing: bytes[header.length...]), owner: file, place)
  }

  private func inflated(
    _ member: ZipArchive.Member, _ bytes: UnsafeRawBufferPointer, _ place: String
  ) throws(FileError) -> AnyTensor {
    let inflater = try Inflater(bytes, path: place)
    // The header says how large the array is: until it agrees with the directory, no memory is taken for it.
    let front = OwnedBytes(count: min(member.size, 1 << 17))
    let frontCount = try inflater.inflate(into: front.bytes)
    guard frontCount == front.bytes.count else {
      throw FileError(.truncated, place, "compressed numbers end too early")
    }
    let header = try Self.header(UnsafeRawBufferPointer(front.bytes), of: member, place)
    try requireMemory(header.byteCount, place, "an array of shape \(header.shape)")

    let numbers = OwnedBytes(count: header.byteCount)
    let early = UnsafeRawBufferPointer(rebasing: front.bytes[header.length...])
    numbers.bytes.copyMemory(from: early)
    let late = UnsafeMutableRawBufferPointer(rebasing: numbers.bytes[early.count...])
    let lateCount = try inflater.inflate(into: late)
    guard lateCount == late.count, inflater.isAtEnd, inflater.isExhausted else {
      throw FileError(.malformed, place, "compressed numbers are more or fewer than announced")
    }
    var checksum = Checksum()
    checksum.add(UnsafeRawBufferPointer(front.bytes))
    checksum.add(UnsafeRawBufferPointer(late))
    try Self.check(checksum, member, place)
    return try header.tensor(reading: UnsafeRawBufferPointer(numbers.bytes), owner: numbers, place)
  }

  private static func header(
    _ bytes: UnsafeRawBufferPointer, of member: ZipArchive.Member, _ place: String
  ) throws(FileError) -> NumPyHeader {
    let header = try NumPyHeader(bytes, path: place)
    guard header.byteCount == member.size - header.length else {
      throw FileError(
        .malformed, place,
        "shape \(header.shape) of \(header.type) takes \(header.byteCount) bytes, but there are \(member.size - header.length)"
      )
    }
    return header
  }

  private static func check(_ checksum: Checksum, _ member: ZipArchive.Member, _ place: String) throws(FileError) {
    guard checksum.value == member.checksum else {
      throw FileError(.malformed, place, "the checksum does not agree: the numbers are damaged")
    }
  }
}

/// Whether bytes begin as a ZIP archive does, an empty one included.
func isZip(_ bytes: UnsafeRawBufferPointer) -> Bool {
  bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) || bytes.starts(with: [0x50, 0x4B, 0x05, 0x06])
    || bytes.starts(with: [0x50, 0x4B, 0x06, 0x06])
}

/// Writes arrays to a `.npz` archive.
///
/// - Parameter compressing: deflates the numbers, as `savez_compressed` does: smaller, and about fifty times slower.
/// - Throws: `FileError` when the disk refuses; `InvalidArgument` for an empty name or one that occurs twice.
public func writeNPZ(_ arrays: [(name: String, array: AnyTensor)], to path: String, compressing: Bool = false) throws {
  var names: Set<String> = []
  for (name, _) in arrays {
    guard !name.isEmpty, name.utf8.count < 60_000, names.insert(name).inserted else {
      throw InvalidArgument("name", found: quoted(name), wanted: "names that differ and are neither empty nor huge")
    }
  }
  var archive = try ZipWriter(path)
  for (name, array) in arrays {
    let header = try NumPyHeader.text(type: array.storedType, shape: array.shape, path: path)
    try archive.add(name + ".npy", deflated: compressing) { write in
      try header.withUnsafeBytes(write)
      try array.withUnsafeBytes(write)
    }
  }
  try archive.finish()
}
