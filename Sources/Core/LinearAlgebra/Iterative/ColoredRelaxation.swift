// Relaxation of unknowns that are not coupled to each other at the same time: red–black ordering, and more colours.

import Tensors

/// A colour for each row of a square matrix, such that no two rows of one colour are coupled: 0, 1, ... in the order of
/// discovery.
///
/// Matrices whose unknowns can be coloured with two colours, such as those of grids with couplings between nearest
/// neighbours, get two: rows are coloured by breadth-first search, each with the least colour that its neighbours leave.
/// - Throws: `InvalidArgument` for a matrix that is not square.
/// - Complexity: O(entries).
public func rowColors<Scalar: LinearScalar>(_ matrix: SparseMatrix<Scalar>) throws -> [Int] {
  _ = try matrix.squareSize("matrix")
  // Couplings in either direction count.
  let rows = matrix.stored(by: .rows)
  let columns = matrix.transposed.stored(by: .rows)
  let parts = [rows, columns].map { (starts: $0.starts.scalars, indices: $0.indices.scalars) }
  var colors = [Int](repeating: -1, count: rows.rows)
  var isQueued = [Bool](repeating: false, count: rows.rows)
  var queue: [Int32] = []
  queue.reserveCapacity(rows.rows)
  var used: [Bool] = []
  for first in 0..<rows.rows where !isQueued[first] {
    isQueued[first] = true
    var head = queue.count
    queue.append(Int32(first))
    while head < queue.count {
      let i = Int(queue[head])
      head += 1
      for color in used.indices { used[color] = false }
      for (starts, indices) in parts {
        for k in Int(starts[i])..<Int(starts[i + 1]) {
          let j = Int(indices[k])
          if j == i { continue }
          if colors[j] >= 0 {
            used[colors[j]] = true
          } else if !isQueued[j] {
            isQueued[j] = true
            queue.append(Int32(j))
          }
        }
      }
      let color = used.firstIndex(of: false) ?? used.count
      if color == used.count { used.append(false) }
      colors[i] = color
    }
  }
  return colors
}

/// Sweeps of over-relaxation, one colour after another, each on several threads.
///
/// The result does not depend on the number of threads: within a colour no unknown sees another.
final class ColoredRelaxationSweep<Scalar: LinearScalar>: Sendable {
  private let matrix: SparseMatrix<Scalar>
  private let inverse: Tensor<Scalar>
  private let relaxation: Scalar
  /// The rows of each colour.
  private let classes: [[Int32]]

  /// - Throws: as ``RelaxationSweep/init(_:relaxation:)``.
  init(_ matrix: SparseMatrix<Scalar>, relaxation: Double) throws {
    try requireRelaxation(relaxation)
    self.matrix = try matrix.validSquare().stored(by: .rows)
    let diagonal = self.matrix.diagonal
    if let zero = diagonal.scalars.firstIndex(of: 0) { throw DecompositionError.singular(pivot: zero) }
    inverse = diagonal.reciprocal()
    self.relaxation = Scalar(relaxation)
    let colors = try rowColors(self.matrix)
    var classes = [[Int32]](repeating: [], count: (colors.max() ?? -1) + 1)
    for (i, color) in colors.enumerated() { classes[color].append(Int32(i)) }
    self.classes = classes
  }

  /// One sweep over x, of n numbers, towards A x = b; `residual` = b - A x before, and after.
  ///
  /// The first colour moves by the residual that the sweep before has left, the last one's residual after its own move is
  /// 1 - ω times that before: of two colours, each row is read once.
  func sweep(_ x: inout Tensor<Scalar>, _ rightSide: Tensor<Scalar>, _ residual: inout Tensor<Scalar>) {
    x.withUnsafeMutableBuffer { x in
      residual.withUnsafeMutableBuffer { r in
        rightSide.withUnsafeBuffer { b in
          inverse.withUnsafeBuffer { inverse in
            matrix.starts.withUnsafeBuffer { starts in
              matrix.indices.withUnsafeBuffer { indices in
                matrix.values.withUnsafeBuffer { values in
                  let rows = Rows(
                    starts: starts.baseAddress!, indices: indices.baseAddress!, values: values.baseAddress!,
                    b: b.baseAddress!, x: x.baseAddress!, r: r.baseAddress!, inverse: inverse.baseAddress!)
                  sweep(rows)
                }
              }
            }
          }
        }
      }
    }
  }

  /// What a sweep reads and writes.
  private struct Rows {
    let starts, indices: UnsafePointer<Int32>
    let values, b: UnsafePointer<Scalar>
    let x, r: UnsafeMutablePointer<Scalar>
    let inverse: UnsafePointer<Scalar>
  }

  private func sweep(_ rows: Rows) {
    for (color, members) in classes.enumerated() {
      members.withUnsafeBufferPointer { members in
        let list = members.baseAddress!
        parallelRanges(members.count, grain: 1 << 12) { range in
          if color > 0 { setResiduals(rows, list, range) }
          move(rows, list, range, isLast: color == classes.count - 1)
        }
      }
    }
    for members in classes.dropLast() {
      members.withUnsafeBufferPointer { members in
        let list = members.baseAddress!
        parallelRanges(members.count, grain: 1 << 12) { setResiduals(rows, list, $0) }
      }
    }
  }

  /// r_i = b_i - (A x)_i.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private func setResiduals(_ rows: Rows, _ list: UnsafePointer<Int32>, _ range: Range<Int>) {
    let (starts, indices, values, x) = (rows.starts, rows.indices, rows.values, rows.x)
    for place in range {
      let i = Int(list[place])
      var rest = rows.b[i]
      var k = Int(starts[i])
      let end = Int(starts[i &+ 1])
      while k < end {
        rest -= values[k] * x[Int(indices[k])]
        k &+= 1
      }
      rows.r[i] = rest
    }
  }

  /// x_i += ω r_i / a_ii.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private func move(_ rows: Rows, _ list: UnsafePointer<Int32>, _ range: Range<Int>, isLast: Bool) {
    let kept = isLast ? 1 - relaxation : 1
    for place in range {
      let i = Int(list[place])
      rows.x[i] += relaxation * rows.r[i] * rows.inverse[i]
      rows.r[i] *= kept
    }
  }
}
