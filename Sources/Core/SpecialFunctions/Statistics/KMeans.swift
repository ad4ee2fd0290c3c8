public import Tensors

/// Lloyd's algorithm from many random starts, of which the best by a score of your choice is kept.
///
/// ```swift
/// let found = try KMeans(clusters: 10).fit(points, random: &random)
/// print(found.labels, found.centres, found.inertia)
/// ```
///
/// The same stream gives the same partition on any number of threads.
///
/// - Complexity: O(points dimensions clusters) time a sweep, in matrix products; restarts run on several threads.
public struct KMeans: Sendable, Hashable {
  public enum Seeding: Sendable, Hashable {
    /// Points drawn uniformly, without repetition.
    case uniform
    /// Each further centre is drawn in proportion to the squared distance from those there are (Arthur and
    /// Vassilvitskii, SODA 2007).
    case plusPlus
  }

  public var clusters: Int
  public var restarts: Int
  public var sweepLimit: Int
  public var seeding: Seeding

  public init(clusters: Int, restarts: Int = 10, sweepLimit: Int = 100, seeding: Seeding = .plusPlus) {
    (self.clusters, self.restarts, self.sweepLimit, self.seeding) = (clusters, restarts, sweepLimit, seeding)
  }

  /// A partition, and what it scored.
  public struct Result: Sendable {
    /// In the order in which they first occur: 0, 1, ...
    public let labels: [Int]
    /// Shape [clusters, d], in the order of the labels. Where there are fewer distinct points than clusters, the last
    /// have no points.
    public let centres: Tensor<Double>
    public let score: Double
    /// The sum of squared distances from the centres.
    public let inertia: Double
    /// Which of the restarts it was.
    public let restart: Int
    /// Whether the last sweep changed no label.
    public let isConverged: Bool
  }

  /// - Parameters:
  ///   - points: shape [n, d].
  ///   - score: of labels and their inertia, called from several threads; the largest wins. By default the least inertia.
  /// - Throws: `InvalidArgument` unless the points are a finite matrix, and settings in range; `CancellationError`.
  public func fit(
    _ points: Tensor<Double>, random: inout RandomStream, progress: WorkProgress = .silent,
    score: (@Sendable ([Int], Double) -> Double)? = nil
  ) throws -> Result {
    try points.requireMatrix("points")
    guard clusters >= 1, clusters <= points.rows else {
      throw InvalidArgument("clusters", found: "\(clusters)", wanted: "at least 1, at most the \(points.rows) points")
    }
    guard restarts >= 1 else { throw InvalidArgument("restarts", found: "\(restarts)", wanted: "at least 1") }
    guard sweepLimit >= 1 else { throw InvalidArgument("sweepLimit", found: "\(sweepLimit)", wanted: "at least 1") }
    let source = random.split()
    // About their mean, so that |x|² + |c|² - 2 x·c cancels little.
    let mean = points.mean(axis: 0)
    let start = Lloyd(points: points - mean, clusters: clusters)
    var best: Result?
    // In blocks, so that the work can be cancelled.
    let block = 16
    for first in stride(from: 0, to: restarts, by: block) {
      try progress.report(first, of: restarts, "k-means")
      let found = try parallelMap(min(block, restarts - first)) { task -> Result in
        var lloyd = start
        var random = source.child(UInt64(first + task))
        lloyd.seed(seeding, &random)
        let isConverged = lloyd.run(sweepLimit)
        let (labels, centres) = lloyd.named()
        return Result(
          labels: labels, centres: centres + mean, score: score?(labels, lloyd.inertia) ?? -lloyd.inertia,
          inertia: lloyd.inertia, restart: first + task, isConverged: isConverged)
      }
      for result in found where best.map({ result.score > $0.score }) ?? true { best = result }
    }
    guard let best else { throw InvalidArgument("restarts", found: "none", wanted: "at least 1") }
    return best
  }
}

/// One start.
private struct Lloyd {
  let points: Tensor<Double>
  let count, dimensions, clusters: Int
  var centres: [Double]
  var labels: [Int32]
  /// The squared distance of each point from its centre.
  var distances: [Double]
  var inertia = Double.infinity

  init(points: Tensor<Double>, clusters: Int) {
    self.points = points.dense
    (count, dimensions, self.clusters) = (points.rows, points.columns, clusters)
    centres = [Double](repeating: 0, count: clusters * dimensions)
    labels = [Int32](repeating: -1, count: count)
    distances = [Double](repeating: .infinity, count: count)
  }

  mutating func seed(_ seeding: KMeans.Seeding, _ random: inout RandomStream) {
    switch seeding {
    case .uniform:
      for (c, point) in random.sample(clusters, below: count).scalars.enumerated() { place(c, at: point) }
    case .plusPlus:
      place(0, at: Int.random(in: 0..<count, using: &random))
      for c in 1..<max(clusters, 1) {
        let total = approach(c - 1)
        var level = Double.random(in: 0..<1, using: &random) * total
        var chosen = Int.random(in: 0..<count, using: &random)
        if total > 0 {
          for i in 0..<count where distances[i] > 0 {
            chosen = i
            level -= distances[i]
            if level < 0 { break }
          }
        }
        place(c, at: chosen)
      }
    }
  }

  /// Whether the last sweep changed no label.
  mutating func run(_ sweepLimit: Int) -> Bool {
    for _ in 0..<sweepLimit {
      if !assign() { return true }
      moveCentres()
    }
    return !assign()
  }

