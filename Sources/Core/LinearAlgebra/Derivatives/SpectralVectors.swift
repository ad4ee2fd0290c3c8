// Derivatives of singular values, eigenvalues and their vectors.
//
// Vectors turn into each other at a rate of one over the gap between their values. Where values coincide, the vectors
// have no derivative: a cotangent that asks for it becomes not a number, instead of something plausible. Values alone,
// and vectors whose cotangent is zero (those beyond a truncation), are always fine.

import Tensors

/// The factors 1 / (x_j - x_i), or 1 / (x_j + x_i), with zeros on the diagonal.
///
/// Where the denominator is rounding, below `tolerance`, the factor is not a number, or zero if neither i nor j is
/// `used`.
func reciprocalGaps<Scalar: LinearScalar>(
  _ x: Tensor<Scalar>, sums: Bool = false, used: Tensor<Bool>, tolerance: Scalar
) -> Tensor<Scalar> {
  let (columns, rows) = (x.expanded(axis: 0), x.expanded(axis: 1))
  let gaps = sums ? columns + rows : columns - rows
  let isDiagonal = Tensor<Scalar>.identity(x.count) .> 0
  let isClear = (gaps.withoutDerivative.absolute() .> tolerance) .& .!isDiagonal
  let isWanted = (used.expanded(axis: 0) .| used.expanded(axis: 1)) .& .!isDiagonal
  let instead = isWanted.select(Tensor(Scalar.nan), Tensor(0))
  return isClear.select(isClear.select(gaps, Tensor(1)).reciprocal(), instead)
}

/// Which columns have entries other than zero.
private func usedColumns<Scalar: LinearScalar>(_ cotangents: [Tensor<Scalar>?], count: Int) -> Tensor<Bool> {
  cotangents.reduce(Tensor<Bool>(repeating: false, shape: [count])) { used, g in
    guard let g else { return used }
    return used .| (g.withoutDerivative.absolute().sum(axis: 0) .!= 0)
  }
}

/// Xᵀ g - gᵀ X.
private func rotation<Scalar: LinearScalar>(_ x: Tensor<Scalar>, _ g: Tensor<Scalar>?) -> Tensor<Scalar> {
  guard let g else { return .zeros([x.columns, x.columns]) }
  let product = x.matmul(g, transposingA: true)
  return product - product.transposed
}

// MARK: Singular values

/// A = U diag(s) Vᵀ for `numbers` of a thin decomposition, with derivatives.
///
/// With a and b half the sum and half the difference of UᵀgU - gUᵀU and VᵀgV - gVᵀV, A's cotangent is
/// U (diag(gs) + a / (s_j - s_i) + b / (s_j + s_i)) Vᵀ, and what gU and gV have outside the ranges of U and V. In this
/// form nothing cancels: functions of U Vᵀ alone have a = 0.
///
/// Source: Townsend, "Differentiating the singular value decomposition", 2016, rewritten.
func differentiatedSVD<Scalar: LinearScalar>(
  _ numbers: SingularValueDecomposition<Scalar>, of matrix: Tensor<Scalar>
) -> SingularValueDecomposition<Scalar> {
  guard matrix.isDifferentiated else { return numbers }
  let results = customDerivatives(at: [matrix]) { arguments in
    let svd = differentiatedSVD(numbers, of: arguments[0])
    return (
      [svd.left, svd.values, svd.right],
      { cotangents, _ in [svd.cotangent(cotangents[0], cotangents[1], cotangents[2])] }
    )
  }
  return SingularValueDecomposition(left: results[0], values: results[1], right: results[2])
}

