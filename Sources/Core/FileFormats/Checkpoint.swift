// A model's checkpoint: one safetensors file, or several with an index.

public import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The tensors of a model, whether they lie in one file or in several.
///
/// ```swift
/// let checkpoint = try Checkpoint("all-MiniLM-L6-v2")     // a folder, an index, or a .safetensors file
/// for entry in checkpoint.entries where entry.shape.count == 2 {
///   let matrix = try checkpoint.tensor(named: entry.name, as: Float.self)
/// }
/// ```
public struct Checkpoint: Sendable {
  public let path: String
  /// All tensors, file by file, in the order in which they lie there. Byte ranges count within the tensor's own file.
  public let entries: [StoredTensor]
  /// The metadata of all files; where two give the same key, the first counts.
  public let metadata: [String: String]
  /// The files the tensors lie in.
  public let files: [SafetensorsFile]
  private let places: [String: Place]

  private struct Place {
    var file: Int
    var entry: Int
  }

  /// Opens a `.safetensors` file, an index (`*.index.json`), or a folder with one of them.
  ///
  /// - Throws: `FileError` when a file cannot be read, breaks a rule of its format, or contradicts the index.
  public init(_ path: String) throws(FileError) {
    let path = try Self.fileToOpen(path)
    if path.hasSuffix(".json") {
      try self.init(path, ShardIndex(path))
    } else {
      self.init(try SafetensorsFile(path))
    }
  }

  /// The tensors of one file that is open already.
  public init(_ file: SafetensorsFile) { self.init(file.path, [file]) { _, _ in true } }

  private init(_ path: String, _ index: ShardIndex) throws(FileError) {
    var files: [SafetensorsFile] = []
    let fileNames = index.tensorNames.keys.sorted()
    for name in fileNames { files.append(try SafetensorsFile(folderName(of: path) + "/" + name)) }
    for (file, fileName) in zip(files, fileNames) {
      for name in index.tensorNames[fileName] ?? [] where file.entry(named: name) == nil {
        throw FileError(
          .malformed, path, "the tensor \(quoted(name)) is not in \(quoted(fileName)), where the index sends it")
      }
    }
    // A tensor that lies in two files counts where the index says.
    self.init(path, files) { index.place[$1] == nil || index.place[$1] == fileNames[$0] }
  }

  private init(_ path: String, _ files: [SafetensorsFile], _ isWanted: (Int, String) -> Bool) {
    var entries: [StoredTensor] = []
    var places: [String: Place] = [:]
    for (i, file) in files.enumerated() {
      for entry in file.entries where isWanted(i, entry.name) && places[entry.name] == nil {
        places[entry.name] = Place(file: i, entry: entries.count)
        entries.append(entry)
      }
    }
    self.path = path
    self.files = files
    self.entries = entries
    self.places = places
    metadata = files.reduce(into: [:]) { all, file in all.merge(file.metadata) { first, _ in first } }
  }

  /// The numbers in all tensors together.
  public var parameterCount: Int { entries.reduce(0) { $0 + $1.count } }
  /// The bytes of all tensors together.
  public var byteCount: Int { entries.reduce(0) { $0 + $1.byteCount } }

  public func entry(named name: String) -> StoredTensor? { places[name].map { entries[$0.entry] } }

  /// A tensor as the type nearest to how it is stored; see `SafetensorsFile.tensor(named:)`.
  public func tensor(named name: String) throws(FileError) -> AnyTensor {
    try file(of: name).tensor(named: name)
  }

  /// A tensor as numbers of type `Scalar`, converted where they are stored otherwise.
  public func tensor<Scalar: RealScalar>(
    named name: String, as type: Scalar.Type = Scalar.self
  ) throws(FileError) -> Tensor<Scalar> {
    try file(of: name).tensor(named: name, as: type)
  }

  /// Lets go of the memory that a tensor's bytes take while they are mapped; see `SafetensorsFile.release(_:)`.
  public func release(_ name: String) {
    if let place = places[name] { files[place.file].release(name) }
  }

  /// Calls `body` with the bytes of a tensor as they stand in its file.
  public func withBytes<Result>(
    of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    try file(of: name).withBytes(of: name, body)
  }

  private func file(of name: String) throws(FileError) -> SafetensorsFile {
    guard let place = places[name] else { throw .noTensor(named: name, path, among: entries.map(\.name)) }
    return files[place.file]
  }

  /// The file to begin with: `path` itself, or the one in a folder that is clearly meant.
  private static func fileToOpen(_ path: String) throws(FileError) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .reading(path, errno: errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else { return path }
    guard let directory = opendir(path) else { throw .reading(path, errno: errno) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) { names.append(nameOfEntry(entry)) }

    for ending in [".safetensors.index.json", ".safetensors"] {
      let candidates = names.filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }.sorted()
      if candidates.count == 1 { return "\(path)/\(candidates[0])" }
      if candidates.contains("model\(ending)") { return "\(path)/model\(ending)" }
      if candidates.count > 1 {
        let shown = candidates.prefix(3).map { quoted($0) }.joined(separator: ", ")
        throw FileError(
          .noSuchArray, path, "this folder has \(candidates.count) checkpoints (\(shown)): name one of them")
      }
    }
    throw FileError(.missing, path, "this folder has no .safetensors file")
  }
}

/// Which tensor lies in which file, as an `*.index.json` says.
private struct ShardIndex {
  var place: [String: String] = [:]
  var tensorNames: [String: [String]] = [:]

  init(_ path: String) throws(FileError) {
    let file = try MappedFile(path)
    let index: JSON
    do throws(JSON.SyntaxError) {
      index = try JSON(parsing: file.bytes)
    } catch {
      throw FileError(.malformed, path, "not a valid index of a checkpoint: \(error.reason) (byte \(error.position))")
    }
    guard let members = index["weight_map"]?.members else {
      throw FileError(.foreign, path, "not the index of a checkpoint: it has no weight_map")
    }
    for member in members {
      guard let name = member.value.string else {
        throw FileError(
          .malformed, path, "the weight_map sends \(quoted(member.key)) to something that is no file name")
      }
      // An index names files beside itself; anything else could reach anywhere on the disk.
      guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0), name != ".." else {
        throw FileError(.malformed, path, "the weight_map names \(quoted(name)), which is not a file beside the index")
      }
      place[member.key] = name
      tensorNames[name, default: []].append(member.key)
    }
  }
}