  /// Labels in the order in which they first occur, and the centres in that order.
  func named() -> (labels: [Int], centres: Tensor<Double>) {
    var names = [Int](repeating: -1, count: clusters)
    var order: [Int] = []
    let renamed = labels.map { label -> Int in
      if names[Int(label)] < 0 {
        names[Int(label)] = order.count
        order.append(Int(label))
      }
      return names[Int(label)]
    }
    order += names.indices.filter { names[$0] < 0 }
    let matrix = Tensor(shape: [clusters, dimensions], scalars: centres)
    return (renamed, matrix.gathered(Tensor<Int>(order)))
  }

  private mutating func place(_ cluster: Int, at point: Int) {
    points.withUnsafeBuffer { points in
      for s in 0..<dimensions { centres[cluster * dimensions + s] = points[point * dimensions + s] }
    }
  }

  /// Distances from the nearest of the centres so far, now that there is this one; their sum.
  private mutating func approach(_ cluster: Int) -> Double {
    let (count, dimensions) = (count, dimensions)
    return points.withUnsafeBuffer { points in
      centres.withUnsafeBufferPointer { centres in
        distances.withUnsafeMutableBufferPointer { distances in
          let (x, centre) = (points.baseAddress!, centres.baseAddress! + cluster &* dimensions)
          let nearest = distances.baseAddress!
          parallelRanges(count, grain: max(1, 8_192 / max(dimensions, 1))) { range in
            for i in range { nearest[i] = min(nearest[i], squaredDistance(x + i &* dimensions, centre, dimensions)) }
          }
          var total = 0.0
          for i in 0..<count { total += nearest[i] }
          return total
        }
      }
    }
  }

  /// Each point to its nearest centre; whether a label changed.
  ///
  /// Which is nearest comes from a matrix product; how far it is, from the difference itself.
  private mutating func assign() -> Bool {
    let (points, count, dimensions, clusters) = (points, count, dimensions, clusters)
    let block = 1_024
    let blocks = (count + block - 1) / block
    let centreMatrix = Tensor(shape: [clusters, dimensions], scalars: centres)
    let squares = centreMatrix.sumOfSquares(axes: [1]).scalars
    var changes = [Int](repeating: 0, count: blocks)
    points.withUnsafeBuffer { numbers in
      centres.withUnsafeBufferPointer { centres in
        labels.withUnsafeMutableBufferPointer { labels in
          distances.withUnsafeMutableBufferPointer { distances in
            changes.withUnsafeMutableBufferPointer { changes in
              let (x, centres) = (numbers.baseAddress!, centres.baseAddress!)
              let (labels, distances, changes) = (labels.baseAddress!, distances.baseAddress!, changes.baseAddress!)
              parallelTasks(blocks) { task in
                let rows = task * block..<min((task + 1) * block, count)
                let products = points[rows].matmul(centreMatrix, transposingB: true)
                changes[task] = nearestCentres(products, squares, to: labels + rows.lowerBound)
                for i in rows {
                  let centre = centres + Int(labels[i]) &* dimensions
                  distances[i] = squaredDistance(x + i &* dimensions, centre, dimensions)
                }
              }
            }
          }
        }
      }
    }
    inertia = distances.reduce(0, +)
    return changes.contains { $0 > 0 }
  }

  /// Centres to the means of their points; one without points to the point that is farthest from its own centre.
  private mutating func moveCentres() {
    var sums = [Double](repeating: 0, count: clusters * dimensions)
    var sizes = [Int](repeating: 0, count: clusters)
    points.withUnsafeBuffer { points in
      sums.withUnsafeMutableBufferPointer { sums in
        for i in 0..<count {
          let c = Int(labels[i])
          sizes[c] &+= 1
          let (to, from) = (sums.baseAddress! + c &* dimensions, points.baseAddress! + i &* dimensions)
          for s in 0..<dimensions { to[s] += from[s] }
        }
      }
    }
    for c in 0..<clusters {
      if sizes[c] > 0 {
        for s in 0..<dimensions { centres[c * dimensions + s] = sums[c * dimensions + s] / Double(sizes[c]) }
      } else if let far = distances.indices.max(by: { distances[$0] < distances[$1] }) {
        place(c, at: far)
        distances[far] = 0
      }
    }
  }
}

/// The first centre of least |c|² - 2 x·c, for each row of products; how many labels changed.
private func nearestCentres(_ products: Tensor<Double>, _ squares: [Double], to labels: UnsafeMutablePointer<Int32>)
  -> Int
{
  let clusters = squares.count
  var changed = 0
  products.withUnsafeBuffer { products in
    squares.withUnsafeBufferPointer { squares in
      for i in 0..<products.count / clusters {
        let row = products.baseAddress! + i &* clusters
        var best = Double.infinity
        var label: Int32 = 0
        for c in 0..<clusters {
          let value = squares[c] - 2 * row[c]
          if value < best { (best, label) = (value, Int32(truncatingIfNeeded: c)) }
        }
        if labels[i] != label { changed &+= 1 }
        labels[i] = label
      }
    }
  }
  return changed
}

@inline(__always)
private func squaredDistance(_ x: UnsafePointer<Double>, _ centre: UnsafePointer<Double>, _ dimensions: Int) -> Double {
  var sums = SIMD4<Double>.zero
  var s = 0
  while s &+ 3 < dimensions {
    let a = SIMD4(x[s], x[s &+ 1], x[s &+ 2], x[s &+ 3])
    let b = SIMD4(centre[s], centre[s &+ 1], centre[s &+ 2], centre[s &+ 3])
    sums += (a - b) * (a - b)
    s &+= 4
  }
  var sum = sums.sum()
  while s < dimensions {
    sum += (x[s] - centre[s]) * (x[s] - centre[s])
    s &+= 1
  }
  return sum
}
