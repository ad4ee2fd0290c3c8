// Norms of matrices: by elements, by rows and columns, and by singular values.

public import Tensors

/// A norm of a matrix.
public enum MatrixNorm: Sendable, Hashable {
  /// The square root of the sum of squares.
  case frobenius
  /// The sum of the singular values.
  case nuclear
  /// The largest singular value.
  case spectral
  /// The p-norm of the singular values, p >= 1.
  case schatten(Double)
  /// The largest sum of magnitudes in a column, in a row.
  case one, infinity
  /// The largest magnitude of an element.
  case maximum
}

extension Tensor where Scalar: LinearScalar {
  /// A norm of this matrix as a tensor of shape [], through which derivatives flow.
  ///
  /// Where a norm has a corner, the derivative is one of its subgradients; at zero, that of Frobenius' norm is zero.
  /// - Throws: `InvalidArgument` unless this is a matrix, of finite numbers for norms of singular values.
  public func norm(_ kind: MatrixNorm) throws -> Tensor {
    guard rank == 2 else { throw InvalidArgument("matrix", found: "shape \(shape)", wanted: "a matrix") }
    guard !isEmpty else { return Tensor(0) }
    switch kind {
    case .frobenius: return frobeniusNormTensor
    case .nuclear: return try singularValues().sum()
    case .spectral: return try singularValues()[0]
    case .schatten(let p):
      guard p >= 1 else { throw InvalidArgument("p", found: "\(p)", wanted: "at least 1, or infinity") }
      return try singularValues().powerNorm(Scalar(p), axis: 0)
    case .one: return absolute().sum(axis: 0).maximum()
    case .infinity: return absolute().sum(axis: 1).maximum()
    case .maximum: return absolute().maximum()
    }
  }

  private var frobeniusNormTensor: Tensor {
    guard isDifferentiated else { return Tensor(frobeniusNorm()) }
    return customDerivative(at: self) { x in
      let norm = x.frobeniusNormTensor
      return (norm, { g in norm.scalar > 0 ? x * (g / norm) : .zeros(x.shape) })
    }
  }

  // MARK: As plain numbers

  /// The square root of the sum of squares of all elements, of a tensor of any shape, without overflow or underflow.
  public func frobeniusNorm() -> Scalar {
    requireConstant(insteadUse: "norm(.frobenius)")
    let sum = sumOfSquares().scalar
    if sum.isFinite && sum >= .leastNormalMagnitude / .ulpOfOne || isEmpty { return .sqrt(sum) }
    let largest = absolute().maximum().scalar
    guard largest > 0, largest.isFinite else { return largest }
    return largest * .sqrt((self / largest).sumOfSquares().scalar)
  }

  /// The largest sum of magnitudes in a column: the operator norm from l1 to l1. Zero for an empty matrix.
  public func oneNorm() -> Scalar { largestSum(axis: 0) }

  /// The largest sum of magnitudes in a row: the operator norm from l∞ to l∞. Zero for an empty matrix.
  public func infinityNorm() -> Scalar { largestSum(axis: 1) }

  private func largestSum(axis: Int) -> Scalar {
    requireConstant(insteadUse: "norm(.one) or norm(.infinity)")
    precondition(rank == 2, "a matrix was expected, but the shape is \(shape)")
    return isEmpty ? 0 : absolute().sum(axis: axis).maximum().scalar
  }

  /// The largest magnitude of an element; zero for an empty tensor.
  public func maximumNorm() -> Scalar {
    requireConstant(insteadUse: "norm(.maximum)")
    return isEmpty ? 0 : absolute().maximum().scalar
  }

  /// The l_pq norm of a matrix: the q-norm of the p-norms of its columns. p = 2, q = 1 is the sum of column lengths,
  /// which group sparsity uses. Either may be infinite.
  ///
  /// - Precondition: p, q >= 1.
  public func columnwiseNorm(p: Scalar, q: Scalar) -> Scalar {
    requireConstant(insteadUse: "absolute(), power(_:) and sum(axis:)")
    precondition(rank == 2, "a matrix was expected, but the shape is \(shape)")
    precondition(p >= 1 && q >= 1, "norms need exponents of at least 1, but p is \(p) and q \(q)")
    return isEmpty ? 0 : absolute().powerNorm(p, axis: 0).powerNorm(q, axis: 0).scalar
  }

  /// (sum x^p)^(1/p) along an axis, of magnitudes, scaled by the largest.
  private func powerNorm(_ p: Scalar, axis: Int) -> Tensor {
    if p == 1 { return sum(axis: axis) }
    let largest = maximum(axis: axis, keepingAxis: true)
    let flat = largest.squeezed(axis: axis)
    if p == .infinity { return flat }
    let scale = (largest .> 0).select(largest, Tensor(1))
    return flat * (self / scale).power(p).sum(axis: axis).power(1 / p)
  }

  // MARK: By singular values

  /// The largest singular value; zero for an empty matrix.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers.
  public func spectralNorm() throws -> Scalar { try schattenNorm(.infinity) }

  /// The sum of the singular values.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers.
  public func nuclearNorm() throws -> Scalar { try schattenNorm(1) }

  /// The p-norm of the singular values: p = 1 is the nuclear norm, 2 Frobenius', infinity the spectral norm.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers and p >= 1.
  public func schattenNorm(_ p: Scalar) throws -> Scalar {
    requireConstant(insteadUse: "norm(.schatten(p))")
    guard p >= 1 else { throw InvalidArgument("p", found: "\(p)", wanted: "at least 1, or infinity") }
    let values = try singularValues()
    return values.isEmpty ? 0 : values.powerNorm(p, axis: 0).scalar
  }

  /// ‖A‖_F² / ‖A‖₂²: a rank that small singular values hardly raise. Zero for the zero matrix.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers.
  public func stableRank() throws -> Scalar {
    requireConstant(insteadUse: "singularValues()")
    let values = try singularValues()
    guard let largest = values.scalars.first, largest > 0 else { return 0 }
    return (values / largest).sumOfSquares().scalar
  }

  /// exp of the entropy of the singular values as shares of their sum. Zero for the zero matrix.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers.
  /// - Source: Roy and Vetterli, "The effective rank", EUSIPCO 2007.
  public func effectiveRank() throws -> Scalar {
    requireConstant(insteadUse: "singularValues()")
    let values = try singularValues()
    guard let largest = values.scalars.first, largest > 0 else { return 0 }
    let scaled = values / largest
    let shares = scaled / scaled.sum()
    let terms = (shares .> 0).select(shares * shares.log(), Tensor(0))
    return .exp(-terms.sum().scalar)
  }
}
