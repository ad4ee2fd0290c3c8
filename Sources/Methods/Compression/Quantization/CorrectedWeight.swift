public import LinearAlgebra
public import Networks
public import Tensors

/// The low-rank term that makes up for a weight's quantization, and what it is worth.
public struct ErrorCorrection<Scalar: LinearScalar>: Sendable {
  /// What is added to the quantized weight: shapes [outputs, k] and [k, inputs].
  public let factors: FactoredMatrix<Scalar>
  /// The squared error that remains in the norm that was minimised: the sum of the squared singular values of P F beyond
  /// k. With the scaling `exact` that is the mean squared output error.
  public let predictedError: Double
  /// E ‖(P - C) x‖² over the calibration inputs, and E ‖P x‖² without the correction.
  public let outputError: Double
  public let uncorrectedOutputError: Double
  /// ‖P - C‖_F and ‖P‖_F.
  public let weightError: Double
  public let uncorrectedWeightError: Double
  /// Of the second moments, in the scaling used; infinite when they are singular.
  public let conditionNumber: Double

  func cast<Other: LinearScalar>() -> ErrorCorrection<Other> {
    ErrorCorrection<Other>(
      factors: FactoredMatrix(left: Tensor<Other>(factors.left), right: Tensor<Other>(factors.right)),
      predictedError: predictedError, outputError: outputError, uncorrectedOutputError: uncorrectedOutputError,
      weightError: weightError, uncorrectedWeightError: uncorrectedWeightError, conditionNumber: conditionNumber)
  }
}

/// A quantized weight with its correction: W ≈ W̃ + L R.
public struct CorrectedWeight<Scalar: LinearScalar>: Sendable {
  public let quantized: QuantizedMatrix
  public let correction: ErrorCorrection<Scalar>

  /// W̃ + L R, shape [outputs, inputs].
  public func reconstructed() -> Tensor<Scalar> {
    Tensor<Scalar>(quantized.dequantized) + correction.factors.reconstructed()
  }

  /// x (W̃ + L R)ᵀ for x of shape [..., inputs], without forming the sum.
  public func callAsFunction(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let low = x.matmul(correction.factors.right, transposingB: true)
    return x.matmul(Tensor<Scalar>(quantized.dequantized), transposingB: true)
      + low.matmul(correction.factors.left, transposingB: true)
  }

  /// Bits for each of the weight's numbers, the factors counted at `factorBits` each.
  public func bitsPerWeight(factorBits: Int = 16) -> Double {
    Double(quantized.storedBits + correction.factors.parameterCount * factorBits) / Double(max(1, quantized.count))
  }

  /// The same as a linear layer keeps it: the rounded weight stays as it is when the layer is trained, the factors learn.
  ///
  /// ```swift
  /// layer.form = corrected.form
  /// ```
  public var form: LinearForm<Scalar> {
    .corrected(
      base: Tensor<Scalar>(quantized.dequantized), left: correction.factors.left, right: correction.factors.right)
  }
}
