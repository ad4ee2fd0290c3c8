// Norms of matrices that are known by what they do to vectors.

import Tensors

/// An estimate from below of the one-norm of a linear map, within a factor of three nearly always and often exact.
///
/// - Parameters: apply: x to A x for x of shape [n]; applyTransposed: x to Aᵀ x.
/// - Source: Higham, "FORTRAN codes for estimating the one-norm", ACM Trans. Math. Softw. 14 (1988).
func estimatedOneNorm<Scalar: LinearScalar>(
  size: Int, of: Scalar.Type, apply: (Tensor<Scalar>) -> Tensor<Scalar>,
  applyTransposed: (Tensor<Scalar>) -> Tensor<Scalar>
) -> Scalar {
  guard size > 0 else { return 0 }
  func length(_ x: Tensor<Scalar>) -> Scalar { x.absolute().sum().scalar }
  func signs(_ x: Tensor<Scalar>) -> Tensor<Scalar> { Tensor.ones([size]).copyingSign(of: x) }
  var y = apply(Tensor(repeating: 1 / Scalar(size), shape: [size]))
  var estimate = length(y)
  guard size > 1 else { return estimate }
  var pattern = signs(y)
  var previous = -1
  for _ in 0..<5 {
    let slope = applyTransposed(pattern).absolute()
    let best = slope.argmax(axis: 0).scalar
    if best == previous || !(slope[at: best] > 0) { break }
    previous = best
    var unit = Tensor<Scalar>.zeros([size])
    unit[best] = Tensor(1)
    y = apply(unit)
    let next = length(y)
    if !(next > estimate) { break }
    estimate = next
    let nextPattern = signs(y)
    if nextPattern == pattern { break }
    pattern = nextPattern
  }
  // A vector that the greedy steps cannot have been fooled by.
  let step = 1 / Scalar(size - 1)
  let probe = Tensor<Scalar>(
    (0..<size).map { i in
      let size = 1 + Scalar(i) * step
      return i % 2 == 0 ? size : -size
    })
  let probed = length(apply(probe))
  return max(estimate, 2 * probed / Scalar(3 * size))
}

/// An estimate of the one-norm of the product of square matrices.
func estimatedOneNorm<Scalar: LinearScalar>(of factors: [Tensor<Scalar>]) -> Scalar {
  estimatedOneNorm(
    size: factors[0].rows, of: Scalar.self,
    apply: { x in factors.reversed().reduce(x) { $1.matmul($0) } },
    applyTransposed: { x in factors.reduce(x) { $0.matmul($1) } })
}
