// One threshold for all matrices: the search behind every rule that allocates ranks.

/// Matrices whose singular values each have a key, decreasing within a matrix; all keys at or above one threshold stay.
///
/// The rank of matrix l at threshold t is r_l(t) = max(1, #{i: key_i >= t}). A budget is met from some threshold upwards;
/// the least such threshold is one of the keys, and bisection on their sorted union finds it exactly.
struct ThresholdSearch {
  /// For each matrix, decreasing.
  let keys: [[Double]]
  /// Keys closer than this are equal but for rounding, and stay or go together.
  static let slack = roundingShare

  struct Solution {
    var threshold: Double
    var ranks: [Int]
  }

  func ranks(at threshold: Double) -> [Int] { keys.map { max(1, Self.count($0, atLeast: threshold - Self.slack)) } }

  /// The least threshold among the keys whose ranks satisfy `isMet`, which holds for all higher ones; nil when not even
  /// the largest key's do.
  func least(where isMet: ([Int]) throws -> Bool) rethrows -> Solution? {
    let candidates = distinct
    var low = 0
    var high = candidates.count
    while low < high {
      let middle = (low + high) / 2
      if try isMet(ranks(at: candidates[middle])) { high = middle } else { low = middle + 1 }
    }
    guard low < candidates.count else { return nil }
    return Solution(threshold: candidates[low], ranks: ranks(at: candidates[low]))
  }

  /// The greatest threshold whose ranks satisfy `isMet`, which holds for all lower ones.
  func greatest(where isMet: ([Int]) throws -> Bool) rethrows -> Solution? {
    let candidates = distinct
    var low = 0
    var high = candidates.count
    while low < high {
      let middle = (low + high) / 2
      if try isMet(ranks(at: candidates[middle])) { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    return Solution(threshold: candidates[low - 1], ranks: ranks(at: candidates[low - 1]))
  }

  /// The ranks when as little as possible stays.
  var smallest: [Int] { ranks(at: distinct.last ?? .infinity) }

  /// All keys, increasing, each once.
  private var distinct: [Double] {
    var all = keys.flatMap { $0 }
    all.sort()
    var last = 0
    for key in all where last == 0 || key != all[last - 1] {
      all[last] = key
      last += 1
    }
    all.removeSubrange(last...)
    return all
  }

  /// How many of decreasing `keys` are at least `level`.
  private static func count(_ keys: [Double], atLeast level: Double) -> Int {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] >= level { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

// MARK: Keys

/// s_i = sigma_i / sigma_1, without the values that are rounding alone: at most `precision` times the longer side.
///
/// The zero matrix has the key of one direction.
func normalizedKeys(_ values: [Double], longSide: Int, precision: Double) -> [Double] {
  guard let largest = values.first, largest > 0 else { return [1] }
  let floor = max(2 * ThresholdSearch.slack, precision * Double(longSide))
  return values.map { $0 / largest }.prefix { $0 > floor }
}

/// The share of the energy that is still missing before value i is added; without what is rounding.
func energyKeys(_ energies: [Double]) -> [Double] {
  let total = energies.reduce(0, +)
  guard total > 0 else { return [1] }
  var tails = energies
  for i in tails.indices.dropLast().reversed() { tails[i] += tails[i + 1] }
  return tails.map { $0 / tails[0] }.prefix { $0 > 2 * ThresholdSearch.slack }
}

/// Rank fractions i / q below zero, so that the largest key is the smallest fraction.
///
/// Division rounds equal fractions of different sides to the same number, so no tie is broken by rounding.
func uniformKeys(shortSide: Int, shift: Double = 0) -> [Double] {
  (1...shortSide).map { shift - Double($0) / Double(shortSide) }
}
