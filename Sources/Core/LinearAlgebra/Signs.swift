// Singular vectors and eigenvectors are unique only up to sign. One choice for all of Apus, so that results can be
// compared: in each vector, the first of the entries that are within one percent of the largest magnitude is positive.
// (Without the margin, rounding would choose among entries of equal magnitude.)

import Tensors

/// Gives each of the `count` rows of `vectors` the standard sign, and returns the signs they were multiplied by.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func standardizeSigns<Scalar: LinearScalar>(
  _ vectors: UnsafeMutablePointer<Scalar>, count: Int, length: Int
) -> [Scalar] {
  var signs = [Scalar](repeating: 1, count: count)
  guard length > 0 else { return signs }
  for i in 0..<count {
    let vector = vectors + i * length
    let largest = Scalar.reduce(.largest, vector, stride: 1, count: length)
    let smallest = Scalar.reduce(.smallest, vector, stride: 1, count: length)
    let threshold = Scalar(0.99) * max(largest, -smallest)
    var first = 0
    while vector[first].magnitude < threshold { first += 1 }
    if vector[first] < 0 {
      signs[i] = -1
      Scalar.apply(.negate, vector, strideA: 1, vector, count: length)
    }
  }
  return signs
}

/// Multiplies column j of a row-major matrix by `signs[j]`; columns beyond the signs stay.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func multiplyColumns<Scalar: LinearScalar>(
  _ matrix: UnsafeMutablePointer<Scalar>, rows: Int, columns: Int, by signs: [Scalar]
) {
  guard signs.contains(-1) else { return }
  signs.withUnsafeBufferPointer { signs in
    for i in 0..<rows {
      let row = matrix + i * columns
      for j in 0..<signs.count { row[j] *= signs[j] }
    }
  }
}
