import LinearAlgebra
public import Tensors

/// What is remembered of the inputs of a linear layer: second moments, and mean magnitudes.
///
/// Sums are kept in double precision; the inputs themselves are not.
public struct InputStatistics: Sendable {
  /// The sum of x xᵀ, shape [inputs, inputs].
  private var products: Tensor<Double>
  /// The largest mean of |x_i| over a batch, shape [inputs].
  public private(set) var largestMeanMagnitudes: Tensor<Double>?
  public private(set) var tokenCount: Int

  /// Of a layer with `inputs` inputs, of which none has been seen.
  public init(inputs: Int) {
    products = .zeros([inputs, inputs])
    tokenCount = 0
  }

  /// Statistics that were computed elsewhere.
  ///
  /// - Parameters:
  ///   - secondMoment: E[x xᵀ], not centred, shape [inputs, inputs].
  ///   - largestMeanMagnitudes: as LQER wants them; that scaling cannot be used without.
  /// - Throws: `InvalidArgument` unless they are finite and fit each other.
  public init(
    secondMoment: Tensor<Double>, largestMeanMagnitudes: Tensor<Double>? = nil, tokenCount: Int = 1
  ) throws {
    try secondMoment.requireMatrix("secondMoment")
    guard secondMoment.rows == secondMoment.columns else {
      throw InvalidArgument("secondMoment", found: "shape \(secondMoment.shape)", wanted: "a square matrix")
    }
    if let magnitudes = largestMeanMagnitudes {
      guard magnitudes.shape == [secondMoment.rows] else {
        throw InvalidArgument(
          "largestMeanMagnitudes", found: "shape \(magnitudes.shape)", wanted: "[\(secondMoment.rows)]")
      }
      try magnitudes.requireFinite("largestMeanMagnitudes")
    }
    guard tokenCount > 0 else { throw InvalidArgument("tokenCount", found: "\(tokenCount)", wanted: "at least 1") }
    products = secondMoment * Double(tokenCount)
    self.largestMeanMagnitudes = largestMeanMagnitudes
    self.tokenCount = tokenCount
  }

  public var inputs: Int { products.rows }

  /// Adds one batch of inputs, shape [..., inputs].
  ///
  /// - Throws: `InvalidArgument` for another width, or numbers that are not finite.
  public mutating func add<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws {
    guard let width = x.shape.last, width == inputs else {
      throw InvalidArgument("activations", found: "shape \(x.shape)", wanted: "[..., \(inputs)]")
    }
    try x.requireFinite("activations")
    guard x.count > 0 else { return }
    let rows = x.withoutDerivative.reshaped([x.count / width, width])
    // Strip by strip: a batch is converted to double precision a part at a time.
    let strip = 1_024
    var magnitudes = Tensor<Double>.zeros([width])
    for start in stride(from: 0, to: rows.rows, by: strip) {
      let part = Tensor<Double>(rows[start..<min(start + strip, rows.rows), .all])
      products += part.multipliedByOwnTranspose(transposing: true)
      magnitudes += part.absolute().sum(axis: 0)
    }
    magnitudes /= Double(rows.rows)
    largestMeanMagnitudes = largestMeanMagnitudes.map { $0.maximum(magnitudes) } ?? magnitudes
    tokenCount += rows.rows
  }

  /// The same with another run's statistics added.
  public mutating func merge(_ other: InputStatistics) {
    precondition(other.inputs == inputs, "statistics of \(other.inputs) inputs merged into those of \(inputs)")
    guard other.tokenCount > 0 else { return }
    products += other.products
    if tokenCount == 0 {
      largestMeanMagnitudes = other.largestMeanMagnitudes
    } else if let own = largestMeanMagnitudes, let others = other.largestMeanMagnitudes {
      largestMeanMagnitudes = own.maximum(others)
    } else {
      largestMeanMagnitudes = nil
    }
    tokenCount += other.tokenCount
  }

  /// E[x xᵀ] over all tokens, not centred, shape [inputs, inputs].
  public var secondMoment: Tensor<Double> { products / Double(max(1, tokenCount)) }

  /// E ‖D x‖² for a change D of the layer's weight, shape [outputs, inputs].
  public func meanSquaredOutput<Scalar: RealScalar>(of change: Tensor<Scalar>) -> Double {
    let change = Tensor<Double>(change)
    return (change * change.matmul(secondMoment)).sum().scalar
  }
}
