// Plane rotations, the step of which updates of factors are made.

import Tensors

/// The rotation that takes (x, y) to (length, 0).
func rotation<Scalar: LinearScalar>(_ x: Scalar, _ y: Scalar) -> (cosine: Scalar, sine: Scalar, length: Scalar) {
  let length = Scalar.hypot(x, y)
  return length > 0 ? (x / length, y / length, length) : (1, 0, 0)
}

/// (x, y) ← (c x + s y, c y - s x), for two rows.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func rotateRows<Scalar: LinearScalar>(
  _ x: UnsafeMutablePointer<Scalar>, _ y: UnsafeMutablePointer<Scalar>, count: Int, cosine: Scalar, sine: Scalar
) {
  for i in 0..<count {
    let (u, v) = (x[i], y[i])
    (x[i], y[i]) = (cosine * u + sine * v, cosine * v - sine * u)
  }
}
