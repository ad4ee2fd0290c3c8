// Writing a safetensors file, tensor by tensor.

public import Tensors

/// A safetensors file being written: its tensors are declared first, then written in any order.
///
/// Memory is bounded by one tensor, whatever the size of the file. The file appears under its name with `finish`.
///
/// ```swift
/// var writer = try SafetensorsWriter("small.safetensors", declaring: [
///   .init("weight", .bfloat16, [768, 768])
/// ])
/// try writer.write(weight, named: "weight")
/// try writer.finish()
/// ```
public struct SafetensorsWriter: ~Copyable {
  /// What is going to be written under a name.
  public struct Declaration: Sendable, Hashable {
    public var name: String
    public var type: StoredType
    public var shape: [Int]

    public init(_ name: String, _ type: StoredType, _ shape: [Int]) {
      self.name = name
      self.type = type
      self.shape = shape
    }

    /// The name, type and shape of a tensor in another file.
    public init(_ entry: StoredTensor) { self.init(entry.name, entry.type, entry.shape) }
  }

  private struct Place {
    var declaration: Declaration
    var byteRange: Range<Int>
    var isWritten = false
  }

  private var file: AtomicFile
  private var places: [String: Place]

  /// Starts the file and writes its header.
  ///
  /// Tensors of large elements come first, and those of equal element size in the order of their declaration: every
  /// tensor is then aligned, and can be read in place.
  ///
  /// - Throws: `FileError` when the file cannot be written there; `InvalidArgument` for a name declared twice or a shape
  ///   that no file can hold.
  public init(_ path: String, declaring declarations: [Declaration], metadata: [String: String] = [:]) throws {
    let order = declarations.indices.sorted { a, b in
      let (sizeA, sizeB) = (declarations[a].type.bitsPerElement, declarations[b].type.bitsPerElement)
      return (sizeB, a) < (sizeA, b)
    }
    var fields: [String] = []
    var places: [String: Place] = [:]
    var end = 0
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(jsonString($0.key)):\(jsonString($0.value))" }
      fields.append("\"\(SafetensorsHeader.metadataKey)\":{\(pairs.joined(separator: ","))}")
    }
    for declaration in order.map({ declarations[$0] }) {
      let (name, shape) = (declaration.name, declaration.shape)
      guard name != SafetensorsHeader.metadataKey else {
        throw InvalidArgument("name", found: quoted(name), wanted: "another name: the format keeps this one for itself")
      }
      guard let byteCount = declaration.type.byteCount(of: shape), end + byteCount < 1 << 62 else {
        throw InvalidArgument(name, found: "shape \(shape)", wanted: "a shape of whole bytes that a file can hold")
      }
      let place = Place(declaration: declaration, byteRange: end..<end + byteCount)
      guard places.updateValue(place, forKey: name) == nil else {
        throw InvalidArgument("name", found: "\(quoted(name)) twice", wanted: "names that differ")
      }
      let extents = shape.map(String.init).joined(separator: ",")
      fields.append(
        "\(jsonString(name)):{\"dtype\":\"\(declaration.type.rawValue)\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(end),\(end + byteCount)]}")
      end += byteCount
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    // Spaces up to a multiple of eight, so that the numbers are aligned.
    header.append(contentsOf: repeatElement(UInt8(ascii: " "), count: -header.count & 7))
    guard header.count <= SafetensorsHeader.maximumLength else {
      throw FileError(.tooLarge, path, "names and metadata take \(header.count) bytes, readers accept 100,000,000")
    }
    let start = 8 + header.count
    var file = try AtomicFile(path)
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try file.write($0) }
    try header.withUnsafeBytes { try file.write($0) }
    self.file = file
    self.places = places.mapValues { place in
      var place = place
      place.byteRange = start + place.byteRange.lowerBound..<start + place.byteRange.upperBound
      return place
    }
  }

  /// Writes a tensor under a declared name, rounded to the declared type.
  ///
  /// - Throws: `FileError` when the disk refuses or the types do not convert; `InvalidArgument` when the name was not
  ///   declared, was written before, or has another shape.
  public mutating func write(_ tensor: AnyTensor, named name: String) throws {
    let place = try place(of: name, shape: tensor.shape)
    var offset = place.byteRange.lowerBound
    try tensor.forEachPiece(as: place.declaration.type, path: file.path) { bytes in
      try file.write(bytes, at: offset)
      offset += bytes.count
    }
    places[name]?.isWritten = true
  }

  public mutating func write<Scalar: StorableScalar>(_ tensor: Tensor<Scalar>, named name: String) throws {
    try write(AnyTensor(tensor), named: name)
  }

  /// Writes the bytes of a tensor as they are, for instance out of another file.
  public mutating func write(bytes: UnsafeRawBufferPointer, named name: String) throws {
    let place = try place(of: name, shape: nil)
    guard bytes.count == place.byteRange.count else {
      throw InvalidArgument(name, found: "\(bytes.count) bytes", wanted: "the declared \(place.byteRange.count)")
    }
    try file.write(bytes, at: place.byteRange.lowerBound)
    places[name]?.isWritten = true
  }

  /// Completes the file, which then appears under its name.
  ///
  /// - Throws: `InvalidArgument` when a declared tensor was not written.
  public consuming func finish() throws {
    if let missing = places.values.filter({ !$0.isWritten }).map(\.declaration.name).min() {
      throw InvalidArgument(missing, found: "no numbers", wanted: "every declared tensor written before the end")
    }
    try file.commit()
  }

  private borrowing func place(of name: String, shape: [Int]?) throws -> Place {
    guard let place = places[name] else {
      throw InvalidArgument("name", found: quoted(name), wanted: "a name that was declared")
    }
    guard !place.isWritten else {
      throw InvalidArgument("name", found: "\(quoted(name)) a second time", wanted: "each tensor once")
    }
    if let shape, shape != place.declaration.shape {
      throw InvalidArgument(name, found: "shape \(shape)", wanted: "the declared shape \(place.declaration.shape)")
    }
    return place
  }
}

/// Writes tensors to a safetensors file in one go.
///
/// - Parameter type: how to store floating-point tensors, for instance `.bfloat16`; by default as they are.
public func writeSafetensors(
  _ tensors: [(name: String, tensor: AnyTensor)], to path: String, as type: StoredType? = nil,
  metadata: [String: String] = [:]
) throws {
  let declarations = tensors.map { name, tensor in
    let own = tensor.storedType
    return SafetensorsWriter.Declaration(name, own.isFloatingPoint ? type ?? own : own, tensor.shape)
  }
  var writer = try SafetensorsWriter(path, declaring: declarations, metadata: metadata)
  for (name, tensor) in tensors { try writer.write(tensor, named: name) }
  try writer.finish()
}
