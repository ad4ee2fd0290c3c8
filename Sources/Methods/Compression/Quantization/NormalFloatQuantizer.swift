import SpecialFunctions
public import Tensors

/// Normal floats (NF2, NF3, NF4, NF8): a table of quantiles of the normal law, scaled to a block's largest magnitude.
///
/// Weights of trained networks are nearly normal within a block; the table then uses all of its values about equally
/// often. It holds -1, 0 and 1 exactly.
///
/// - Source: Dettmers, Pagnoni, Holtzman and Zettlemoyer, "QLoRA: efficient finetuning of quantized LLMs", NeurIPS 2023,
///   arXiv 2305.14314.
public struct NormalFloatQuantizer: WeightQuantizer, Hashable {
  /// 2, 3, 4 or 8.
  public var bits = 4
  /// Weights along the inputs that share a scale of 32 bits.
  public var blockSize = 64

  public init(bits: Int = 4, blockSize: Int = 64) { (self.bits, self.blockSize) = (bits, blockSize) }

  public var name: String { "nf\(bits)" }

  /// The 2^bits values, increasing from -1 to 1.
  ///
  /// - Throws: `InvalidArgument` for bits other than 2, 3, 4 and 8.
  public static func table(bits: Int) throws -> [Float] {
    try requireBits(bits, among: [2, 3, 4, 8])
    // The probability at which the outermost quantile is taken, so that it is finite.
    let outermost = 0.9677083
    let half = 1 << (bits - 1)
    func quantiles(_ count: Int) -> [Double] {
      (0..<count).map { .normalQuantile(outermost + (0.5 - outermost) * Double($0) / Double(count)) }
    }
    // One more above zero than below, where zero itself takes a place.
    let positive = quantiles(half)
    let negative = quantiles(half - 1).map { -$0 }
    let largest = positive[0]
    return (negative + [0] + positive).sorted().map { Float($0 / largest) }
  }

  public func quantized(_ weight: Tensor<Float>) throws -> QuantizedMatrix {
    try requireBlockSize(blockSize)
    let table = try Self.table(bits: bits)
    /// Where one value becomes nearer than the one before.
    let borders = zip(table, table.dropFirst()).map { ($0 + $1) / 2 }
    return try quantized(
      weight, block: QuantizationBlock(rows: 1, columns: blockSize), table: Tensor(table), bitsPerBlock: 32,
      rule: .table(borders: borders)
    ) { smallest, largest in BlockScale(scale: max(-smallest, largest)) }
  }
}
