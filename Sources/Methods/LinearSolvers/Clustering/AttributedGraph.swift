public import LinearAlgebra
public import Tensors

/// A graph whose vertices carry categories, with one more vertex for each category: an edge of weight one joins it to all
/// vertices that have it.
public struct AttributedGraph: Sendable {
  /// The weights of the original graph, shape [n, n], symmetric, without loops.
  public let adjacency: SparseMatrix<Double>
  /// The same with the vertices of categories after the others, shape [N, N].
  public let augmented: SparseMatrix<Double>
  /// The vertex that stands for category l of vertex i, shape [n, q].
  public let attributeVertices: Tensor<Int>

  public var vertexCount: Int { adjacency.rows }
  public var attributeCount: Int { attributeVertices.columns }

  /// - Parameter attributes: category numbers, shape [n, q]; nil for a graph without any.
  /// - Throws: `InvalidArgument` unless `adjacency` is square, symmetric, finite and nowhere negative, and there are as many
  ///   rows of attributes as vertices. Loops are left out.
  public init(adjacency: SparseMatrix<Double>, attributes: Tensor<Int>? = nil) throws {
    let graph = try validGraph(adjacency)
    let count = graph.rows
    guard let attributes, attributes.count > 0 else {
      (self.adjacency, augmented, attributeVertices) = (graph, graph, .zeros([count, 0]))
      return
    }
    guard attributes.rank == 2, attributes.rows == count else {
      throw InvalidArgument(
        "attributes", found: "shape \(attributes.shape)", wanted: "shape [\(count), q], a row for each vertex")
    }
    let width = attributes.columns
    let values = attributes.scalars
    var vertices = [Int](repeating: 0, count: values.count)
    var next = count
    for l in 0..<width {
      let distinct = Set((0..<count).map { values[$0 * width + l] }).sorted()
      let places = Dictionary(uniqueKeysWithValues: zip(distinct, next...))
      for i in 0..<count { vertices[i * width + l] = places[values[i * width + l]] ?? next }
      next += distinct.count
    }
    let own = (0..<values.count).map { $0 / width }
    let rowIndices = Tensor.concatenated([graph.rowIndices, Tensor(own), Tensor(vertices)])
    let columnIndices = Tensor.concatenated([graph.columnIndices, Tensor(vertices), Tensor(own)])
    augmented = try SparseMatrix(
      rows: next, columns: next, rowIndices: rowIndices, columnIndices: columnIndices,
      values: .concatenated([graph.values, .ones([2 * values.count])]))
    self.adjacency = graph
    attributeVertices = Tensor(shape: [count, width], scalars: vertices)
  }

  /// The augmented graph's Laplacian, made positive definite: for each connected component a matrix e eᵀ is added, where e
  /// marks its first vertex and a neighbour of that.
  ///
  /// - Returns: the matrix and the number of components.
  public func definiteLaplacian() throws -> (matrix: SparseMatrix<Double>, components: Int) {
    let laplacian = try graphLaplacian(augmented)
    let labels = connectedComponents(augmented)
    let components = (labels.max() ?? -1) + 1
    var firsts = [Int](repeating: -1, count: components)
    for (i, label) in labels.enumerated() where firsts[label] < 0 { firsts[label] = i }
    let rows = CompressedRows(augmented)
    var (rowIndices, columnIndices): ([Int], [Int]) = ([], [])
    for first in firsts {
      var marked = [first]
      if rows.starts[first] < rows.starts[first + 1] { marked.append(Int(rows.indices[Int(rows.starts[first])])) }
      for i in marked {
        for j in marked {
          rowIndices.append(i)
          columnIndices.append(j)
        }
      }
    }
    let update = try SparseMatrix<Double>(
      rows: augmented.rows, columns: augmented.rows, rowIndices: Tensor(rowIndices),
      columnIndices: Tensor(columnIndices), values: .ones([rowIndices.count]))
    return (laplacian + update, components)
  }

  /// Coordinates of each vertex, followed by those of its categories: shape [n, (q + 1) d] from coordinates of all N
  /// vertices, shape [N, d].
  public func blockCoordinates(_ coordinates: Tensor<Double>) -> Tensor<Double> {
    precondition(
      coordinates.rank == 2 && coordinates.rows == augmented.rows,
      "coordinates of shape \(coordinates.shape) for \(augmented.rows) vertices")
    var blocks = [coordinates[0..<vertexCount]]
    for l in 0..<attributeCount {
      blocks.append(coordinates.gathered(attributeVertices[.all, l].copied(), axis: 0))
    }
    return .concatenated(blocks, axis: 1)
  }
}

/// Checks weights, and drops loops and zeros.
private func validGraph(_ adjacency: SparseMatrix<Double>) throws -> SparseMatrix<Double> {
  guard adjacency.rows == adjacency.columns, adjacency.rows > 0 else {
    throw InvalidArgument("adjacency", found: "shape \(adjacency.shape)", wanted: "a square matrix that is not empty")
  }
  try adjacency.requireFinite("adjacency")
  let byRows = adjacency.stored(by: .rows)
  // The same numbers in the same places are quicker to see than a difference of zero.
  let turned = byRows.transposed.stored(by: .rows)
  let isEqual = turned.starts == byRows.starts && turned.indices == byRows.indices && turned.values == byRows.values
  guard isEqual || byRows.isSymmetric() else {
    throw InvalidArgument("adjacency", found: "a matrix that is not symmetric", wanted: "weights of undirected edges")
  }
  guard adjacency.entryCount == 0 || adjacency.values.minimum().scalar >= 0 else {
    throw InvalidArgument(
      "adjacency", found: "the weight \(adjacency.values.minimum().scalar)", wanted: "weights that are not negative")
  }
  let isClean = byRows.diagonal.maximum().scalar == 0 && (byRows.entryCount == 0 || byRows.values.minimum().scalar > 0)
  if isClean && byRows.entryCount > 0 { return byRows }
  return byRows.combined(
    with: byRows.triangle(.lower).triangle(.upper), -1
  ).pruned()
}

/// D - A for the weights A of an undirected graph; its rows sum to zero.
public func graphLaplacian(_ adjacency: SparseMatrix<Double>) throws -> SparseMatrix<Double> {
  guard adjacency.rows == adjacency.columns else {
    throw InvalidArgument("adjacency", found: "shape \(adjacency.shape)", wanted: "a square matrix")
  }
  let byRows = adjacency.stored(by: .rows)
  return SparseMatrix(diagonal: byRows.matmul(.ones([byRows.columns]))) - byRows
}

/// The component of each vertex, numbered by their first vertices.
public func connectedComponents(_ adjacency: SparseMatrix<Double>) -> [Int] {
  let rows = CompressedRows(adjacency)
  var labels = [Int](repeating: -1, count: rows.rows)
  var count = 0
  var waiting: [Int] = []
  for start in 0..<rows.rows where labels[start] < 0 {
    labels[start] = count
    waiting.append(start)
    while let i = waiting.popLast() {
      for k in Int(rows.starts[i])..<Int(rows.starts[i + 1]) {
        let j = Int(rows.indices[k])
        if labels[j] < 0 {
          labels[j] = count
          waiting.append(j)
        }
      }
    }
    count += 1
  }
  return labels
}
