// From the bytes of a file to a tensor, and back.

import CVectorKernels
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Numbers that lie in a file, checked: `bytes` has exactly the length that `type` and `shape` need.
struct StoredNumbers {
  var bytes: UnsafeRawBufferPointer
  var type: StoredType
  var shape: [Int]
  /// Keeps `bytes` alive; a tensor that reads them in place holds it.
  var owner: AnyObject
  /// Whether the bytes of each number stand in the order of the other machines.
  var isSwapped = false
  var path: String

  private var count: Int { shape.reduce(1, *) }
  /// Whether tensors have elements of this very type.
  private var isNative: Bool { type.bitsPerElement >= 32 || !type.isFloatingPoint }
  private var bytesInMemory: Int { isNative ? type.bitsPerElement / 8 : 4 }
  private var isReadInPlace: Bool {
    isNative && type != .bool && UInt(bitPattern: bytes.baseAddress) % UInt(bytesInMemory) == 0
  }

  /// The numbers as a tensor: in place where the types agree and the address is aligned, and converted otherwise.
  func tensor() throws(FileError) -> AnyTensor {
    if isSwapped, type.bitsPerElement > 8 { return try swapped().tensor() }
    if !isReadInPlace { try requireMemory(count * bytesInMemory, path, "a tensor of shape \(shape)") }
    return switch type {
    case .float32: .float(same())
    case .float64: .double(same())
    case .int64: .int(same())
    case .int32: .int32(same())
    case .int16: .int16(same())
    case .int8: .int8(same())
    case .uint64: .uint64(same())
    case .uint32: .uint32(same())
    case .uint16: .uint16(same())
    case .uint8: .uint8(same())
    case .bool: .bool(flags())
    case .bfloat16: .float(halves(apus_f32_from_bf16))
    case .float16: .float(halves(apus_f32_from_f16))
    case .float8E4M3, .float8E5M2, .float8E4M3FNUZ, .float8E5M2FNUZ, .float8E8M0: .float(lookedUp())
    case .float4, .float6E2M3, .float6E3M2, .complex64:
      throw FileError(.unsupportedType, path, "numbers of type \(type) can be copied, but not read")
    }
  }

  private func same<Scalar: StorableScalar>() -> Tensor<Scalar> {
    guard let start = bytes.baseAddress, count > 0 else { return Tensor(uninitializedShape: shape) { _ in } }
    if isReadInPlace { return Tensor(reading: start, shape: shape, owner: owner) }
    return converted { (source: UnsafeRawPointer, result: UnsafeMutablePointer<Scalar>, range: Range<Int>) in
      let size = MemoryLayout<Scalar>.size
      memcpy(result, source + range.lowerBound * size, range.count * size)
    }
  }

  /// Any byte but zero counts as true: a `Bool` of another bit pattern than 0 or 1 is undefined.
  private func flags() -> Tensor<Bool> {
    converted { source, result, range in
      let source = (source + range.lowerBound).assumingMemoryBound(to: UInt8.self)
      for i in 0..<range.count { result[i] = source[i] != 0 }
    }
  }

