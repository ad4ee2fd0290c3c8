import FileFormats
public import Tensors

/// The named arrays of one input, each read from its file when it is asked for.
public struct TensorCollection: Sendable {
  /// An array that can be read.
  public struct Entry: Sendable {
    public let name: String
    fileprivate let read: @Sendable () throws -> AnyTensor
  }

  /// All arrays, file by file, in the order in which they lie there.
  public let entries: [Entry]

  /// Opens checkpoints, archives and single arrays. A single array is named after its file.
  ///
  /// - Throws: the readers' errors, and `InvalidArgument` when two arrays have one name.
  init(paths: [String], of input: String) throws {
    var entries: [Entry] = []
    var seen: Set<String> = []
    for path in paths {
      for entry in try Self.entries(in: path) {
        guard seen.insert(entry.name).inserted else {
          throw InvalidArgument(input, found: "two arrays named '\(entry.name)'", wanted: "names that differ")
        }
        entries.append(entry)
      }
    }
    guard !entries.isEmpty else { throw InvalidArgument(input, found: "no arrays", wanted: "at least one") }
    self.entries = entries
  }

  public var names: [String] { entries.map(\.name) }
  public var count: Int { entries.count }

  /// An array as numbers of type `Scalar`, all finite.
  public func tensor<Scalar: RealScalar>(_ entry: Entry, as type: Scalar.Type = Double.self) throws -> Tensor<Scalar> {
    let tensor = try entry.read().real(as: type)
    try tensor.requireFinite(entry.name)
    return tensor
  }

  /// All arrays with their names. Reads everything at once: for what fits into memory.
  public func all<Scalar: RealScalar>(as type: Scalar.Type = Double.self) throws -> [(String, Tensor<Scalar>)] {
    try entries.map { ($0.name, try tensor($0, as: type)) }
  }

  private static func entries(in path: String) throws -> [Entry] {
    if Folder.exists(path) || path.hasSuffix(".json") { return entries(of: try Checkpoint(path)) }
    switch try ArrayFormat(detecting: path) {
    case .safetensors: return entries(of: try Checkpoint(path))
    case .npz:
      let archive = try NumPyArchive(path)
      return archive.names.map { name in Entry(name: name) { try archive.array(named: name) } }
    default: return try readArrays(path).map { named in Entry(name: named.name) { named.array } }
    }
  }

  private static func entries(of checkpoint: Checkpoint) -> [Entry] {
    checkpoint.entries.map { stored in
      Entry(name: stored.name) { try checkpoint.tensor(named: stored.name) }
    }
  }
}
