// How much two partitions of the same elements agree.

import Numerics

/// The mutual information of two partitions over the mean of their entropies: one when they are equal up to the labels.
public func normalizedMutualInformation(_ a: [Int], _ b: [Int]) -> Double {
  let (joint, inA, inB) = contingency(a, b)
  let total = Double(a.count)
  func entropy(_ counts: [Int: Int]) -> Double {
    counts.values.sorted().reduce(0) { $0 - Double($1) / total * .log(Double($1) / total) }
  }
  let mean = (entropy(inA) + entropy(inB)) / 2
  guard mean > 0 else { return 1 }
  var information = 0.0
  for (pair, count) in joint.sorted(by: { ($0.key.a, $0.key.b) < ($1.key.a, $1.key.b) }) {
    let expected = Double(inA[pair.a] ?? 0) * Double(inB[pair.b] ?? 0) / total
    information += Double(count) / total * .log(Double(count) / expected)
  }
  return min(max(information / mean, 0), 1)
}

/// The Rand index less what chance gives, over the most that it can exceed that: one for equal partitions, about zero for
/// unrelated ones.
///
/// - Source: Hubert and Arabie, "Comparing partitions", J. Classif. 2 (1985).
public func adjustedRandIndex(_ a: [Int], _ b: [Int]) -> Double {
  let (joint, inA, inB) = contingency(a, b)
  func pairs(_ counts: some Sequence<Int>) -> Double { counts.reduce(0) { $0 + Double($1 * ($1 - 1)) / 2 } }
  let (together, ofA, ofB) = (pairs(joint.values), pairs(inA.values), pairs(inB.values))
  let expected = ofA * ofB / max(pairs([a.count]), 1)
  let most = (ofA + ofB) / 2
  return most == expected ? 1 : (together - expected) / (most - expected)
}

private struct LabelPair: Hashable { var a, b: Int }

private func contingency(_ a: [Int], _ b: [Int]) -> ([LabelPair: Int], [Int: Int], [Int: Int]) {
  precondition(a.count == b.count, "partitions of \(a.count) and \(b.count) elements")
  var (joint, inA, inB): ([LabelPair: Int], [Int: Int], [Int: Int]) = ([:], [:], [:])
  for (i, j) in zip(a, b) {
    joint[LabelPair(a: i, b: j), default: 0] += 1
    inA[i, default: 0] += 1
    inB[j, default: 0] += 1
  }
  return (joint, inA, inB)
}
