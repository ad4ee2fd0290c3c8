// Sums, products, multiples and transposes of operators, none of which is formed.

public import Tensors

/// A product A B, applied from the right.
public struct ProductOperator<Left: LinearOperator, Right: LinearOperator>: LinearOperator
where Left.Scalar == Right.Scalar {
  public typealias Scalar = Left.Scalar
  let left: Left
  let right: Right

  public var shape: [Int] { [left.shape[0], right.shape[1]] }
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> { try left.apply(right.apply(x)) }
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try right.applyTransposed(left.applyTransposed(y))
  }
}

/// A linear combination alpha A + beta B.
public struct SumOperator<Left: LinearOperator, Right: LinearOperator>: LinearOperator
where Left.Scalar == Right.Scalar {
  public typealias Scalar = Left.Scalar
  let left: Left
  let right: Right
  let alpha: Scalar
  let beta: Scalar

  public var shape: [Int] { left.shape }
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try left.apply(x) * alpha + right.apply(x) * beta
  }
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try left.applyTransposed(y) * alpha + right.applyTransposed(y) * beta
  }
}

/// A multiple alpha A + shift I; the shift needs a square operator.
public struct ScaledOperator<Base: LinearOperator>: LinearOperator {
  public typealias Scalar = Base.Scalar
  let base: Base
  let alpha: Scalar
  let shift: Scalar

  public var shape: [Int] { base.shape }
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> { shifted(try base.apply(x), x) }
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> { shifted(try base.applyTransposed(y), y) }
  private func shifted(_ image: Tensor<Scalar>, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    shift == 0 ? image * alpha : image * alpha + x * shift
  }
}

/// The transpose Aᵀ.
public struct TransposedOperator<Base: LinearOperator>: LinearOperator {
  public typealias Scalar = Base.Scalar
  let base: Base

  public var shape: [Int] { base.shape.reversed() }
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> { try base.applyTransposed(x) }
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> { try base.apply(y) }
}

extension ProductOperator: Sendable where Left: Sendable, Right: Sendable {}
extension SumOperator: Sendable where Left: Sendable, Right: Sendable {}
extension ScaledOperator: Sendable where Base: Sendable {}
extension TransposedOperator: Sendable where Base: Sendable {}

extension LinearOperator {
  /// A B as an operator: `other` acts first. Traps when shapes do not fit.
  public func composed<Other: LinearOperator<Scalar>>(with other: Other) -> ProductOperator<Self, Other> {
    precondition(shape[1] == other.shape[0], "a product of operators of shapes \(shape) and \(other.shape)")
    return ProductOperator(left: self, right: other)
  }

  /// alpha A + beta B as an operator. Traps on unequal shapes.
  public func added<Other: LinearOperator<Scalar>>(
    to other: Other, _ alpha: Scalar = 1, _ beta: Scalar = 1
  ) -> SumOperator<Self, Other> {
    precondition(shape == other.shape, "a sum of operators of shapes \(shape) and \(other.shape)")
    return SumOperator(left: self, right: other, alpha: alpha, beta: beta)
  }

  /// alpha A as an operator.
  public func scaled(by alpha: Scalar) -> ScaledOperator<Self> { ScaledOperator(base: self, alpha: alpha, shift: 0) }

  /// A + shift I as an operator. Traps unless this is square.
  public func shifted(by shift: Scalar) -> ScaledOperator<Self> {
    precondition(shape[0] == shape[1], "a shift of an operator of shape \(shape), which is not square")
    return ScaledOperator(base: self, alpha: 1, shift: shift)
  }

  /// Aᵀ as an operator.
  public var transposedOperator: TransposedOperator<Self> { TransposedOperator(base: self) }

  /// Aᵀ A as an operator.
  public var gramOperator: ProductOperator<TransposedOperator<Self>, Self> { transposedOperator.composed(with: self) }
}
