// Rounding weights to a few bits. Every format here is a table of values common to all weights, and a scale for each
// block of them: what differs is the table, and how a block finds its scale.

import CVectorKernels
public import Tensors

/// A way to round the weights of a matrix to codes of a few bits.
///
/// Conforming types choose scales and codes; packing the bits, counting them and reading the values back is done by
/// ``QuantizedMatrix``, whatever the format is.
///
/// ```swift
/// let stored = try NormalFloatQuantizer(bits: 4).quantized(weight)
/// stored.bitsPerWeight  // 4.5: the scale of every 64 weights counts too
/// let rounded = stored.dequantized
/// ```
public protocol WeightQuantizer: Sendable {
  /// The word that names the format with its bits: "nf4".
  var name: String { get }
  /// Bits of one code.
  var bits: Int { get }

  /// Rounds `weight`, of shape [outputs, inputs]; blocks run along the inputs.
  ///
  /// - Throws: `InvalidArgument` unless `weight` is a matrix of finite numbers, and for settings out of range.
  func quantized(_ weight: Tensor<Float>) throws -> QuantizedMatrix
}

extension WeightQuantizer {
  /// The rounded weights as numbers of the type they came in. They have the precision of `Float` in either.
  public func dequantized<Scalar: RealScalar>(_ weight: Tensor<Scalar>) throws -> Tensor<Scalar> {
    Tensor<Scalar>(try quantized(Tensor<Float>(weight.withoutDerivative)).dequantized)
  }

  /// The rounded weights, through which derivatives pass as if nothing had been rounded: for training a network that
  /// will be quantized.
  public func straightThrough<Scalar: RealScalar>(_ weight: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let rounded = try dequantized(weight)
    return customDerivative(at: weight) { _ in (rounded, { $0 }) }
  }
}

/// Which weights share a scale: blocks of this many rows and columns, the last ones smaller where they do not fit.
public struct QuantizationBlock: Sendable, Hashable {
  public let rows: Int
  public let columns: Int

  public init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }

  /// How many there are along each axis of a matrix of `shape`.
  func counts(in shape: [Int]) -> (rows: Int, columns: Int) {
    ((shape[0] + rows - 1) / rows, (shape[1] + columns - 1) / columns)
  }
}

/// A matrix of codes of a few bits each, packed, and what gives them back their values:
/// (table[code] - zero point of the block) · scale of the block.
public struct QuantizedMatrix: Sendable {
  /// [outputs, inputs]
  public let shape: [Int]
  /// One code for each weight, row after row.
  public let codes: PackedCodes
  /// The value of each code before scaling, shape [2^bits].
  public let table: Tensor<Float>
  public let block: QuantizationBlock
  /// Shape [blocks along rows, blocks along columns].
  public let scales: Tensor<Float>
  /// What is taken from a table's value before it is scaled, of the same shape; absent where it is zero everywhere.
  public let zeroPoints: Tensor<Float>?
  /// Bits in which a block's scale and zero point are stored.
  public let bitsPerBlock: Int

  /// - Parameters:
  ///   - codes: one for each weight of a matrix of `shape`.
  ///   - bitsPerBlock: of a scale and a zero point: 8 where scales are powers of two.
  public init(
    shape: [Int], codes: PackedCodes, table: Tensor<Float>, block: QuantizationBlock, scales: Tensor<Float>,
    zeroPoints: Tensor<Float>? = nil, bitsPerBlock: Int
  ) {
    let counts = block.counts(in: shape)
    precondition(
      codes.count == shape.reduce(1, *) && table.count == 1 << codes.bits
        && scales.shape == [counts.rows, counts.columns] && zeroPoints.map { $0.shape == scales.shape } ?? true,
      "\(codes.count) codes, a table of \(table.count) and scales of shape \(scales.shape) for a matrix of \(shape)")
    (self.shape, self.codes, self.table, self.block, self.scales) = (shape, codes, table, block, scales)
    (self.zeroPoints, self.bitsPerBlock) = (zeroPoints, bitsPerBlock)
  }

  public var count: Int { codes.count }
  /// Codes, scales and zero points. (The table, a constant of the format, is not counted.)
  public var storedBits: Int { codes.count * codes.bits + scales.count * bitsPerBlock }
  public var bitsPerWeight: Double { Double(storedBits) / Double(max(1, count)) }

  /// The values that the codes stand for, shape [outputs, inputs].
  public var dequantized: Tensor<Float> {
    let (rows, columns, bits) = (shape[0], shape[1], codes.bits)
    let across = block.counts(in: shape).columns
    // Rows whose codes begin and end with a byte.
    let unit = PackedCodes.fillsBytes(columns, bits: bits) ? 1 : 8
    return Tensor(uninitializedShape: shape) { result in
      guard let result = result.baseAddress else { return }
      withBuffers { table, scales, zeros, bytes in
        parallelRanges((rows + unit - 1) / unit, grain: max(1, 1 << 14 / max(1, unit * columns))) { range in
          withUnsafeTemporaryAllocation(of: UInt8.self, capacity: unit * columns) { scratch in
            guard let scratch = scratch.baseAddress else { return }
            for number in range {
              let first = number * unit
              let some = min(unit, rows - first)
              apus_unpack_codes(bytes + first * columns * bits / 8, some * columns, UInt32(bits), scratch)
              for i in first..<first + some {
                let at = i / block.rows * across
                apus_code_values(
                  scratch + (i - first) * columns, columns, block.columns, table, scales + at, zeros.map { $0 + at },
                  result + i * columns)
              }
            }
          }
        }
      }
    }
  }

  private func withBuffers(
    _ body: (
      _ table: UnsafePointer<Float>, _ scales: UnsafePointer<Float>, _ zeros: UnsafePointer<Float>?,
      _ bytes: UnsafePointer<UInt8>
    ) -> Void
  ) {
    table.withUnsafeBuffer { table in
      scales.withUnsafeBuffer { scales in
        codes.bytes.withUnsafeBufferPointer { bytes in
          guard let table = table.baseAddress, let scales = scales.baseAddress, let bytes = bytes.baseAddress else {
            return
          }
          guard let zeroPoints else { return body(table, scales, nil, bytes) }
          zeroPoints.withUnsafeBuffer { body(table, scales, $0.baseAddress, bytes) }
        }
      }
    }
  }
}

/// A pointer that several threads write through, each to places of its own.
struct UncheckedPointer<Element>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Element>?
  init(_ base: UnsafeMutablePointer<Element>?) { self.base = base }
  init(_ base: UnsafePointer<Element>?) { self.base = UnsafeMutablePointer(mutating: base) }

  subscript(index: Int) -> Element {
    get { base.unsafelyUnwrapped[index] }
    nonmutating set { base.unsafelyUnwrapped[index] = newValue }
  }
}
