// Random initial weights. The fan-in of a weight [out, in, kernel...] is in · kernel, its fan-out out · kernel.

import LinearAlgebra
public import Tensors

/// How a weight starts.
public enum Initializer: Sendable, Hashable {
  case zeros, ones
  case constant(Double)
  case normal(deviation: Double)
  case uniform(bound: Double)
  /// Normal, cut at two standard deviations of the uncut law.
  case truncatedNormal(deviation: Double)
  /// Glorot and Bengio, AISTATS 2010: variance 2 / (fan-in + fan-out).
  case xavierUniform, xavierNormal
  /// He et al., ICCV 2015, eq. 10: variance 2 / fan-in, for rectified units.
  case kaimingUniform, kaimingNormal
  /// LeCun et al., "Efficient BackProp", 1998: variance 1 / fan-in.
  case leCunUniform, leCunNormal
  /// PyTorch's default for linear layers and convolutions: uniform within 1 / √fan-in.
  case fanInUniform
  /// A semi-orthogonal matrix [out, rest] (Saxe et al., ICLR 2014), times `gain`.
  case orthogonal(gain: Double)
  /// Maximal update parametrization (Yang et al., 2021): hidden weights of variance 1 / fan-in; the matching output
  /// weights have variance 1 / fan-in².
  case muHidden, muOutput

  /// A weight of `shape`.
  public func callAsFunction<Scalar: RealScalar>(
    _ shape: [Int], from random: inout RandomStream, of type: Scalar.Type = Scalar.self
  ) -> Tensor<Scalar> {
    let kernel = shape.dropFirst(2).reduce(1, *)
    let fanIn = Double(max(1, (shape.count > 1 ? shape[1] : shape.first ?? 1) * kernel))
    let fanOut = Double(max(1, (shape.first ?? 1) * kernel))
    switch self {
    case .zeros: return .zeros(shape)
    case .ones: return .ones(shape)
    case .constant(let value): return Tensor(repeating: Scalar(value), shape: shape)
    case .normal(let deviation): return Self.normal(shape, deviation, &random)
    case .uniform(let bound): return Self.uniform(shape, bound, &random)
    case .truncatedNormal(let deviation): return Self.truncated(shape, deviation, &random)
    case .xavierUniform: return Self.uniform(shape, (6 / (fanIn + fanOut)).squareRoot(), &random)
    case .xavierNormal: return Self.normal(shape, (2 / (fanIn + fanOut)).squareRoot(), &random)
    case .kaimingUniform: return Self.uniform(shape, (6 / fanIn).squareRoot(), &random)
    case .kaimingNormal: return Self.normal(shape, (2 / fanIn).squareRoot(), &random)
    case .leCunUniform: return Self.uniform(shape, (3 / fanIn).squareRoot(), &random)
    case .leCunNormal, .muHidden: return Self.normal(shape, (1 / fanIn).squareRoot(), &random)
    case .muOutput: return Self.normal(shape, 1 / fanIn, &random)
    case .fanInUniform: return Self.uniform(shape, (1 / fanIn).squareRoot(), &random)
    case .orthogonal(let gain): return Self.orthogonal(shape, gain, &random)
    }
  }

  private static func normal<Scalar: RealScalar>(
    _ shape: [Int], _ deviation: Double, _ random: inout RandomStream
  ) -> Tensor<Scalar> {
    let standard: Tensor<Scalar> = random.normal(shape)
    return standard * Scalar(deviation)
  }

  private static func uniform<Scalar: RealScalar>(
    _ shape: [Int], _ bound: Double, _ random: inout RandomStream
  ) -> Tensor<Scalar> {
    let unit: Tensor<Scalar> = random.uniform(shape)
    return (unit * 2 - 1) * Scalar(bound)
  }

  /// Draws outside the cut are drawn again.
  private static func truncated<Scalar: RealScalar>(
    _ shape: [Int], _ deviation: Double, _ random: inout RandomStream
  ) -> Tensor<Scalar> {
    var result: Tensor<Scalar> = random.normal(shape)
    while true {
      let isOutside = result.absolute() .> 2
      guard isOutside.any else { break }
      let again: Tensor<Scalar> = random.normal(shape)
      result = isOutside.select(again, result)
    }
    return result * Scalar(deviation)
  }

  private static func orthogonal<Scalar: RealScalar>(
    _ shape: [Int], _ gain: Double, _ random: inout RandomStream
  ) -> Tensor<Scalar> {
    precondition(shape.count >= 2, "an orthogonal weight needs two axes, but its shape is \(shape)")
    let rows = shape[0]
    let columns = shape.dropFirst().reduce(1, *)
    do {
      let tall: Tensor<Double> = try random.orthogonal([max(rows, columns), min(rows, columns)])
      return Tensor((rows >= columns ? tall : tall.transposed) * gain).reshaped(shape)
    } catch {
      preconditionFailure("normal numbers are finite: \(error)")
    }
  }
}
