import SpecialFunctions
public import Tensors

/// Eight-bit floats: a sign, an exponent and a mantissa, times a power of two for the whole matrix.
public struct Float8Quantizer: WeightQuantizer, Hashable {
  /// The split of the bits; nil chooses, for each matrix, the one with the least error for weights of its generalized
  /// Gaussian shape ("RF8").
  public var format: Minifloat?

  public init(format: Minifloat? = nil) { self.format = format }

  public var name: String { format?.name.lowercased() ?? "rf8" }
  public var bits: Int { 8 }

  public func quantized(_ weight: Tensor<Float>) throws -> QuantizedMatrix {
    try weight.requireMatrix("weight")
    let format = try format ?? suited(to: weight)
    let scale = try format.bestScale(for: weight, name: "weight")
    let codes = try format.encode(weight, scale: scale, name: "weight")
    return QuantizedMatrix(
      shape: weight.shape, codes: PackedCodes(codes.scalars, bits: 8), table: Tensor(format.table),
      block: QuantizationBlock(rows: weight.rows, columns: weight.columns),
      scales: Tensor(shape: [1, 1], scalars: [scale]), bitsPerBlock: 8)
  }

  /// The format for the law of these weights; that of Gaussian ones where no law fits, as for a constant matrix.
  private func suited(to weight: Tensor<Float>) throws -> Minifloat {
    let shape = (try? GeneralizedGaussianFitting(method: .moments).fit(weight))?.law.shape ?? 2
    return try optimalFloat8(shape: min(max(shape, 0.3), 4)).format
  }
}

extension WeightQuantizer where Self == Float8Quantizer {
  /// The split of eight bits that suits each matrix.
  public static var rf8: Float8Quantizer { Float8Quantizer() }
}
