public import LinearAlgebra
public import Tensors

/// -Δ by central differences on a masked grid with zeros around it, times the squared mesh width, without a matrix.
///
/// Cells outside the mask count as zeros; their own equations are x = b, so that the operator is positive definite on the
/// whole grid.
/// - Complexity: O(cells) time a product, one pass over memory.
public struct GridPoisson<Scalar: LinearScalar>: LinearOperator, Sendable {
  /// The extents of the grid: two or three.
  public let extents: [Int]
  /// One inside the domain and zero outside, shape [cells]; nil for the whole grid.
  public let mask: Tensor<Scalar>?

  public var count: Int { extents.reduce(1, *) }
  public var shape: [Int] { [count, count] }

  /// - Parameter mask: which cells belong to the domain, of shape `extents`.
  /// - Throws: `InvalidArgument` for extents below one, more than three of them, a mask of another shape or without cells.
  public init(_ extents: [Int], mask: Tensor<Bool>? = nil) throws {
    guard (1...3).contains(extents.count), extents.allSatisfy({ $0 >= 1 }) else {
      throw InvalidArgument("extents", found: "\(extents)", wanted: "one to three positive numbers")
    }
    if let mask {
      guard mask.shape == extents else {
        throw InvalidArgument("mask", found: "shape \(mask.shape)", wanted: "shape \(extents)")
      }
      guard mask.any else { throw InvalidArgument("mask", found: "no cells", wanted: "at least one") }
    }
    self.extents = extents
    self.mask = mask.map { Tensor<Scalar>($0.scalars.map { $0 ? 1 : 0 }) }
  }

  /// The same operator as a sparse matrix.
  public func matrix() throws -> SparseMatrix<Scalar> {
    let whole = SparseMatrix<Scalar>.gridLaplacian(extents)
    guard let mask else { return whole }
    let inside = whole.scalingRows(by: mask).scalingColumns(by: mask).pruned()
    return inside + SparseMatrix(diagonal: Tensor(1) - mask).pruned()
  }

  /// A x for x of shape [cells] or, a vector a column, [cells, p].
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    precondition(x.shape.first == count && x.rank <= 2, "a grid of \(count) cells applied to shape \(x.shape)")
    if x.rank == 2 { return applied(toRows: x.transposed.dense).transposed.dense }
    return applied(toRows: x.reshaped([1, count])).reshaped([count])
  }

  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> { try apply(y) }

  /// A x for every row of x, shape [p, cells]; differentiable.
  public func applied(toRows x: Tensor<Scalar>) -> Tensor<Scalar> {
    customDerivative(at: x) { x in (stencil(x), { applied(toRows: $0) }) }
  }

  private func stencil(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(x.rank == 2 && x.columns == count, "rows of \(count) cells wanted, shape \(x.shape) found")
    if x.isDifferentiated { return stencilOfTensors(x) }
    let inner = (mask.map { x * $0 } ?? x).dense
    let result = Tensor<Scalar>(uninitializedShape: x.shape) { y in
      inner.withUnsafeBuffer { x in
        for row in 0..<inner.rows {
          gridStencil(x.baseAddress! + row * count, y.baseAddress! + row * count, extents)
        }
      }
    }
    return mask.map { result * $0 + x * (Tensor(1) - $0) } ?? result
  }

  /// The same in differentiable operations.
  private func stencilOfTensors(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let inner = (mask.map { x * $0 } ?? x).reshaped([x.rows] + extents)
    var sum = inner * Scalar(2 * extents.count)
    for axis in extents.indices where extents[axis] > 1 {
      let parts = inner.split(sizes: [1, extents[axis] - 1], axis: axis + 1)
      let heads = inner.split(sizes: [extents[axis] - 1, 1], axis: axis + 1)
      var (before, after) = (
        [(before: Int, after: Int)](repeating: (0, 0), count: inner.rank),
        [(before: Int, after: Int)](repeating: (0, 0), count: inner.rank)
      )
      before[axis + 1] = (1, 0)
      after[axis + 1] = (0, 1)
      sum = sum - parts[1].padded(after) - heads[0].padded(before)
    }
    let result = sum.reshaped(x.shape)
    return mask.map { result * $0 + x * (Tensor(1) - $0) } ?? result
  }
}

/// y = A x on one grid: lines along the last axis, on several threads.
private func gridStencil<Scalar: LinearScalar>(
  _ x: UnsafePointer<Scalar>, _ y: UnsafeMutablePointer<Scalar>, _ extents: [Int]
) {
  let width = extents[extents.count - 1]
  let height = extents.count > 1 ? extents[extents.count - 2] : 1
  let depth = extents.count > 2 ? extents[0] : 1
  let plane = width * height
  // Beyond the edges lie zeros.
  let zeros = [Scalar](repeating: 0, count: width)
  zeros.withUnsafeBufferPointer { zeros in
    let none = zeros.baseAddress!
    parallelRanges(depth * height, grain: max(1, (1 << 14) / width)) { lines in
      for line in lines {
        let (k, j) = (line / height, line % height)
        let from = x + line * width
        stencilLine(
          from, above: j > 0 ? from - width : none, below: j + 1 < height ? from + width : none,
          before: k > 0 ? from - plane : none, behind: k + 1 < depth ? from + plane : none,
          isSolid: depth > 1, centre: Scalar(2 * extents.count), y + line * width, width)
      }
    }
  }
}

/// One line of the stencil, in one pass.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func stencilLine<Scalar: LinearScalar>(
  _ x: UnsafePointer<Scalar>, above: UnsafePointer<Scalar>, below: UnsafePointer<Scalar>,
  before: UnsafePointer<Scalar>, behind: UnsafePointer<Scalar>, isSolid: Bool, centre: Scalar,
  _ y: UnsafeMutablePointer<Scalar>, _ width: Int
) {
  var i = 1
  while i < width &- 1 {
    y[i] = centre * x[i] - x[i &- 1] - x[i &+ 1] - above[i] - below[i]
    i &+= 1
  }
  let last = width - 1
  y[0] = centre * x[0] - above[0] - below[0]
  if last > 0 {
    y[0] -= x[1]
    y[last] = centre * x[last] - x[last - 1] - above[last] - below[last]
  }
  guard isSolid else { return }
  i = 0
  while i < width {
    y[i] -= before[i] + behind[i]
    i &+= 1
  }
}
