// Real examples that stand for their class.

public import Datasets
import SpecialFunctions
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
    let centres = try KMeans(clusters: perClass, restarts: 1, sweepLimit: sweeps).fit(points, random: &random).centres
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