  private func halves(
    _ kernel: @convention(c) (UnsafePointer<UInt16>?, UnsafeMutablePointer<Float>?, Int) -> Void
  ) -> Tensor<Float> {
    converted { source, result, range in
      let source = source + range.lowerBound * 2
      if UInt(bitPattern: source) % 2 == 0 {
        kernel(source.assumingMemoryBound(to: UInt16.self), result, range.count)
        return
      }
      // An odd address in the file: through an aligned buffer, in pieces.
      withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 4_096) { buffer in
        for start in stride(from: 0, to: range.count, by: buffer.count) {
          let count = min(buffer.count, range.count - start)
          memcpy(buffer.baseAddress!, source + start * 2, count * 2)
          kernel(buffer.baseAddress!, result + start, count)
        }
      }
    }
  }

  private func lookedUp() -> Tensor<Float> {
    let values = type.valuesOfBytes() ?? []
    return values.withUnsafeBufferPointer { values in
      let table = values.baseAddress!
      return converted { source, result, range in
        let source = (source + range.lowerBound).assumingMemoryBound(to: UInt8.self)
        for i in 0..<range.count { result[i] = table[Int(source[i])] }
      }
    }
  }

  /// A tensor that `body` fills, range by range, on several threads.
  private func converted<Scalar: TensorScalar>(
    _ body: (_ source: UnsafeRawPointer, _ result: UnsafeMutablePointer<Scalar>, _ range: Range<Int>) -> Void
  ) -> Tensor<Scalar> {
    Tensor(uninitializedShape: shape) { result in
      guard let source = bytes.baseAddress, let result = result.baseAddress else { return }
      parallelRanges(count, grain: 1 << 16) { range in body(source, result + range.lowerBound, range) }
    }
  }

  private func swapped() throws(FileError) -> StoredNumbers {
    try requireMemory(bytes.count, path, "a tensor of shape \(shape)")
    let copy = OwnedBytes(count: bytes.count)
    copy.bytes.copyMemory(from: bytes)
    switch type.bitsPerElement {
    case 16: reverseBytes(copy.bytes.bindMemory(to: UInt16.self))
    case 32: reverseBytes(copy.bytes.bindMemory(to: UInt32.self))
    default: reverseBytes(copy.bytes.bindMemory(to: UInt64.self))
    }
    var result = self
    result.bytes = UnsafeRawBufferPointer(copy.bytes)
    result.owner = copy
    result.isSwapped = false
    return result
  }
}

private func reverseBytes<Word: FixedWidthInteger>(_ words: UnsafeMutableBufferPointer<Word>) {
  for i in words.indices { words[i] = words[i].byteSwapped }
}

/// A block of bytes that is released with its last reference.
final class OwnedBytes: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer
  init(count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }
  deinit { bytes.deallocate() }
}

extension AnyTensor {
  /// Hands the elements, as numbers of `type` in row-major order, to `write`, in pieces of bounded size.
  ///
  /// Floating-point numbers are rounded to nearest, to `float16`, `bfloat16` and the 8-bit types by way of `Float`. Other
  /// conversions are refused.
  func forEachPiece(
    as type: StoredType, path: String, _ write: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if type == storedType {
      try withUnsafeBytes(write)
      return
    }
    guard storedType.isFloatingPoint else { throw Self.cannotConvert(storedType, to: type, path) }
    switch type {
    case .float64: try asDouble().withUnsafeBuffer { try write(UnsafeRawBufferPointer($0)) }
    case .float32: try asFloat().withUnsafeBuffer { try write(UnsafeRawBufferPointer($0)) }
    case .float16: try asFloat().forEachPiece(apus_f16_from_f32, write)
    case .bfloat16: try asFloat().forEachPiece(apus_bf16_from_f32, write)
    default:
      guard let format = SmallFloat(type) else { throw Self.cannotConvert(storedType, to: type, path) }
      try asFloat().forEachPiece({ source, result, count in format.round(source!, result!, count) }, write)
    }
  }

  private static func cannotConvert(_ from: StoredType, to type: StoredType, _ path: String) -> FileError {
    FileError(.unsupportedType, path, "numbers of type \(from) cannot be written as \(type)")
  }
}

extension Tensor<Float> {
  /// Converts in pieces of 64 k numbers and hands each to `write`.
  fileprivate func forEachPiece<Word>(
    _ kernel: (UnsafePointer<Float>?, UnsafeMutablePointer<Word>?, Int) -> Void,
    _ write: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let pieceCount = 1 << 16
    let piece = UnsafeMutablePointer<Word>.allocate(capacity: pieceCount)
    defer { piece.deallocate() }
    try withUnsafeBuffer { source in
      for start in stride(from: 0, to: source.count, by: pieceCount) {
        let count = min(pieceCount, source.count - start)
        kernel(source.baseAddress! + start, piece, count)
        try write(UnsafeRawBufferPointer(start: piece, count: count * MemoryLayout<Word>.stride))
      }
    }
  }
}
