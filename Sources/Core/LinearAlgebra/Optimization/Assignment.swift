public import Tensors

/// Who does which job, at the smallest total cost: a permutation, or a matching of the smaller side.
public struct Assignment: Sendable, Hashable {
  /// For each row, its column; nil for the rows left over when there are more rows than columns.
  public let columns: [Int?]
  /// The sum of the costs of the pairs.
  public let cost: Double
  /// Prices of rows and columns: rowPrices[i] + columnPrices[j] <= cost[i, j], with equality on the pairs (all signs turned
  /// when maximizing). They prove that no assignment is better.
  public let rowPrices: [Double], columnPrices: [Double]

  /// The pairs, by row.
  public var pairs: [(row: Int, column: Int)] {
    columns.enumerated().compactMap { row, column in column.map { (row, $0) } }
  }
}

/// No assignment avoids the forbidden pairs.
public struct NoAssignment: Error, Sendable, Hashable, CustomStringConvertible {
  /// A row (or column, when there are fewer of them) that cannot be matched together with those before.
  public let index: Int
  public var description: String { "every complete assignment uses a forbidden pair, the first trouble is at \(index)" }
}

/// The linear assignment problem, by shortest augmenting paths.
///
/// Among assignments of equal cost the choice depends on the costs alone: the same input gives the same answer.
public struct AssignmentSolver: Sendable, Hashable {
  /// Finds the largest total instead of the smallest.
  public var maximizing = false

  public init(maximizing: Bool = false) { self.maximizing = maximizing }

  /// Matches each row (or each column, when there are fewer) to another column.
  ///
  /// - Parameter costs: of shape [n, m]. Infinite entries, of the sign that is never chosen, forbid a pair.
  /// - Throws: `InvalidArgument` unless `costs` is a matrix without NaN and without infinite gains; ``NoAssignment``.
  /// - Complexity: O(min(n, m)² max(n, m)) time at worst, in practice near O(n m) for random costs; O(n m) memory.
  /// - Source: Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
  ///   problems", Computing 38 (1987); for rectangular costs, Crouse, IEEE Trans. Aerosp. Electron. Syst. 52 (2016).
  public func solve<Scalar: LinearScalar>(_ costs: Tensor<Scalar>) throws -> Assignment {
    costs.requireConstant()
    guard costs.rank == 2 else { throw InvalidArgument("costs", found: "shape \(costs.shape)", wanted: "a matrix") }
    let (rows, columns) = (costs.rows, costs.columns)
    let isTall = rows > columns
    let signed = maximizing ? -costs : costs
    let wide = (isTall ? signed.transposed : signed).dense
    let work = wide as? Tensor<Double> ?? Tensor<Double>(wide)
    var isFinite = true
    if !work.isFinite {
      isFinite = false
      let bad = work.withUnsafeBuffer { $0.first { $0.isNaN || $0 == -.infinity } }
      if let bad {
        throw InvalidArgument("costs", found: "\(maximizing ? -bad : bad)", wanted: "numbers, or forbidden pairs")
      }
    }
    let (n, m) = (work.rows, work.columns)
    let (matching, total) = try work.withUnsafeBuffer { costs in
      var matching = Matching(costs: costs, rows: n, columns: m)
      try matching.solve(isFinite: isFinite)
      return (matching, (0..<n).reduce(0.0) { $0 + costs[$1 * m + matching.columnOfRow[$1]] })
    }
    var result = [Int?](repeating: nil, count: rows)
    for (i, j) in matching.columnOfRow.enumerated() {
      if isTall { result[j] = i } else { result[i] = j }
    }
    let sign: Double = maximizing ? -1 : 1
    let prices = (matching.rowPrices.map { $0 * sign }, matching.columnPrices.map { $0 * sign })
    return Assignment(
      columns: result, cost: total * sign, rowPrices: isTall ? prices.1 : prices.0,
      columnPrices: isTall ? prices.0 : prices.1)
  }
}

