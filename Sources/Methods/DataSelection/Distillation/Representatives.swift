// Real examples that stand for their class.

public import Datasets
public import Tensors

/// For each class the real examples nearest to the centres of `perClass` clusters, class by class.
///
/// k-means from k-means++ seeds on the features; no example is taken twice.
///
/// - Returns: positions in `data`, `perClass` of each class in order.
/// - Throws: `InvalidArgument` when a class has fewer examples than that, or features are not finite.
public func kMeansRepresentatives<Scalar: RealScalar>(
  _ data: LabelledData<Scalar>, perClass: Int, sweeps: Int = 50, random: inout RandomStream
) throws -> [Int] {
  try data.features.requireFinite("features")
  let labels = data.labels.scalars
  let features = Tensor<Double>(data.features.reshaped([data.count, data.features.count / max(data.count, 1)]))
  return try (0..<data.classes).flatMap { label -> [Int] in
    let members = try positions(of: label, in: labels, atLeast: perClass, data.classNames[label])
    let points = features.gathered(Tensor<Int>(members))
    let centres = clusterCentres(points, count: perClass, sweeps: sweeps, &random)
    var free = Set(members.indices)
    return (0..<perClass).map { c in
      let distances = (points - centres[c, .all]).sumOfSquares(axes: [1]).scalars
      let nearest = free.min { (distances[$0], $0) < (distances[$1], $1) } ?? 0
      free.remove(nearest)
      return members[nearest]
    }
  }
}

/// `perClass` random examples of each class, class by class.
///
/// - Throws: `InvalidArgument` when a class has fewer examples than that.
public func randomRepresentatives<Scalar: RealScalar>(
  _ data: LabelledData<Scalar>, perClass: Int, random: inout RandomStream
) throws -> [Int] {
  let labels = data.labels.scalars
  return try (0..<data.classes).flatMap { label -> [Int] in
    let members = try positions(of: label, in: labels, atLeast: perClass, data.classNames[label])
    return random.sample(perClass, below: members.count).scalars.map { members[$0] }
  }
}

private func positions(of label: Int, in labels: [Int], atLeast count: Int, _ name: String) throws -> [Int] {
  guard count >= 1 else { throw InvalidArgument("imagesPerClass", found: "\(count)", wanted: "at least 1") }
  let members = labels.indices.filter { labels[$0] == label }
  guard members.count >= count else {
    throw InvalidArgument(
      "imagesPerClass", found: "\(count), but class '\(name)' has \(members.count) examples",
      wanted: "at most \(members.count)")
  }
  return members
}

private func clusterCentres(
  _ points: Tensor<Double>, count: Int, sweeps: Int, _ random: inout RandomStream
) -> Tensor<Double> {
  func squaredDistances(_ centres: Tensor<Double>) -> Tensor<Double> {
    let lengths = points.sumOfSquares(axes: [1], keepingAxes: true) + centres.sumOfSquares(axes: [1])
    return (lengths - points.matmul(centres, transposingB: true) * 2).maximum(0)
  }
  var centres = points[Int.random(in: 0..<points.rows, using: &random), .all].expanded(axis: 0)
  while centres.rows < count {
    let weights = squaredDistances(centres).minimum(axis: 1).scalars
    var level = Double.random(in: 0..<max(weights.reduce(0, +), .leastNormalMagnitude), using: &random)
    let drawn = weights.firstIndex { weight in
      level -= weight
      return level < 0
    }
    centres = Tensor.concatenated([centres, points[drawn ?? 0, .all].expanded(axis: 0)])
  }
  var labels: [Int] = []
  for _ in 0..<sweeps {
    let next = squaredDistances(centres).argmin(axis: 1)
    if next.scalars == labels { break }
    labels = next.scalars
    let sums = Tensor<Double>.zeros(centres.shape).scatterAdded(points, at: next)
    let sizes = Tensor<Double>.zeros([count]).scatterAdded(.ones([points.rows]), at: next).expanded(axis: 1)
    // A centre without points stays where it is.
    centres = (sizes .> 0).broadcast(to: centres.shape).select(sums / sizes.maximum(1), centres)
  }
  return centres
}
