public import Tensors

/// Block floating point (MXINT): an exponent common to a block, and signed whole numbers.
///
/// With e the exponent of a block's largest magnitude, a weight w is stored as q = round(|w| 2^(b-2-e)) with its sign, ties
/// to even, at most 2^(b-1) - 1, and read as ±q 2^(e-b+2). The error of a weight is at most half a step, 2^(e-b+1), but
/// for those that round beyond the largest number. A block of zeros stays zero.
///
/// - Source: Rouhani et al., "Microscaling data formats for deep learning", 2023, arXiv 2310.10537.
public struct MXIntQuantizer: WeightQuantizer, Hashable {
  /// b, sign included: 2 to 8.
  public var bits = 4
  /// Weights along the inputs that share an exponent of 8 bits.
  public var blockSize = 32

  public init(bits: Int = 4, blockSize: Int = 32) { (self.bits, self.blockSize) = (bits, blockSize) }

  public var name: String { "mxint\(bits)" }

  public func quantized(_ weight: Tensor<Float>) throws -> QuantizedMatrix {
    try requireBits(bits, among: Array(2...8))
    try requireBlockSize(blockSize)
    let most = Float(1 << (bits - 1) - 1)
    // By the exponent of a block's largest magnitude; subnormal numbers have the exponent of the least normal one. The
    // quotient by a power of two is exact.
    let powers = (0..<255).map { field in
      Float(sign: .plus, exponent: max(field, 1) - 127 - bits + 2, significand: 1)
    }
    return try quantized(
      weight, block: QuantizationBlock(rows: 1, columns: blockSize), table: signedTable(bits: bits), bitsPerBlock: 8,
      rule: .grid(-most...most)
    ) { smallest, largest in
      let magnitude = max(-smallest, largest)
      return BlockScale(scale: magnitude > 0 ? powers[Int(magnitude.exponentBitPattern)] : 0)
    }
  }
}