/// A growing matching of at most as many rows as columns, with prices that keep it optimal.
private struct Matching {
  let costs: UnsafeBufferPointer<Double>
  let rows: Int, columns: Int
  /// The column of each row and the row of each column; -1 where there is none.
  var columnOfRow: [Int], rowOfColumn: [Int]
  var rowPrices: [Double], columnPrices: [Double]

  init(costs: UnsafeBufferPointer<Double>, rows: Int, columns: Int) {
    (self.costs, self.rows, self.columns) = (costs, rows, columns)
    columnOfRow = Array(repeating: -1, count: rows)
    rowOfColumn = Array(repeating: -1, count: columns)
    rowPrices = Array(repeating: 0, count: rows)
    columnPrices = Array(repeating: 0, count: columns)
  }

  mutating func solve(isFinite: Bool) throws {
    guard rows > 0 else { return }
    if isFinite {
      // Of a square problem all columns end up matched, so that their prices may start anywhere.
      if rows == columns { reduceColumns() }
      for _ in 0..<2 where columns > 1 { reduceRows() }
    }
    try augment()
    for i in 0..<rows {
      rowPrices[i] = costs[i * columns + columnOfRow[i]] - columnPrices[columnOfRow[i]]
    }
  }

  /// Each column offers itself, at its cheapest cost, to the row where that is; the first row comes last and wins ties.
  private mutating func reduceColumns() {
    var cheapest = [Int](repeating: 0, count: columns)
    columnPrices.withUnsafeMutableBufferPointer { prices in
      cheapest.withUnsafeMutableBufferPointer { cheapest in
        for j in 0..<columns { prices[j] = costs[j] }
        for i in 1..<max(rows, 1) {
          let row = costs.baseAddress! + i * columns
          for j in 0..<columns where row[j] < prices[j] {
            prices[j] = row[j]
            cheapest[j] = i
          }
        }
      }
    }
    var offers = [Int](repeating: 0, count: rows)
    for j in stride(from: columns - 1, through: 0, by: -1) {
      let i = cheapest[j]
      offers[i] += 1
      if offers[i] == 1 {
        columnOfRow[i] = j
        rowOfColumn[j] = i
      }
    }
    // A row with a single offer passes what it could still gain elsewhere on to its column's price.
    for i in 0..<rows where offers[i] == 1 && columns > 1 {
      let chosen = columnOfRow[i]
      var second = Double.infinity
      for j in 0..<columns where j != chosen { second = min(second, costs[i * columns + j] - columnPrices[j]) }
      columnPrices[chosen] -= second - (costs[i * columns + chosen] - columnPrices[chosen])
    }
  }

  /// Each free row takes its best column, and lowers the column's price by its lead over the second best; a row that
  /// loses its column this way tries again at once when the price moved, and in the next round otherwise.
  private mutating func reduceRows() {
    var queue = (0..<rows).filter { columnOfRow[$0] < 0 }
    var next: [Int] = []
    var budget = 8 * rows
    var position = 0
    while position < queue.count {
      let i = queue[position]
      position += 1
      let two = columnPrices.withUnsafeBufferPointer { smallestTwo(costs.baseAddress! + i * columns, $0) }
      var chosen = two.first
      let lead = two.secondValue - two.firstValue
      if lead > 0 {
        columnPrices[chosen] -= lead
      } else if rowOfColumn[chosen] >= 0 {
        chosen = two.second
      }
      let loser = rowOfColumn[chosen]
      columnOfRow[i] = chosen
      rowOfColumn[chosen] = i
      if loser >= 0 {
        columnOfRow[loser] = -1
        budget -= 1
        if lead > 0 && budget > 0 {
          position -= 1
          queue[position] = loser
        } else {
          next.append(loser)
        }
      }
    }
  }

