// Byte-level byte-pair encoding, as in GPT-2: any text is a sequence of bytes, and frequent neighbours are merged.

import FileFormats
public import Tensors

/// Tokens are strings of bytes, built from single bytes by a list of merges.
///
/// - Source: Sennrich, Haddow and Birch, ACL 2016; on bytes by Radford et al., 2019.
public struct BytePairTokenizer: Tokenizer {
  /// Two tokens beside each other.
  struct Pair: Hashable {
    var left: Int
    var right: Int
  }
  struct Merge {
    var rank: Int
    var token: Int
  }

  /// The bytes of each token; special tokens are the UTF-8 of their names.
  public let tokens: [[UInt8]]
  /// Tokens that stand for themselves wherever their name occurs in a text, such as `<|endoftext|>`.
  public let specialTokens: [String: Int]
  /// The merges in the order in which they apply.
  let merges: [Pair]
  private let tokenOfByte: [Int]
  private let mergeOfPair: [Pair: Merge]
  let addsPrefixSpace: Bool

  /// - Parameter tokenOfByte: the token of each single byte.
  init(
    tokens: [[UInt8]], tokenOfByte: [Int], merges: [(pair: Pair, token: Int)], specialTokens: [String: Int] = [:],
    addsPrefixSpace: Bool = false
  ) {
    self.tokens = tokens
    self.tokenOfByte = tokenOfByte
    self.merges = merges.map(\.pair)
    self.specialTokens = specialTokens
    self.addsPrefixSpace = addsPrefixSpace
    var table: [Pair: Merge] = [:]
    for (rank, merge) in merges.enumerated() where table[merge.pair] == nil {
      table[merge.pair] = Merge(rank: rank, token: merge.token)
    }
    mergeOfPair = table
  }

  public var vocabularyCount: Int { tokens.count }

  public func encode(_ text: String) -> [Int] {
    var result: [Int] = []
    var known: [ArraySlice<UInt8>: [Int]] = [:]
    for part in SpecialTokenSplit(names: Array(specialTokens.keys)).parts(of: text) {
      switch part {
      case .special(let name): result.append(specialTokens[name] ?? 0)
      case .text(var text):
        if addsPrefixSpace, let first = text.unicodeScalars.first, !first.properties.isWhitespace { text = " " + text }
        let bytes = Array(text.utf8)
        for range in wordRanges(of: text) {
          let word = bytes[range]
          if let found = known[word] {
            result += found
          } else {
            let found = merged(word)
            known[word] = found
            result += found
          }
        }
      }
    }
    return result
  }

  /// Applies merges, the earliest learned first, each at all its places from left to right.
  private func merged(_ word: ArraySlice<UInt8>) -> [Int] {
    var symbols = word.map { tokenOfByte[Int($0)] }
    while symbols.count > 1 {
      var best: (pair: Pair, merge: Merge)?
      for (left, right) in zip(symbols, symbols.dropFirst()) {
        let pair = Pair(left: left, right: right)
        if let merge = mergeOfPair[pair], merge.rank < best?.merge.rank ?? .max { best = (pair, merge) }
      }
      guard let best else { break }
      symbols = replacing(best.pair, by: best.merge.token, in: symbols)
    }
    return symbols
  }

  public func decode(_ tokens: [Int]) -> String {
    // 0xFF never occurs in UTF-8, so that it becomes the replacement.
    String(decoding: tokens.flatMap { self.tokens.indices.contains($0) ? self.tokens[$0] : [0xFF] }, as: UTF8.self)
  }
}

func replacing(_ pair: BytePairTokenizer.Pair, by token: Int, in symbols: [Int]) -> [Int] {
  var result: [Int] = []
  result.reserveCapacity(symbols.count)
  var i = 0
  while i < symbols.count {
    if i + 1 < symbols.count && symbols[i] == pair.left && symbols[i + 1] == pair.right {
      result.append(token)
      i += 2
    } else {
      result.append(symbols[i])
      i += 1
    }
  }
  return result
}

// MARK: Training

extension BytePairTokenizer {
  /// Learns merges from `text`: each time the most frequent pair of neighbours inside a word, the one with the smaller
  /// numbers among equals.
  ///
  /// - Parameters:
  ///   - count: how many tokens there shall be, special tokens included; fewer when the text has no more pairs.
  ///   - specialTokens: names that get the last numbers.
  /// - Throws: `InvalidArgument` when `count` is too small for the 256 bytes; `CancellationError`.
  /// - Complexity: O(different words) memory; each merge looks at the words with its pair, and once at all pairs.
  public init(
    trainedOn text: String, vocabulary count: Int, specialTokens: [String] = [], progress: WorkProgress = .silent
  ) throws {
    let merges = count - 256 - specialTokens.count
    guard merges >= 0, Set(specialTokens).count == specialTokens.count, !specialTokens.contains("") else {
      throw InvalidArgument(
        "vocabulary", found: "\(count) tokens with \(specialTokens.count) special ones",
        wanted: "at least 256 tokens beside the special ones, which are different and not empty")
    }
    var trainer = PairTrainer(text: text, separating: specialTokens)
    var learned: [(pair: Pair, token: Int)] = []
    var tokens = (0..<256).map { [UInt8($0)] }
    while learned.count < merges, let pair = trainer.mostFrequentPair {
      let token = tokens.count
      tokens.append(tokens[pair.left] + tokens[pair.right])
      learned.append((pair, token))
      trainer.merge(pair, into: token)
      try progress.report(learned.count, of: merges)
    }
    var special: [String: Int] = [:]
    for name in specialTokens {
      special[name] = tokens.count
      tokens.append(Array(name.utf8))
    }
    self.init(tokens: tokens, tokenOfByte: Array(0..<256), merges: learned, specialTokens: special)
  }
}

/// The different words of a text as symbols, and how often each pair of neighbours occurs in them.
private struct PairTrainer {
  typealias Pair = BytePairTokenizer.Pair
  private var words: [[Int]] = []
  private var frequencies: [Int] = []
  private var counts: [Pair: Int] = [:]
  /// Words that have had the pair at some time.
  private var places: [Pair: Set<Int>] = [:]

  init(text: String, separating special: [String]) {
    var frequency: [ArraySlice<UInt8>: Int] = [:]
    for case .text(let part) in SpecialTokenSplit(names: special).parts(of: text) {
      let bytes = Array(part.utf8)
      for range in wordRanges(of: part) { frequency[bytes[range], default: 0] += 1 }
    }
    for (word, count) in frequency {
      words.append(word.map(Int.init))
      frequencies.append(count)
    }
    for i in words.indices { count(i, frequencies[i]) }
  }

  private mutating func count(_ word: Int, _ change: Int) {
    for (left, right) in zip(words[word], words[word].dropFirst()) {
      let pair = Pair(left: left, right: right)
      counts[pair, default: 0] += change
      if change > 0 { places[pair, default: []].insert(word) }
    }
  }

  var mostFrequentPair: Pair? {
    var best: (pair: Pair, count: Int)?
    for (pair, count) in counts where count > 0 {
      guard let known = best else {
        best = (pair, count)
        continue
      }
      let isEarlier = (pair.left, pair.right) < (known.pair.left, known.pair.right)
      if count > known.count || (count == known.count && isEarlier) { best = (pair, count) }
    }
    return best?.pair
  }

  mutating func merge(_ pair: Pair, into token: Int) {
    for word in places[pair] ?? [] {
      count(word, -frequencies[word])
      words[word] = replacing(pair, by: token, in: words[word])
      count(word, frequencies[word])
    }
    places[pair] = nil
    counts[pair] = nil
  }
}
