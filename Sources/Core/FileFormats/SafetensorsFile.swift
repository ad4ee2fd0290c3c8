// Reading one safetensors file.

public import Tensors

/// An open safetensors file. Its tensors are read when they are asked for.
///
/// ```swift
/// let file = try SafetensorsFile("model.safetensors")
/// let weight = try file.tensor(named: "encoder.layer.0.output.dense.weight", as: Float.self)
/// ```
public struct SafetensorsFile: Sendable {
  public let path: String
  /// The tensors in the order in which they lie in the file.
  public let entries: [StoredTensor]
  public let metadata: [String: String]
  private let file: MappedFile
  private let positions: [String: Int]

  /// Opens `path` and checks its header; the numbers are not touched.
  ///
  /// - Throws: `FileError` when the file cannot be read or breaks a rule of the format.
  public init(_ path: String) throws(FileError) { try self.init(MappedFile(path)) }

  /// Opens a file that is part of the program, under the name that errors call it by.
  public init(named name: String, partOfProgram bytes: StaticBytes) throws(FileError) {
    try self.init(MappedFile(named: name, partOfProgram: bytes))
  }

  private init(_ file: MappedFile) throws(FileError) {
    let header = try SafetensorsHeader(file.bytes, path: file.path)
    self.file = file
    path = file.path
    entries = header.entries
    metadata = header.metadata
    positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
  }

  /// The entry of that name, if there is one.
  public func entry(named name: String) -> StoredTensor? { positions[name].map { entries[$0] } }

  /// A tensor as the type nearest to how it is stored: `float16` and `bfloat16` become `Float`.
  ///
  /// The tensor reads the file's own memory where it can, and keeps it alive.
  ///
  /// - Throws: `FileError` when there is no such tensor, or its type cannot be read as numbers.
  public func tensor(named name: String) throws(FileError) -> AnyTensor {
    guard let entry = entry(named: name) else { throw .noTensor(named: name, path, among: entries.map(\.name)) }
    let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange])
    let numbers = StoredNumbers(
      bytes: bytes, type: entry.type, shape: entry.shape, owner: file, path: "\(path)#\(name)")
    return try numbers.tensor()
  }

  /// A tensor as numbers of type `Scalar`, converted where they are stored otherwise.
  public func tensor<Scalar: RealScalar>(
    named name: String, as type: Scalar.Type = Scalar.self
  ) throws(FileError) -> Tensor<Scalar> {
    try tensor(named: name).real(as: type)
  }

  /// Lets go of the memory that a tensor's bytes take while they are mapped; they are read again when needed again.
  ///
  /// Long walks over a large file stay small with it. Views of the tensor stay valid.
  public func release(_ name: String) {
    if let entry = entry(named: name) { file.release(entry.byteRange) }
  }

  /// Calls `body` with the bytes of a tensor as they stand in the file.
  public func withBytes<Result>(
    of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard let entry = entry(named: name) else {
      throw FileError.noTensor(named: name, path, among: entries.map(\.name))
    }
    return try file.withBytes(entry.byteRange, body)
  }
}

extension FileError {
  /// No tensor of that name; the message shows what names there are.
  static func noTensor(named name: String, _ path: String, among names: [String]) -> FileError {
    let shown = names.prefix(5).map { quoted($0) }.joined(separator: ", ")
    let list =
      names.isEmpty
      ? "it is empty" : names.count > 5 ? "it has \(shown), and \(names.count - 5) more" : "it has \(shown)"
    return FileError(.noSuchArray, path, "there is no array \(quoted(name)): \(list)")
  }
}