  private func smallestTwo(
    _ row: UnsafePointer<Double>, _ prices: UnsafeBufferPointer<Double>
  ) -> (first: Int, firstValue: Double, second: Int, secondValue: Double) {
    var first = 0
    var second = -1
    var firstValue = row[0] - prices[0]
    var secondValue = Double.infinity
    for j in 1..<columns {
      let value = row[j] - prices[j]
      if value < secondValue {
        if value < firstValue {
          (second, secondValue) = (first, firstValue)
          (first, firstValue) = (j, value)
        } else {
          (second, secondValue) = (j, value)
        }
      }
    }
    return (first, firstValue, second, secondValue)
  }

  /// From each free row, the shortest path of reduced costs to a free column (Dijkstra), along which pairs are exchanged.
  private mutating func augment() throws {
    let free = (0..<rows).filter { columnOfRow[$0] < 0 }
    guard !free.isEmpty else { return }
    let m = columns
    var prices: [Double] = []
    swap(&prices, &columnPrices)
    defer { swap(&prices, &columnPrices) }
    try withUnsafeTemporaryAllocation(of: Double.self, capacity: m) { distance in
      try withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * m) { integers in
        // `order` holds the settled columns, then those at the smallest distance, then the others.
        let order = integers.baseAddress!
        let predecessor = order + m
        for start in free {
          let end = prices.withUnsafeMutableBufferPointer { prices in
            shortestPath(from: start, prices, distance.baseAddress!, predecessor, order)
          }
          guard var column = end else { throw NoAssignment(index: start) }
          while true {
            let row = predecessor[column]
            rowOfColumn[column] = row
            swap(&columnOfRow[row], &column)
            if row == start { break }
          }
        }
      }
    }
  }

  private func shortestPath(
    from start: Int, _ prices: UnsafeMutableBufferPointer<Double>, _ distance: UnsafeMutablePointer<Double>,
    _ predecessor: UnsafeMutablePointer<Int>, _ order: UnsafeMutablePointer<Int>
  ) -> Int? {
    let m = columns
    let costs = self.costs.baseAddress!
    let row = costs + start * m
    for j in 0..<m {
      distance[j] = row[j] - prices[j]
      predecessor[j] = start
      order[j] = j
    }
    var settled = 0
    var frontier = 0
    var smallest = 0.0
    return rowOfColumn.withUnsafeBufferPointer { rowOfColumn in
      while true {
        // The columns at the smallest distance move to the front.
        let done = frontier
        smallest = .infinity
        for k in frontier..<m {
          let j = order[k]
          let d = distance[j]
          guard d <= smallest else { continue }
          if d < smallest {
            smallest = d
            frontier = done
          }
          order[k] = order[frontier]
          order[frontier] = j
          frontier += 1
        }
        guard smallest < .infinity else { return nil }
        for k in done..<frontier where rowOfColumn[order[k]] < 0 {
          return finish(order[k], settled: done, smallest, prices, distance, order)
        }
        while settled < frontier {
          let column = order[settled]
          settled += 1
          let i = rowOfColumn[column]
          let row = costs + i * m
          let base = row[column] - prices[column] - smallest
          for k in frontier..<m {
            let j = order[k]
            let candidate = row[j] - prices[j] - base
            guard candidate < distance[j] else { continue }
            distance[j] = candidate
            predecessor[j] = i
            if candidate <= smallest {
              if rowOfColumn[j] < 0 {
                return finish(j, settled: done, smallest, prices, distance, order)
              }
              order[k] = order[frontier]
              order[frontier] = j
              frontier += 1
            }
          }
        }
      }
    }
  }

  /// Lowers the prices of the columns that were reached before the last distance.
  private func finish(
    _ end: Int, settled: Int, _ smallest: Double, _ prices: UnsafeMutableBufferPointer<Double>,
    _ distance: UnsafeMutablePointer<Double>, _ order: UnsafeMutablePointer<Int>
  ) -> Int {
    for k in 0..<settled { prices[order[k]] += distance[order[k]] - smallest }
    return end
  }
}
