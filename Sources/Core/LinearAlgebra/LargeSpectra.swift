// Spectral decompositions of large matrices: what LAPACK's drivers do, with the steps that are matrix products spread
// over the threads. The reduction and the small problem behind it stay on one thread, so the result is the same on any
// number of threads.

import Tensors

/// Below this size LAPACK's own drivers are as fast.
private let leastSize = 192

/// Whether squares of the elements neither overflow nor vanish: what LAPACK's drivers scale matrices for.
private func isWellScaled<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>) -> Bool {
  let largest = matrix.absolute().maximum().scalar
  let least = Scalar.sqrt(.leastNormalMagnitude / .ulpOfOne)
  return largest > least && largest < 1 / least
}

/// Eigenvalues, and eigenvectors as rows, of a symmetric matrix; nil where LAPACK's driver should do it, or when the
/// iteration failed.
func decomposeLargeSymmetric<Scalar: LinearScalar>(
  _ matrix: Tensor<Scalar>
) -> (values: Tensor<Scalar>, vectors: Tensor<Scalar>)? {
  let size = matrix.rows
  guard size >= leastSize, isWellScaled(matrix) else { return nil }
  var reduced = matrix
  var values = Tensor<Scalar>.zeros([size])
  var below = values
  var scales = Tensor<Scalar>.zeros([size - 1])
  var vectors = Tensor<Scalar>.zeros([size, size])
  var info = 0
  values.withUnsafeMutableBuffer { values in
    below.withUnsafeMutableBuffer { below in
      reduced.withUnsafeMutableBuffer { a in
        scales.withUnsafeMutableBuffer { scales in
          Scalar.reduceToTridiagonal(
            size: size, a.baseAddress!, diagonal: values.baseAddress!, below: below.baseAddress!,
            scales: scales.baseAddress!)
        }
      }
      vectors.withUnsafeMutableBuffer { vectors in
        info = Scalar.decomposeTridiagonal(
          size: size, diagonal: values.baseAddress!, below: below.baseAddress!, vectors: vectors.baseAddress!)
      }
    }
  }
  guard info == 0 else { return nil }
  Reflections(packed: reduced, scales: scales, offset: 1).apply(to: &vectors, transposing: false)
  return (values, vectors)
}

/// Singular values of a matrix of shape [m, n], and both kinds of vectors as rows: of shapes [k, m] and [k, n]. Nil as
/// for ``decomposeLargeSymmetric(_:)``.
func decomposeLargeSingular<Scalar: LinearScalar>(
  _ matrix: Tensor<Scalar>
) -> (left: Tensor<Scalar>, values: Tensor<Scalar>, right: Tensor<Scalar>)? {
  // LAPACK reads the transpose: its rows are our columns, and its left vectors our right ones.
  let (rows, columns) = (matrix.columns, matrix.rows)
  let count = min(rows, columns)
  guard count >= leastSize, isWellScaled(matrix) else { return nil }
  let isUpper = rows >= columns
  var reduced = matrix
  var values = Tensor<Scalar>.zeros([count])
  var beside = values
  var (leftScales, rightScales) = (values, values)
  var right = Tensor<Scalar>.zeros([count, rows])
  var transposedV = Tensor<Scalar>.zeros([count, count])
  var info = 0
  values.withUnsafeMutableBuffer { values in
    beside.withUnsafeMutableBuffer { beside in
      reduced.withUnsafeMutableBuffer { a in
        leftScales.withUnsafeMutableBuffer { left in
          rightScales.withUnsafeMutableBuffer { right in
            Scalar.reduceToBidiagonal(
              rows: rows, columns: columns, a.baseAddress!, diagonal: values.baseAddress!,
              beside: beside.baseAddress!, leftScales: left.baseAddress!, rightScales: right.baseAddress!)
          }
        }
      }
      right.withUnsafeMutableBuffer { u in
        transposedV.withUnsafeMutableBuffer { v in
          info = Scalar.decomposeBidiagonal(
            isUpper: isUpper, size: count, diagonal: values.baseAddress!, beside: beside.baseAddress!,
            u: u.baseAddress!, leadingU: rows, transposedV: v.baseAddress!)
        }
      }
    }
  }
  guard info == 0 else { return nil }
  var left = transposedV.transposed.dense
  if columns > count { left = .concatenated([left, .zeros([count, columns - count])], axis: 1) }
  // One of the two sides starts a component later and has one reflection less.
  let leftOffset = isUpper ? 0 : 1
  let rightOffset = 1 - leftOffset
  Reflections(packed: reduced, scales: leftScales[0..<count - leftOffset].dense, offset: leftOffset)
    .apply(to: &right, transposing: false)
  Reflections(
    packed: reduced.transposed.dense, scales: rightScales[0..<count - rightOffset].dense, offset: rightOffset
  ).apply(to: &left, transposing: false)
  return (left, values, right)
}
