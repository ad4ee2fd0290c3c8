public import Tensors

/// Whole numbers of a few bits on an even grid, symmetric about zero or fitted to the range of the weights.
///
/// - symmetric: w ≈ s q with q from -(2^(b-1) - 1) to 2^(b-1) - 1 and s = max |w| / (2^(b-1) - 1).
/// - affine: w ≈ s (q - z) with q from 0 to 2^b - 1, s = (max - min) / (2^b - 1) and a whole zero point z. The range
///   includes zero, which is represented exactly.
public struct IntegerQuantizer: WeightQuantizer, Hashable {
  /// Which weights share a scale.
  public enum Granularity: Sendable, Hashable {
    case tensor
    /// Each output, a row of the matrix, has a scale of its own.
    case channel
    /// So many weights of a row.
    case group(Int)
  }

  /// 2 to 8.
  public var bits = 8
  public var isSymmetric = true
  public var granularity = Granularity.channel

  public init(bits: Int = 8, isSymmetric: Bool = true, granularity: Granularity = .channel) {
    (self.bits, self.isSymmetric, self.granularity) = (bits, isSymmetric, granularity)
  }

  public var name: String { "int\(bits)" }

  public func quantized(_ weight: Tensor<Float>) throws -> QuantizedMatrix {
    try requireBits(bits, among: Array(2...8))
    try weight.requireMatrix("weight")
    let block: QuantizationBlock
    switch granularity {
    case .tensor: block = QuantizationBlock(rows: weight.rows, columns: weight.columns)
    case .channel: block = QuantizationBlock(rows: 1, columns: weight.columns)
    case .group(let size):
      try requireBlockSize(size)
      block = QuantizationBlock(rows: 1, columns: size)
    }
    return isSymmetric ? try symmetric(weight, block) : try affine(weight, block)
  }

  private func symmetric(_ weight: Tensor<Float>, _ block: QuantizationBlock) throws -> QuantizedMatrix {
    let most = Float(1 << (bits - 1) - 1)
    return try quantized(
      weight, block: block, table: signedTable(bits: bits), bitsPerBlock: 32, rule: .grid(-most...most)
    ) { smallest, largest in BlockScale(scale: max(-smallest, largest) / most) }
  }

  private func affine(_ weight: Tensor<Float>, _ block: QuantizationBlock) throws -> QuantizedMatrix {
    let most = Float(1 << bits - 1)
    return try quantized(
      weight, block: block, table: Tensor((0..<1 << bits).map { Float($0) }), hasZeroPoints: true,
      bitsPerBlock: 32 + bits, rule: .grid(0...most)
    ) { smallest, largest in
      let (low, high) = (min(smallest, 0), max(largest, 0))
      // Divided first, so that the width of the widest range is finite.
      let scale = high / most - low / most
      guard scale > 0 else { return BlockScale(scale: 0) }
      return BlockScale(scale: scale, zeroPoint: min(max((-low / scale).rounded(), 0), most))
    }
  }
}
