// NumPy arrays, `.npy`.

public import Tensors

/// Reads a `.npy` file: integers, Booleans and floating-point numbers to 64 bits, of either byte order.
///
/// Numbers in row-major order are read in place; arrays in Fortran order are copied into row-major order. Half-precision
/// numbers become `Float`.
///
/// - Throws: `FileError`, also for arrays of complex numbers, text, objects and records.
public func readNPY(_ path: String) throws(FileError) -> AnyTensor {
  let file = try MappedFile(path)
  let header = try NumPyHeader(file.bytes, path: path)
  let rest = file.count - header.length
  guard rest >= header.byteCount else {
    throw FileError(
      .truncated, path,
      "shape \(header.shape) of \(header.type) takes \(header.byteCount) bytes, the file holds \(rest)")
  }
  guard rest == header.byteCount else {
    throw FileError(.malformed, path, "\(rest - header.byteCount) bytes after the last number of shape \(header.shape)")
  }
  return try header.tensor(reading: UnsafeRawBufferPointer(rebasing: file.bytes[header.length...]), owner: file, path)
}

/// Writes a `.npy` file, format version 1, row-major, little-endian.
///
/// - Parameter type: how to store floating-point numbers, for instance `.float16`; by default as they are.
public func writeNPY(_ tensor: AnyTensor, to path: String, as type: StoredType? = nil) throws {
  let type = type ?? tensor.storedType
  let header = try NumPyHeader.text(type: type, shape: tensor.shape, path: path)
  var file = try AtomicFile(path)
  try header.withUnsafeBytes { try file.write($0) }
  try tensor.forEachPiece(as: type, path: path) { try file.write($0) }
  try file.commit()
}

/// Writes a `.npy` file in the tensor's own number type.
public func writeNPY<Scalar: StorableScalar>(_ tensor: Tensor<Scalar>, to path: String) throws {
  try writeNPY(AnyTensor(tensor), to: path)
}

extension NumPyHeader {
  /// The numbers behind this header. `bytes` must hold exactly `byteCount` bytes.
  func tensor(
    reading bytes: UnsafeRawBufferPointer, owner: AnyObject, _ path: String
  ) throws(FileError) -> AnyTensor {
    let numbers = StoredNumbers(
      bytes: bytes, type: type, shape: isFortranOrder ? shape.reversed() : shape, owner: owner, isSwapped: isSwapped,
      path: path)
    let tensor = try numbers.tensor()
    guard isFortranOrder, shape.count > 1 else { return tensor }
    try requireMemory(byteCount, path, "an array of shape \(shape)")
    return tensor.permuted(Array((0..<shape.count).reversed()))
  }
}

extension AnyTensor {
  /// The axes in another order, copied into row-major order.
  func permuted(_ order: [Int]) -> AnyTensor {
    switch self {
    case .float(let tensor): .float(tensor.permuted(order).dense)
    case .double(let tensor): .double(tensor.permuted(order).dense)
    case .int(let tensor): .int(tensor.permuted(order).dense)
    case .int32(let tensor): .int32(tensor.permuted(order).dense)
    case .int16(let tensor): .int16(tensor.permuted(order).dense)
    case .int8(let tensor): .int8(tensor.permuted(order).dense)
    case .uint64(let tensor): .uint64(tensor.permuted(order).dense)
    case .uint32(let tensor): .uint32(tensor.permuted(order).dense)
    case .uint16(let tensor): .uint16(tensor.permuted(order).dense)
    case .uint8(let tensor): .uint8(tensor.permuted(order).dense)
    case .bool(let tensor): .bool(tensor.permuted(order).dense)
    }
  }
}
