// Cholesky and LU of large matrices, spread over the threads.
//
// LAPACK on several threads of its own sums in an order that depends on their number. Here the diagonal blocks go to
// LAPACK on one thread, and the rest, nearly all of the work, is products over blocks that depend on the shape alone:
// the result is the same on any number of threads.

import Tensors

/// A = Uᵀ U from and into the upper triangle of row-major memory.
/// Returns the order of the first leading minor that is not positive, or zero.
func factorCholesky<Scalar: LinearScalar>(_ a: UnsafeMutablePointer<Scalar>, size: Int) -> Int {
  // LAPACK reads the buffer as the transpose: its lower triangle is our upper one.
  let block = 128
  if size <= 2 * block { return Scalar.factorCholesky(size: size, a, leading: size) }
  func element(_ i: Int, _ j: Int) -> UnsafeMutablePointer<Scalar> { a + i * size + j }
  for start in stride(from: 0, to: size, by: block) {
    let next = min(start + block, size)
    let height = next - start
    let minor = Scalar.factorCholesky(size: height, element(start, start), leading: size)
    if minor != 0 { return start + minor }
    let groups = (size - next + block - 1) / block
    parallelTasks(groups) { i in
      let first = next + i * block
      Scalar.solveTriangular(
        right: false, upper: true, transposing: true, unitDiagonal: false, rows: height,
        columns: min(block, size - first), alpha: 1, element(start, start), leadingA: size, element(start, first),
        leadingB: size)
    }
    // What is left of the matrix: row blocks of its upper triangle.
    parallelTasks(groups) { i in
      let first = next + i * block
      let width = min(block, size - first)
      let rest = size - first - width
      Scalar.multiplyByOwnTranspose(
        transposing: true, size: width, inner: height, alpha: -1, element(start, first), leadingA: size, beta: 1,
        element(first, first), leadingC: size)
      guard rest > 0 else { return }
      Scalar.multiply(
        transposingA: true, transposingB: false, rows: width, columns: rest, inner: height, alpha: -1,
        element(start, first), leadingA: size, element(start, first + width), leadingB: size, beta: 1,
        element(first, first + width), leadingC: size)
    }
  }
  return 0
}

/// P A = L U of column-major memory; the results are those of `FactorizationKernels.factorLU`.
func factorLU<Scalar: LinearScalar>(
  _ a: UnsafeMutablePointer<Scalar>, rows: Int, columns: Int, pivots: UnsafeMutablePointer<Int32>
) -> Int {
  let count = min(rows, columns)
  if count < 256 { return Scalar.factorLU(rows: rows, columns: columns, a, leading: rows, pivots: pivots) }
  let block = count < 1024 ? 64 : 128
  let group = 128
  func element(_ i: Int, _ j: Int) -> UnsafeMutablePointer<Scalar> { a + j * rows + i }
  var zeroPivot = 0
  for start in stride(from: 0, to: count, by: block) {
    let width = min(block, count - start)
    let next = start + width
    let info = Scalar.factorLU(
      rows: rows - start, columns: width, element(start, start), leading: rows, pivots: pivots + start)
    if info != 0 && zeroPivot == 0 { zeroPivot = start + info }
    // The columns to the left only follow the exchanges; those to the right are solved for and reduced, too.
    let leftGroups = (start + group - 1) / group
    let rightGroups = (columns - next + group - 1) / group
    parallelTasks(leftGroups + rightGroups) { i in
      if i >= rightGroups {
        let first = (i - rightGroups) * group
        Scalar.exchangeRows(
          columns: min(group, start - first), element(start, first), leading: rows, count: width,
          pivots: pivots + start)
        return
      }
      let first = next + i * group
      let columns = min(group, columns - first)
      Scalar.exchangeRows(
        columns: columns, element(start, first), leading: rows, count: width, pivots: pivots + start)
      // Read row by row, everything is transposed: X L1ᵀ = A1ᵀ, then A2ᵀ - X L2ᵀ.
      Scalar.solveTriangular(
        right: true, upper: true, transposing: false, unitDiagonal: true, rows: columns, columns: width, alpha: 1,
        element(start, start), leadingA: rows, element(start, first), leadingB: rows)
      guard next < rows else { return }
      Scalar.multiply(
        transposingA: false, transposingB: false, rows: columns, columns: rows - next, inner: width, alpha: -1,
        element(start, first), leadingA: rows, element(next, start), leadingB: rows, beta: 1, element(next, first),
        leadingC: rows)
    }
    for i in start..<next { pivots[i] += Int32(start) }
  }
  return zeroPivot
}
