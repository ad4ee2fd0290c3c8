// One door for arrays in files of any format.

public import Tensors

/// The formats of arrays that can be read and written.
public enum ArrayFormat: String, Sendable, Hashable, CaseIterable {
  case npy, npz, safetensors, csv, tsv
  case matrixMarket = "mtx"

  /// The format that a name's ending asks for.
  public init?(extensionOf path: String) {
    let name = fileName(of: path).lowercased()
    switch name.split(separator: ".", omittingEmptySubsequences: false).dropFirst().last {
    case "npy": self = .npy
    case "npz": self = .npz
    case "safetensors": self = .safetensors
    case "csv", "txt", "dat": self = .csv
    case "tsv", "tab": self = .tsv
    case "mtx", "mm": self = .matrixMarket
    default: return nil
    }
  }

  /// The format of an existing file: by its first bytes where they tell, then by its name.
  ///
  /// - Throws: `FileError` when it cannot be read or is of no known format.
  public init(detecting path: String) throws(FileError) {
    let file = try MappedFile(path)
    defer { withExtendedLifetime(file) {} }
    if let format = Self(magic: file.bytes) ?? Self(extensionOf: path) {
      self = format
      return
    }
    guard file.count > 0 else { throw FileError(.empty, path, "the file is empty") }
    if file.bytes.starts(with: [0x1F, 0x8B]) {
      throw FileError(.foreign, path, "this file is compressed by gzip, unpack it first")
    }
    guard !file.bytes.prefix(4_096).contains(0) else {
      throw FileError(.foreign, path, "this file is of none of the formats \(Self.names)")
    }
    self = .csv
  }

  private init?(magic bytes: UnsafeRawBufferPointer) {
    if bytes.starts(with: NumPyHeader.magic) {
      self = .npy
    } else if isZip(bytes) {
      self = .npz
    } else if String(decoding: bytes.prefix(14), as: UTF8.self).lowercased() == "%%matrixmarket" {
      self = .matrixMarket
    } else if bytes.count > 8, bytes[8] == UInt8(ascii: "{"),
      UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) <= SafetensorsHeader.maximumLength
    {
      self = .safetensors
    } else {
      return nil
    }
  }

  static var names: String { allCases.map { ".\($0.rawValue)" }.joined(separator: ", ") }
}

/// Reads an array from a file of any format.
///
/// Of a file with several arrays, `path` names one after a number sign: `batch.npz#images`. Text and Matrix Market files
/// give matrices of `Double`.
///
/// - Throws: `FileError` naming the file and what is wrong with it; for a file of several arrays, their names.
public func readArray(_ path: String) throws -> AnyTensor {
  let address = ArrayAddress(path)
  let format = try ArrayFormat(detecting: address.path)
  if let name = address.name, format != .npz, format != .safetensors {
    throw FileError(
      .noSuchArray, address.path, "this file has a single array without a name, but \(quoted(name)) was asked for")
  }
  switch format {
  case .npy: return try readNPY(address.path)
  case .csv: return .double(try readCSV(address.path).values)
  case .tsv: return .double(try readCSV(address.path, separator: .tab).values)
  case .matrixMarket:
    do {
      return .double(try readMatrixMarket(address.path).dense())
    } catch let error as InvalidArgument {
      throw FileError(.tooLarge, address.path, "the matrix has \(error.found), wanted \(error.wanted)")
    }
  case .npz:
    let archive = try NumPyArchive(address.path)
    return try archive.array(named: try address.name(among: archive.names))
  case .safetensors:
    let file = try SafetensorsFile(address.path)
    return try file.tensor(named: try address.name(among: file.entries.map(\.name)))
  }
}

/// Reads a matrix from a file of any format, as `readArray` does.
///
/// - Throws: `FileError`, also when the array is not a matrix.
public func readMatrix(_ path: String) throws -> Tensor<Double> {
  let array = try readArray(path)
  guard array.rank == 2 else {
    throw FileError(.unsuitable, path, "an array of shape \(array.shape), a matrix (two axes) was expected")
  }
  return array.asDouble()
}

/// Reads all arrays of a file with their names; a single array is named after its file.
public func readArrays(_ path: String) throws -> [(name: String, array: AnyTensor)] {
  switch try ArrayFormat(detecting: path) {
  case .npz:
    let archive = try NumPyArchive(path)
    return try archive.names.map { ($0, try archive.array(named: $0)) }
  case .safetensors:
    let file = try SafetensorsFile(path)
    return try file.entries.map { ($0.name, try file.tensor(named: $0.name)) }
  default:
    let name = fileName(of: path).split(separator: ".").first.map(String.init) ?? "array"
    return [(name, try readArray(path))]
  }
}

/// Writes an array in the format that the name's ending asks for: `.npy`, `.npz`, `.safetensors`, `.csv`, `.tsv`, `.mtx`.
///
/// The formats with names call the array `name`.
///
/// - Throws: `FileError` when the disk refuses or the ending is unknown; `InvalidArgument` when the format cannot hold the
///   shape.
public func writeArray(_ array: AnyTensor, to path: String, name: String = "array") throws {
  switch ArrayFormat(extensionOf: path) {
  case .npy: try writeNPY(array, to: path)
  case .npz: try writeNPZ([(name, array)], to: path)
  case .safetensors: try writeSafetensors([(name, array)], to: path)
  case .csv: try writeCSV(array, to: path)
  case .tsv: try writeCSV(array, to: path, separator: .tab)
  case .matrixMarket: try writeMatrixMarket(array.asDouble(), to: path)
  case nil:
    throw FileError(.unsupported, path, "the name must end in one of \(ArrayFormat.names) to say the format")
  }
}

public func writeArray<Scalar: StorableScalar>(_ tensor: Tensor<Scalar>, to path: String, name: String = "array") throws
{
  try writeArray(AnyTensor(tensor), to: path, name: name)
}

/// A file and, after a number sign, the name of an array in it.
struct ArrayAddress {
  var path: String
  var name: String?

  /// A file whose own name has a number sign is that file.
  init(_ text: String) {
    path = text
    guard let sign = text.lastIndex(of: "#"), !fileExists(text) else { return }
    path = String(text[..<sign])
    name = String(text[text.index(after: sign)...])
  }

  /// The name asked for, or the only one there is.
  func name(among names: [String]) throws(FileError) -> String {
    if let name { return name }
    if names.count == 1 { return names[0] }
    let shown = names.prefix(5).map { quoted($0) }.joined(separator: ", ") + (names.count > 5 ? ", …" : "")
    let reason =
      names.isEmpty
      ? "the file has no arrays" : "the file has \(names.count) arrays (\(shown)): choose one as FILE#NAME"
    throw FileError(.noSuchArray, path, reason)
  }
}
