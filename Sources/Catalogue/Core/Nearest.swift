/// The candidate that a mistyped word most likely means, if one is near enough to be worth suggesting.
///
/// Nearness is the number of inserted, deleted, changed or swapped letters; up to a third of the word may differ.
public func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
  let limit = max(1, (word.count + 2) / 3)
  let letters = Array(word.lowercased())
  var best: (candidate: String, distance: Int)?
  for candidate in candidates {
    let isContinuation = word.count >= 3 && candidate.lowercased().hasPrefix(word.lowercased())
    let distance = isContinuation ? 1 : editDistance(letters, Array(candidate.lowercased()))
    if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
  }
  return best?.candidate
}

/// Insertions, deletions, changes and swaps of neighbours that turn one word into the other.
func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var twoBack: [Int] = []
  var previous = Array(0...b.count)
  for i in 0..<a.count {
    var current = [i + 1]
    for j in 0..<b.count {
      var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, twoBack[j - 1] + 1) }
      current.append(cost)
    }
    twoBack = previous
    previous = current
  }
  return previous[b.count]
}
