// The finite-difference Laplacian on a box, the standard sparse matrix to test on.

public import Tensors

extension SparseMatrix {
  /// -Δ by central differences on a grid of these extents, times the squared mesh width, with zeros beyond the edges.
  ///
  /// On a line, in the plane and in space this is the matrix of the 3-, 5- and 7-point stencil: twice the number of
  /// axes on the diagonal, -1 for each neighbour. Points are numbered in row-major order. Symmetric positive definite,
  /// with the eigenvalues ``gridLaplacianEigenvalues(_:)``.
  /// - Complexity: O(points) time.
  public static func gridLaplacian(_ extents: [Int]) -> SparseMatrix {
    precondition(extents.allSatisfy { $0 >= 1 }, "a grid of extents \(extents)")
    let points = extents.reduce(1, *)
    precondition(
      points < Int(Int32.max) / (2 * extents.count + 1), "a grid of \(extents) points; its matrix has over 2^31 entries"
    )
    var strides = [Int](repeating: 1, count: extents.count)
    for axis in extents.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * extents[axis + 1] }
    let entries = points + extents.map { 2 * (points - points / $0) }.reduce(0, +)
    var starts = Tensor<Int32>.cleared([points + 1])
    var indices = Tensor<Int32>.unwritten([entries])
    var diagonals = Tensor<Int>.unwritten([points])
    starts.withUnsafeMutableBuffer { starts in
      indices.withUnsafeMutableBuffer { indices in
        diagonals.withUnsafeMutableBuffer { diagonals in
          var count = 0
          var place = [Int](repeating: 0, count: extents.count)
          for point in 0..<points {
            // Neighbours by increasing number: the longest step back first, the longest step forth last.
            for axis in extents.indices where place[axis] > 0 {
              indices[count] = Int32(point - strides[axis])
              count += 1
            }
            indices[count] = Int32(point)
            diagonals[point] = count
            count += 1
            for axis in extents.indices.reversed() where place[axis] + 1 < extents[axis] {
              indices[count] = Int32(point + strides[axis])
              count += 1
            }
            starts[point + 1] = Int32(count)
            var axis = extents.count - 1
            while axis >= 0 {
              place[axis] += 1
              if place[axis] < extents[axis] { break }
              place[axis] = 0
              axis -= 1
            }
          }
        }
      }
    }
    let center = Scalar(2 * extents.count)
    let values = Tensor(repeating: -1, shape: [entries]).scatterAdded(
      Tensor(repeating: center + 1, shape: [points]), at: diagonals)
    return SparseMatrix(trusted: points, points, .rows, starts: starts, indices: indices, values: values)
  }

  /// The eigenvalues of ``gridLaplacian(_:)``, increasing: sums over the axes of 4 sin²(π k / (2 (n + 1))), k = 1...n.
  public static func gridLaplacianEigenvalues(_ extents: [Int]) -> Tensor<Scalar> {
    var sums = Tensor<Scalar>([0])
    for extent in extents {
      let angles = Tensor<Scalar>((1...extent).map { Scalar.pi * Scalar($0) / Scalar(2 * (extent + 1)) })
      let values = angles.sin().squared() * 4
      sums = (sums.expanded(axis: 1) + values.expanded(axis: 0)).flattened
    }
    return sums.sorted()
  }
}
