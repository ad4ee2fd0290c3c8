// The numbers of Tests/Reference/file_formats.py.

import FileFormats
import Tensors

private func patternValues(_ shape: [Int]) -> [Int] { (0..<shape.reduce(1, *)).map { ($0 * 37 + 11) % 101 - 50 } }

func pattern(_ type: StoredType, _ shape: [Int]) -> AnyTensor {
  let values = patternValues(shape)
  func signed<Scalar: StorableScalar & FixedWidthInteger>(_: Scalar.Type) -> AnyTensor {
    AnyTensor(Tensor(shape: shape, scalars: values.map { Scalar($0) }))
  }
  func unsigned<Scalar: StorableScalar & FixedWidthInteger>(_: Scalar.Type) -> AnyTensor {
    AnyTensor(Tensor(shape: shape, scalars: values.map { Scalar($0 + 50) }))
  }
  return switch type {
  case .float64: .double(Tensor(shape: shape, scalars: values.map { Double($0) / 8 }))
  case .int64: signed(Int.self)
  case .int32: signed(Int32.self)
  case .int16: signed(Int16.self)
  case .int8: signed(Int8.self)
  case .uint64: unsigned(UInt64.self)
  case .uint32: unsigned(UInt32.self)
  case .uint16: unsigned(UInt16.self)
  case .uint8: unsigned(UInt8.self)
  case .bool: .bool(Tensor(shape: shape, scalars: values.map { $0 % 2 == 0 }))
  default: .float(Tensor(shape: shape, scalars: values.map { Float($0) / 8 }))
  }
}

/// NumPy's codes for the types that a tensor can have.
let numpyTypes: [(code: String, type: StoredType)] = [
  ("f4", .float32), ("f8", .float64), ("i8", .int64), ("i4", .int32), ("i2", .int16), ("i1", .int8), ("u8", .uint64),
  ("u4", .uint32), ("u2", .uint16), ("u1", .uint8), ("b1", .bool),
]
