// Graphs that claims are made about.

import LinearAlgebra
import Tensors

/// Classes of equal size, edges that are likelier inside them, and categories that mostly tell the class.
struct PlantedPartition {
  let adjacency: SparseMatrix<Double>
  let classes: [Int]
  /// Shape [n, q].
  let attributes: Tensor<Int>

  /// - Parameter accuracy: a category is the class with this probability, and drawn uniformly otherwise.
  init(
    count: Int, classes classCount: Int, inside: Double, outside: Double, accuracy: Double, attributes: Int,
    random: inout RandomStream
  ) throws {
    let classes = (0..<count).map { $0 * classCount / count }
    var (rows, columns): ([Int], [Int]) = ([], [])
    for i in 0..<count {
      // Gaps between edges are geometric: as many draws as there are edges.
      for (range, probability) in Self.ranges(i, classes, classCount, count, inside, outside) {
        var j = range.lowerBound - 1
        while true {
          let draw = Double.random(in: Double.leastNormalMagnitude..<1, using: &random)
          let gap = Double.log(draw) / .log(1 - probability)
          guard gap < Double(range.count) else { break }
          j += 1 + Int(gap)
          guard j < range.upperBound else { break }
          rows += [i, j]
          columns += [j, i]
        }
      }
    }
    adjacency = try SparseMatrix(
      rows: count, columns: count, rowIndices: Tensor(rows), columnIndices: Tensor(columns),
      values: .ones([rows.count]))
    self.classes = classes
    var values: [Int] = []
    for i in 0..<count {
      for _ in 0..<attributes {
        let isTrue = Double.random(in: 0..<1, using: &random) < accuracy
        values.append(isTrue ? classes[i] : Int.random(in: 0..<classCount, using: &random))
      }
    }
    self.attributes = Tensor(shape: [count, attributes], scalars: values)
  }

  /// The later vertices of i's class, and those of each other class.
  private static func ranges(
    _ i: Int, _ classes: [Int], _ classCount: Int, _ count: Int, _ inside: Double, _ outside: Double
  ) -> [(Range<Int>, Double)] {
    // Vertex j is of class j classCount / count: classes end where that changes.
    let end = min(count, ((classes[i] + 1) * count + classCount - 1) / classCount)
    return [(i + 1..<max(end, i + 1), inside), (max(end, i + 1)..<count, outside)]
  }

  /// A column of zeros and ones for each category, shape [n, number of categories].
  var oneHotAttributes: Tensor<Double> {
    let width = attributes.columns
    let values = attributes.scalars
    let most = (values.max() ?? 0) + 1
    return Tensor(uninitializedShape: [attributes.rows, width * most]) { result in
      result.update(repeating: 0)
      for (place, value) in values.enumerated() {
        result[(place / width) * width * most + (place % width) * most + value] = 1
      }
    }
  }
}

/// A ring with random chords, `degree` edges a vertex in the mean.
func randomRegularGraph(_ count: Int, degree: Int, random: inout RandomStream) throws -> SparseMatrix<Double> {
  var (rows, columns): ([Int], [Int]) = ([], [])
  for i in 0..<count {
    for step in 0..<degree / 2 {
      let j = step == 0 ? (i + 1) % count : (i + 2 + Int.random(in: 0..<count - 3, using: &random)) % count
      rows += [i, j]
      columns += [j, i]
    }
  }
  let graph = try SparseMatrix<Double>(
    rows: count, columns: count, rowIndices: Tensor(rows), columnIndices: Tensor(columns), values: .ones([rows.count]))
  return graph.withValues(.ones([graph.entryCount]))
}

/// The friendships of a karate club before it split.
///
/// - Source: Zachary, "An information flow model for conflict and fission in small groups", J. Anthropol. Res. 33 (1977).
func zacharyKarateClub() throws -> SparseMatrix<Double> {
  let friends: [[Int]] = [
    [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31], [2, 3, 7, 13, 17, 19, 21, 30],
    [3, 7, 8, 9, 13, 27, 28, 32], [7, 12, 13], [6, 10], [6, 10, 16], [16], [], [30, 32, 33], [33], [], [], [], [33],
    [32, 33], [32, 33], [], [], [32, 33], [33], [32, 33], [], [32, 33], [25, 27, 29, 32, 33], [25, 27, 31], [31],
    [29, 33], [33], [31, 33], [32, 33], [32, 33], [32, 33], [33], [],
  ]
  var (rows, columns): ([Int], [Int]) = ([], [])
  for (i, others) in friends.enumerated() {
    for j in others {
      rows += [i, j]
      columns += [j, i]
    }
  }
  return try SparseMatrix(
    rows: 34, columns: 34, rowIndices: Tensor(rows), columnIndices: Tensor(columns), values: .ones([rows.count]))
}
