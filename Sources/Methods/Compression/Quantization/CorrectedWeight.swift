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

  /// The same as a layer whose factors can be trained.
  public func layer(bias: Tensor<Scalar>? = nil) -> QuantizedLowRankLinear<Scalar> {
    QuantizedLowRankLinear(quantized, correction: correction.factors, bias: bias)
  }
}

/// x (W̃ + L R)ᵀ + b: a linear layer on quantized weights that stay as they are, with low-rank factors that learn.
public struct QuantizedLowRankLinear<Scalar: LinearScalar>: Layer {
  public let quantized: QuantizedMatrix
  /// W̃, shape [outputs, inputs]: a buffer, not a parameter.
  public private(set) var weight: Tensor<Scalar>
  /// L, shape [outputs, k].
  public var left: Tensor<Scalar>
  /// R, shape [k, inputs].
  public var right: Tensor<Scalar>
  /// Shape [outputs].
  public var bias: Tensor<Scalar>?

  public init(_ quantized: QuantizedMatrix, correction: FactoredMatrix<Scalar>, bias: Tensor<Scalar>? = nil) {
    precondition(
      [correction.rows, correction.columns] == quantized.shape,
      "factors of a [\(correction.rows), \(correction.columns)] matrix beside weights of shape \(quantized.shape)")
    self.quantized = quantized
    weight = Tensor<Scalar>(quantized.dequantized)
    (left, right, self.bias) = (correction.left, correction.right, bias)
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let low = linear(x, weight: right)
    return linear(x, weight: weight.withoutDerivative, bias: bias) + linear(low, weight: left)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.buffer("weight", &weight)
    visitor.parameter("left", &left)
    visitor.parameter("right", &right)
    visitor.parameter("bias", &bias)
  }
}