extension SingularValueDecomposition {
  fileprivate func cotangent(_ gLeft: Tensor<Scalar>?, _ gValues: Tensor<Scalar>?, _ gRight: Tensor<Scalar>?)
    -> Tensor<Scalar>
  {
    let (m, n) = (left.rows, right.rows)
    let byValues = gValues.map { (left * $0).matmul(right, transposingB: true) }
    guard gLeft != nil || gRight != nil else { return byValues ?? .zeros([m, n]) }
    let used = usedColumns([gLeft, gRight], count: values.count)
    let tolerance = .ulpOfOne * Scalar(max(m, n)) * (values.scalars.first ?? 0)
    let (a, b) = (rotation(left, gLeft), rotation(right, gRight))
    let middle =
      (a + b) * 0.5 * reciprocalGaps(values, used: used, tolerance: tolerance)
      + (a - b) * 0.5 * reciprocalGaps(values, sums: true, used: used, tolerance: tolerance)
    var result = left.matmul(middle).matmul(right, transposingB: true)
    if let byValues { result = byValues + result }
    // Singular values of zero: as for gaps.
    let isClear = values.withoutDerivative .> tolerance
    let instead = used.select(Tensor(Scalar.nan), Tensor(0))
    let reciprocals = isClear.select(isClear.select(values, Tensor(1)).reciprocal(), instead)
    if let gLeft, m > values.count {
      let outside = gLeft - left.matmul(left.matmul(gLeft, transposingA: true))
      result = result + (outside * reciprocals).matmul(right, transposingB: true)
    }
    if let gRight, n > values.count {
      let outside = gRight - right.matmul(right.matmul(gRight, transposingA: true))
      result = result + (left * reciprocals).matmul(outside, transposingB: true)
    }
    return result
  }
}

// MARK: Eigenvalues of symmetric matrices

/// w and V of a symmetric matrix from their numbers, with derivatives: A's cotangent is the symmetric matrix
/// V (diag(gw) + (VᵀgV - gVᵀV) / (2 (w_j - w_i))) Vᵀ.
///
/// Source: Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008,
/// section 3.1.
func differentiatedEigen<Scalar: LinearScalar>(
  _ values: Tensor<Scalar>, _ vectors: Tensor<Scalar>, of matrix: Tensor<Scalar>
) -> (values: Tensor<Scalar>, vectors: Tensor<Scalar>) {
  guard matrix.isDifferentiated else { return (values, vectors) }
  let results = customDerivatives(at: [matrix]) { arguments in
    let (w, v) = differentiatedEigen(values, vectors, of: arguments[0])
    return (
      [w, v],
      { cotangents, _ in
        var scaled: Tensor<Scalar>?
        if let g = cotangents[0] { scaled = v * g }
        if cotangents[1] != nil {
          let used = usedColumns([cotangents[1]], count: w.count)
          let tolerance = .ulpOfOne * Scalar(w.count) * w.withoutDerivative.maximumNorm()
          let middle = rotation(v, cotangents[1]) * 0.5 * reciprocalGaps(w, used: used, tolerance: tolerance)
          let turned = v.matmul(middle)
          scaled = scaled.map { $0 + turned } ?? turned
        }
        return [scaled?.matmul(v, transposingB: true)]
      }
    )
  }
  return (results[0], results[1])
}

/// The divided differences (f_j - f_i) / (w_j - w_i) of a function of eigenvalues, differentiable.
///
/// Where eigenvalues nearly coincide, the mean of the derivatives at both takes their place; its error is of the order of
/// the gap squared, that of the quotient of the precision over the gap.
func dividedDifferences<Scalar: LinearScalar>(
  _ w: Tensor<Scalar>, _ function: (Tensor<Scalar>) -> Tensor<Scalar>
) -> Tensor<Scalar> {
  let slopes = vectorJacobianProduct(
    at: [w], of: { function($0[0]) }, direction: { .ones($0.shape) }
  ).gradients[0]
  let values = function(w)
  let gaps = w.expanded(axis: 0) - w.expanded(axis: 1)
  let numbers = w.withoutDerivative.absolute()
  let local = numbers.expanded(axis: 0).maximum(numbers.expanded(axis: 1)) * Scalar.root(Scalar.ulpOfOne, 3)
  let floor = .ulpOfOne * Scalar(w.count) * w.withoutDerivative.maximumNorm()
  let isClear = gaps.withoutDerivative.absolute() .> local.maximum(floor)
  let quotients =
    (values.expanded(axis: 0) - values.expanded(axis: 1)) / isClear.select(gaps, Tensor(1))
  return isClear.select(quotients, (slopes.expanded(axis: 0) + slopes.expanded(axis: 1)) * 0.5)
}
