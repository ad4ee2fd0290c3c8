import LinearAlgebra
import LinearSolvers
import Tensors
import TestSupport
import Testing

@Suite struct ClusteringTests {
  @Test func augmentationCountsCategories() throws {
    var generator = TestGenerator(seed: 1)
    let graph = try randomGraph(30, extraEdges: 40, &generator)
    let attributes = Tensor((0..<30).map { [$0 % 3, ($0 / 2) % 4 - 7] })
    let augmented = try AttributedGraph(adjacency: graph, attributes: attributes)
    #expect(augmented.augmented.rows == 30 + 3 + 4)
    let degrees = augmented.augmented.matmul(.ones([37]))
    for l in 0..<2 {
      for i in 0..<30 {
        let vertex = augmented.attributeVertices[at: i, l]
        let same = (0..<30).count { attributes[at: $0, l] == attributes[at: i, l] }
        #expect(degrees[at: vertex] == Double(same))
      }
    }
    let laplacian = try graphLaplacian(augmented.augmented)
    #expect(laplacian.matmul(.ones([37])).largestMagnitude < 1e-12)
    let (matrix, components) = try augmented.definiteLaplacian()
    #expect(components == 1)
    #expect(try SymmetricEigendecomposition(of: matrix.dense).values[at: 0] > 1e-6)
    let coordinates: Tensor<Double> = generator.tensor([37, 2])
    let blocks = augmented.blockCoordinates(coordinates)
    #expect(blocks.shape == [30, 6])
    #expect(blocks[at: 4, 3] == coordinates[at: augmented.attributeVertices[at: 4, 0], 1])
  }

  @Test func qualityOfPartitions() throws {
    var generator = TestGenerator(seed: 2)
    let graph = try randomGraph(40, extraEdges: 80, &generator)
    #expect(abs(modularity(graph, labels: [Int](repeating: 0, count: 40))) < 1e-14)
    let labels = (0..<40).map { $0 * 4 / 40 }
    let renamed = labels.map { [2, 3, 0, 1][$0] }
    #expect(abs(modularity(graph, labels: labels) - modularity(graph, labels: renamed)) < 1e-14)
    // By the definition.
    let (dense, degrees) = (graph.dense, graph.matmul(.ones([40])))
    let total = degrees.sum().scalar
    var direct = 0.0
    for i in 0..<40 {
      for j in 0..<40 where labels[i] == labels[j] {
        direct += (dense[at: i, j] - degrees[at: i] * degrees[at: j] / total) / total
      }
    }
    #expect(abs(modularity(graph, labels: labels) - direct) < 1e-12)
    #expect(attributeEntropy(Tensor([[0], [0], [1], [1]]), labels: [0, 0, 1, 1]) == 0)
    #expect(abs(attributeEntropy(Tensor([[0], [1], [0], [1]]), labels: [0, 0, 1, 1]) - 1) < 1e-12)
  }

  @Test func separateCommunitiesAreFound() throws {
    // Three rings of 20 with chords, joined by single edges; the vertices in mixed order.
    var (rows, columns): ([Int], [Int]) = ([], [])
    func join(_ i: Int, _ j: Int) {
      rows += [i, j]
      columns += [j, i]
    }
    for c in 0..<3 {
      for i in 0..<20 { for step in [1, 2, 3] { join(3 * i + c, 3 * ((i + step) % 20) + c) } }
      join(c, 30 + (c + 1) % 3)
    }
    let graph = try SparseMatrix<Double>(
      rows: 60, columns: 60, rowIndices: Tensor(rows), columnIndices: Tensor(columns), values: .ones([rows.count]))
    let truth = (0..<60).map { $0 % 3 }
    var method = AttributedGraphClustering(clusters: 2...5, restarts: 20)
    let smooth = try method.fit(graph)
    #expect(smooth.modularity > 0.4 && !smooth.rates.isEmpty)
    let coordinates = smooth.embedding.coordinates
    #expect(distance(coordinates.multipliedByOwnTranspose(transposing: true), .identity(coordinates.columns)) < 1e-8)
    method.coordinates = .eigenvectors
    let found = try method.fit(graph)
    #expect(found.labels == truth)
    #expect(found.candidates.count == 4 && found.clusterCount == 3)
    #expect(abs(found.modularity - modularity(graph, labels: truth)) < 1e-12)
    // No attributes and an empty array of them are the same.
    let empty = try method.fit(graph, attributes: .zeros([60, 0]))
    #expect(empty.labels == found.labels && empty.attributeEntropy == 0)
  }

  @Test func disconnectedGraphsAndLoneVertices() throws {
    // Two triangles, and a vertex without edges.
    let pairs = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]
    let graph = try SparseMatrix<Double>(
      rows: 7, columns: 7, rowIndices: Tensor(pairs.flatMap { [$0.0, $0.1] }),
      columnIndices: Tensor(pairs.flatMap { [$0.1, $0.0] }), values: .ones([12]))
    #expect(connectedComponents(graph) == [0, 0, 0, 1, 1, 1, 2])
    var method = AttributedGraphClustering(clusters: 2...3, restarts: 30)
    let smooth = try method.fit(graph)
    #expect(smooth.isolatedVertices == [6])
    method.coordinates = .eigenvectors
    let found = try method.fit(graph)
    #expect(found.isolatedVertices == [6])
    #expect(found.embedding.components == 3 && !found.warnings.isEmpty)
    #expect(abs(found.modularity - 0.5) < 1e-12)
  }

  @Test func badInput() throws {
    var generator = TestGenerator(seed: 3)
    let graph = try randomGraph(10, extraEdges: 5, &generator)
    let method = AttributedGraphClustering(clusters: 2, restarts: 2)
    #expect(throws: InvalidArgument.self) { try method.fit(graph.triangle(.lower)) }
    #expect(throws: InvalidArgument.self) { try method.fit(-graph) }
    #expect(throws: InvalidArgument.self) { try method.fit(graph * .infinity) }
    #expect(throws: InvalidArgument.self) { try method.fit(graph[rows: 0..<4]) }
    #expect(throws: InvalidArgument.self) { try method.fit(graph, attributes: .zeros([9, 1])) }
    #expect(throws: InvalidArgument.self) { try AttributedGraphClustering(clusters: 11).fit(graph) }
    #expect(throws: InvalidArgument.self) { try weightedMatching(graph.triangle(.upper)) }
  }
}
