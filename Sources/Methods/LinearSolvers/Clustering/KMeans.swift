public import Tensors

/// Lloyd's algorithm from many random starts, of which the best by a score of your choice is kept.
///
/// - Complexity: O(points dimensions clusters) time a sweep; restarts run on several threads.
public struct KMeans: Sendable, Hashable {
  public enum Seeding: Sendable, Hashable {
    /// Points drawn uniformly, without repetition.
    case uniform
    /// Each further centre is drawn in proportion to the squared distance from those there are (Arthur and
    /// Vassilvitskii, SODA 2007).
    case plusPlus
  }

  public var clusters: Int
  public var restarts = 100
  public var sweepLimit = 30
  public var seeding = Seeding.plusPlus

  public init(clusters: Int, restarts: Int = 100, sweepLimit: Int = 30, seeding: Seeding = .plusPlus) {
    (self.clusters, self.restarts, self.sweepLimit, self.seeding) = (clusters, restarts, sweepLimit, seeding)
  }

  /// A partition, and what it scored.
  public struct Result: Sendable, Hashable {
    /// In the order in which they first occur: 0, 1, ...
    public let labels: [Int]
    public let score: Double
    /// The sum of squared distances from the centres.
    public let inertia: Double
    /// Which of the restarts it was.
    public let restart: Int
  }

  /// - Parameters:
  ///   - points: shape [n, d].
  ///   - score: of labels and their inertia, called from several threads; the largest wins. By default the least inertia.
  /// - Throws: `InvalidArgument` unless the points are a finite matrix, and settings in range.
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
    let dense = points.dense
    var best: Result?
    // In blocks, so that the work can be cancelled.
    let block = 16
    for first in stride(from: 0, to: restarts, by: block) {
      try progress.report(first, of: restarts, "k-means")
      let count = min(block, restarts - first)
      let found = [Result?](unsafeUninitializedCapacity: count) { buffer, used in
        let start = buffer.baseAddress!
        start.initialize(repeating: nil, count: count)
        dense.withUnsafeBuffer { numbers in
          parallelTasks(count) { task in
            var lloyd = Lloyd(
              points: numbers.baseAddress!, count: dense.rows, dimensions: dense.columns, clusters: clusters)
            var random = source.child(UInt64(first + task))
            lloyd.seed(seeding, &random)
            lloyd.run(sweepLimit)
            let labels = relabelled(lloyd.labels)
            let value = score?(labels, lloyd.inertia) ?? -lloyd.inertia
            start[task] = Result(labels: labels, score: value, inertia: lloyd.inertia, restart: first + task)
          }
        }
        used = count
      }
      for case .some(let result) in found where best.map({ result.score > $0.score }) ?? true { best = result }
    }
    guard let best else { throw InvalidArgument("restarts", found: "none", wanted: "at least 1") }
    return best
  }
}

/// Labels in the order in which they first occur.
private func relabelled(_ labels: [Int32]) -> [Int] {
  var names: [Int32: Int] = [:]
  return labels.map { label in
    if let name = names[label] { return name }
    names[label] = names.count
    return names.count - 1
  }
}

/// One start.
private struct Lloyd {
  let points: UnsafePointer<Double>
  let count, dimensions, clusters: Int
  var centres: [Double]
  var labels: [Int32]
  var distances: [Double]
  var inertia = Double.infinity

  init(points: UnsafePointer<Double>, count: Int, dimensions: Int, clusters: Int) {
    (self.points, self.count, self.dimensions, self.clusters) = (points, count, dimensions, clusters)
    centres = [Double](repeating: 0, count: clusters * dimensions)
    labels = [Int32](repeating: -1, count: count)
    distances = [Double](repeating: .infinity, count: count)
  }

  private mutating func place(_ cluster: Int, at point: Int) {
    for s in 0..<dimensions { centres[cluster * dimensions + s] = points[point * dimensions + s] }
  }

  mutating func seed(_ seeding: KMeans.Seeding, _ random: inout RandomStream) {
    switch seeding {
    case .uniform:
      for (c, point) in random.sample(clusters, below: count).scalars.enumerated() { place(c, at: point) }
    case .plusPlus:
      place(0, at: Int.random(in: 0..<count, using: &random))
      var nearest = [Double](repeating: .infinity, count: count)
      for c in 1..<max(clusters, 1) {
        var total = 0.0
        centres.withUnsafeBufferPointer { centres in
          for i in 0..<count {
            let centre = centres.baseAddress! + (c - 1) * dimensions
            let distance = squaredDistance(points + i &* dimensions, centre, dimensions)
            if distance < nearest[i] { nearest[i] = distance }
            total += nearest[i]
          }
        }
        var level = Double.random(in: 0..<1, using: &random) * total
        var chosen = Int.random(in: 0..<count, using: &random)
        if total > 0 {
          for i in 0..<count where nearest[i] > 0 {
            chosen = i
            level -= nearest[i]
            if level < 0 { break }
          }
        }
        place(c, at: chosen)
      }
    }
  }

  mutating func run(_ sweepLimit: Int) {
    for _ in 0..<sweepLimit {
      let changed = assign()
      if !changed { return }
      moveCentres()
    }
    _ = assign()
  }

  /// Each point to its nearest centre; whether a label changed.
  private mutating func assign() -> Bool {
    var changed = false
    var sum = 0.0
    let (points, count, dimensions, clusters) = (points, count, dimensions, clusters)
    centres.withUnsafeBufferPointer { centres in
      labels.withUnsafeMutableBufferPointer { labels in
        distances.withUnsafeMutableBufferPointer { distances in
          for i in 0..<count {
            var best = Double.infinity
            var label: Int32 = 0
            for c in 0..<clusters {
              let centre = centres.baseAddress! + c &* dimensions
              let distance = squaredDistance(points + i &* dimensions, centre, dimensions)
              if distance < best { (best, label) = (distance, Int32(truncatingIfNeeded: c)) }
            }
            if labels[i] != label {
              labels[i] = label
              changed = true
            }
            distances[i] = best
            sum += best
          }
        }
      }
    }
    inertia = sum
    return changed
  }

  /// Centres to the means of their points; one without points to the point that is farthest from its own centre.
  private mutating func moveCentres() {
    var sums = [Double](repeating: 0, count: clusters * dimensions)
    var sizes = [Int](repeating: 0, count: clusters)
    sums.withUnsafeMutableBufferPointer { sums in
      for i in 0..<count {
        let c = Int(labels[i])
        sizes[c] &+= 1
        let (to, from) = (sums.baseAddress! + c &* dimensions, points + i &* dimensions)
        for s in 0..<dimensions { to[s] += from[s] }
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

@inline(__always)
private func squaredDistance(_ x: UnsafePointer<Double>, _ centre: UnsafePointer<Double>, _ dimensions: Int) -> Double {
  var (even, odd) = (0.0, 0.0)
  var s = 0
  while s &+ 1 < dimensions {
    let (a, b) = (x[s] - centre[s], x[s &+ 1] - centre[s &+ 1])
    even += a * a
    odd += b * b
    s &+= 2
  }
  if s < dimensions {
    let a = x[s] - centre[s]
    even += a * a
  }
  return even + odd
}
