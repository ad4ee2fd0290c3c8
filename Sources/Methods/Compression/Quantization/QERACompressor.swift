import LinearAlgebra
import Networks
public import Tensors

/// Quantizes the linear layers of a network and corrects each for the inputs it has in the network as it was.
///
/// ```swift
/// let compressor = QERACompressor(format: .nf4, method: QERA(rank: 32))
/// let small = try compressor.compress(model, keeping: 1, data: data)
/// small.layers[0].result[figure: "output error"]
/// ```
///
/// Layers run on rounded weights and factors; factors can be trained, rounded weights cannot. The figures of a layer are
/// `output error` and `uncorrected output error` (E ‖(W - W') x‖²), `squared weight error`, `rank`, `bits per weight` and,
/// where it is corrected, `condition` of its second moments.
public struct QERACompressor: LayerCompressor {
  public var format: any WeightQuantizer
  /// Nil quantizes without a correction.
  public var method: QERA?

  public init(format: some WeightQuantizer, method: QERA? = QERA()) { (self.format, self.method) = (format, method) }

  public var needs: CalibrationNeeds { .activations }

  /// Quantizes one layer.
  ///
  /// - Parameter fraction: of 16 bits for each number of the weight, which codes, scales and the factors at 16 bits may
  ///   take: where the rank of `method` takes more, it is lowered.
  /// - Throws: `InvalidArgument` without moments, for those of another width, and for a fraction in which there is no room
  ///   for the codes and a rank of one.
  public func compress(
    weight: Tensor<Float>, calibration: LayerCalibration?, keeping fraction: Double
  ) throws -> CompressedLayer {
    guard fraction > 0, fraction <= 1 else {
      throw InvalidArgument("fraction", found: "\(fraction)", wanted: "in (0, 1]")
    }
    guard let moments = calibration?.activations else {
      throw InvalidArgument("calibration", found: "no activations", wanted: "the moments of this layer's inputs")
    }
    guard moments.width == weight.columns else {
      throw InvalidArgument(
        "calibration", found: "moments of \(moments.width) inputs", wanted: "\(weight.columns), as the weight has")
    }
    let warnings =
      moments.isUnderdetermined ? ["\(moments.tokens) tokens for \(moments.width) inputs: give more of them"] : []
    let numberBits = 16
    let room = fraction * Double(numberBits * weight.count)
    let plain = try format.quantized(weight)
    guard var method else {
      guard Double(plain.storedBits) <= room else { throw tooSmall(fraction, plain.storedBits, weight, numberBits) }
      let rounded = plain.dequantized
      let rest = Tensor<Double>(weight) - Tensor<Double>(rounded)
      let error = moments.meanSquaredOutput(of: rest)
      return CompressedLayer(
        form: .dense(rounded),
        figures: [
          ("output error", error), ("uncorrected output error", error),
          ("squared weight error", rest.sumOfSquares().scalar), ("rank", 0), ("bits per weight", plain.bitsPerWeight),
        ], warnings: warnings)
    }
    let bitsOfRank = numberBits * (weight.rows + weight.columns)
    let most = Int((room - Double(plain.storedBits)) / Double(bitsOfRank))
    guard most >= 1 else { throw tooSmall(fraction, plain.storedBits + bitsOfRank, weight, numberBits) }
    method.rank = min(method.rank, most, weight.rows, weight.columns)
    let found = try method.correct(weight, quantizedBy: format, activations: moments)
    let correction = found.correction
    return CompressedLayer(
      form: found.form,
      figures: [
        ("output error", correction.outputError), ("uncorrected output error", correction.uncorrectedOutputError),
        ("squared weight error", correction.weightError * correction.weightError), ("rank", Double(method.rank)),
        ("bits per weight", found.bitsPerWeight(factorBits: numberBits)), ("condition", correction.conditionNumber),
      ], warnings: warnings)
  }

  private func tooSmall(_ fraction: Double, _ bits: Int, _ weight: Tensor<Float>, _ numberBits: Int) -> InvalidArgument
  {
    let least = Double(bits) / Double(numberBits * weight.count)
    return InvalidArgument(
      "fraction", found: "\(fraction)",
      wanted:
        "at least \(least.formatted(digits: 3)), which \(format.name)\(method == nil ? "" : " and a rank of one") take")
  }
}
