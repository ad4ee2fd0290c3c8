import FileFormats
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// Texts that a tokenizer can stumble over.
private let oddTexts = [
  "", " ", "plain text", "Ünïcödé 日本語 🏳️‍🌈 e\u{301}", "\u{0}\u{1}\u{FFFD}\u{200B}\u{FEFF}", "line\r\nbreaks\u{2028}\u{85}",
  "it's we'll they've I'd 'quoted'", "  two  spaces \n\n and\ttabs  ", "12345 x²³ ½ Ⅷ", "\u{10FFFF}\u{E000}\u{1F9FF}",
  String(repeating: "a", count: 5_000), String(repeating: "\u{301}", count: 50),
]

struct TokenizerTests {
  private let corpus = """
    It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness,
    it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it wasn't 1859 yet.
    """

  @Test func bytesAndCharactersComeBack() throws {
    for text in oddTexts {
      #expect(ByteTokenizer().decode(ByteTokenizer().encode(text)).unicodeScalars.elementsEqual(text.unicodeScalars))
      let characters = CharacterTokenizer(alphabetOf: text)
      #expect(characters.decode(try characters.encode(text)).unicodeScalars.elementsEqual(text.unicodeScalars))
    }
    let letters = CharacterTokenizer(alphabetOf: "banana")
    #expect(letters.alphabet == ["a", "b", "n"])
    #expect(try letters.encode("nab") == [2, 0, 1])
    #expect(throws: InvalidArgument.self) { try letters.encode("bandana") }
    #expect(letters.decode([0, 9, -1]) == "a\u{FFFD}\u{FFFD}")
    #expect(ByteTokenizer().decode([104, 105, 999]) == "hi\u{FFFD}")
  }

  @Test func mergesFollowFrequency() throws {
    // "ab" occurs six times, then "abc" four; "x" makes no pair with the space before it.
    let tokenizer = try BytePairTokenizer(trainedOn: "abc abc abc abc ab ab x x", vocabulary: 259)
    let learned = tokenizer.tokens.dropFirst(256).map { String(decoding: $0, as: UTF8.self) }
    #expect(learned == ["ab", " ab", " abc"])
    #expect(tokenizer.encode("abc ab").map { tokenizer.tokens[$0].count } == [2, 1, 3])
    #expect(throws: InvalidArgument.self) { try BytePairTokenizer(trainedOn: "x", vocabulary: 255) }
    #expect(try BytePairTokenizer(trainedOn: "x", vocabulary: 300).vocabularyCount == 256)
  }

  /// Learning again and again from scratch, pair by pair, gives the same merges.
  @Test func trainingIsTheNaiveAlgorithm() throws {
    // Without figures and apostrophes words are cut before spaces, at line ends and at commas.
    let text = corpus.replacingOccurrences(of: "wasn't 1859", with: "was not over")
    let tokenizer = try BytePairTokenizer(trainedOn: text, vocabulary: 300)
    var words: [[Int]] = []
    var word: [Int] = []
    for byte in text.utf8 {
      let isLetter = byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A
      let wasLetter = word.last.map { $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A || $0 == 0x20 } ?? true
      if !isLetter || !wasLetter {
        words.append(word)
        word = []
      }
      word.append(Int(byte))
    }
    words.append(word)
    var tokens = (0..<256).map { [UInt8($0)] }
    for token in 256..<300 {
      var counts: [[Int]: Int] = [:]
      for word in words { for pair in zip(word, word.dropFirst()) { counts[[pair.0, pair.1], default: 0] += 1 } }
      let most = counts.values.max() ?? 0
      let best = counts.filter { $0.value == most }.keys.min { ($0[0], $0[1]) < ($1[0], $1[1]) } ?? []
      tokens.append(tokens[best[0]] + tokens[best[1]])
      for i in words.indices {
        var merged: [Int] = []
        for symbol in words[i] {
          if symbol == best[1], merged.last == best[0] {
            merged[merged.count - 1] = token
          } else {
            merged.append(symbol)
          }
        }
        words[i] = merged
      }
    }
    #expect(tokenizer.tokens == tokens)
  }

  @Test func anyTextComesBackFromPairs() throws {
    let tokenizer = try BytePairTokenizer(trainedOn: corpus, vocabulary: 320, specialTokens: ["<|end|>"])
    #expect(tokenizer.vocabularyCount == 320)
    for text in oddTexts + [corpus] {
      #expect(tokenizer.decode(tokenizer.encode(text)).unicodeScalars.elementsEqual(text.unicodeScalars))
    }
    #expect(tokenizer.encode(corpus).count < corpus.utf8.count / 2)
    let tokens = tokenizer.encode("times<|end|><|end")
    #expect(tokens.filter { $0 == 319 }.count == 1)
    #expect(tokenizer.decode(tokens + [320, -1]) == "times<|end|><|end\u{FFFD}\u{FFFD}")
  }

  @Test func filesComeBack() throws {
    let folder = TemporaryFolder()
    let path = folder.file("tokenizer.json")
    let pairs = try BytePairTokenizer(
      trainedOn: corpus + String(repeating: " __init__", count: 20), vocabulary: 300,
      specialTokens: ["<|end|>", "<|start|>"])
    #expect(pairs.tokens.contains(Array("__".utf8)))
    try pairs.save(to: path)
    for again in [
      try BytePairTokenizer(contentsOf: path), try #require(readTokenizer(folder.path) as? BytePairTokenizer),
    ] {
      #expect(again.tokens == pairs.tokens)
      #expect(again.specialTokens == pairs.specialTokens)
      for text in oddTexts + [corpus, "a<|start|>b"] { #expect(again.encode(text) == pairs.encode(text)) }
    }
    let characters = CharacterTokenizer(alphabetOf: oddTexts.joined())
    try characters.save(to: path)
    let again = try #require(readTokenizer(path) as? CharacterTokenizer)
    #expect(again.alphabet == characters.alphabet)
  }

  /// What Hugging Face's tokenizers make of a trained file; see Tests/Reference/byte_pairs.py.
  @Test func pairsAreThoseOfHuggingFace() throws {
    struct Reference: Decodable { var tokenizer: String, texts: [String], tokens: [[Int]] }
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let data = try Data(contentsOf: folder.appendingPathComponent("Reference/byte_pairs.json"))
    let reference = try JSONDecoder().decode(Reference.self, from: data)
    let scratch = TemporaryFolder()
    try Data(reference.tokenizer.utf8).write(to: URL(fileURLWithPath: scratch.file("tokenizer.json")))
    let tokenizer = try BytePairTokenizer(contentsOf: scratch.path)
    #expect(reference.texts.count == reference.tokens.count && reference.texts.count > 5)
    for (text, tokens) in zip(reference.texts, reference.tokens) {
      #expect(tokenizer.encode(text) == tokens, "\(text.debugDescription)")
    }
  }

  @Test(arguments: [
    "", "[]", "{}", "{\"model\": {}}", "{\"model\": {\"type\": \"Unigram\"}}",
    "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}}",
    "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}, \"pre_tokenizer\": {\"type\": \"ByteLevel\"}}",
    "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 7}, \"merges\": []}, \"pre_tokenizer\": {\"type\": \"ByteLevel\"}}",
    "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0, \"b\": 2}}}",
    "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0, \"b\": 1}}}",
    "{\"model\": {\"type\": \"Characters\", \"alphabet\": [65, 65]}}",
    "{\"model\": {\"type\": \"Characters\", \"alphabet\": [55296]}}",
  ]) func otherFilesAreRefused(text: String) throws {
    let folder = TemporaryFolder()
    let path = folder.file("tokenizer.json")
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: FileError.self) { try readTokenizer(path) }
    #expect(throws: FileError.self) { try BytePairTokenizer(contentsOf: path) }
    #expect(throws: FileError.self) { try WordPieceTokenizer(contentsOf: path) }
  }

  @Test func missingFilesAreNamed() {
    let folder = TemporaryFolder()
    #expect(throws: FileError.self) { try readTokenizer(folder.path) }
    #expect(throws: FileError.self) { try readTokenizer(folder.file("none")) }
    #expect(throws: FileError.self) { try WordPieceTokenizer(contentsOf: folder.path) }
  }

  // MARK: WordPiece

  private let pieces = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "cafe", "!", "中", "##a", "a",
  ]

  @Test func piecesAreTheLongest() throws {
    var tokenizer = try WordPieceTokenizer(tokens: pieces)
    #expect(tokenizer.encode("UNAFFABLE café!中") == [2, 5, 6, 7, 8, 9, 10, 3])
    #expect(tokenizer.encode("unhappy a[MASK]") == [2, 1, 12, 4, 3])
    #expect(tokenizer.encode("") == [2, 3])
    #expect(tokenizer.encode(String(repeating: "a", count: 100)).count == 102)
    #expect(tokenizer.encode(String(repeating: "a", count: 101)) == [2, 1, 3])
    // Invisible signs vanish; characters that Unicode did not have yet are letters like any other.
    #expect(tokenizer.encode("a\u{200B}\u{AD} a\u{0}") == [2, 12, 12, 3])
    #expect(tokenizer.encode("a\u{2E52}") == [2, 1, 3])
    #expect(tokenizer.encode("a\u{2E17}") == [2, 12, 1, 3])
    tokenizer.maximumLength = 5
    #expect(tokenizer.encode("a a a a a a a") == [2, 12, 12, 12, 3])
    #expect(tokenizer.decode([2, 5, 6, 7, 8, 3, 0, 99]) == "unaffable cafe \u{FFFD}")
    for text in oddTexts { #expect(tokenizer.encode(text).first == 2) }
    #expect(throws: InvalidArgument.self) { try WordPieceTokenizer(tokens: ["[PAD]", "a"]) }
    #expect(throws: InvalidArgument.self) { try WordPieceTokenizer(tokens: pieces + ["a"]) }
  }

  @Test func vocabulariesMayEndWithALineOrNot() throws {
    let folder = TemporaryFolder()
    for (i, text) in [pieces.joined(separator: "\n"), pieces.joined(separator: "\r\n") + "\r\n"].enumerated() {
      let path = folder.file("\(i).txt")
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      #expect(try WordPieceTokenizer(contentsOf: path).tokens == pieces)
    }
    let path = folder.file("bad.txt")
    try Data([0x5B, 0xFF]).write(to: URL(fileURLWithPath: path))
    #expect(throws: FileError.self) { try WordPieceTokenizer(contentsOf: path) }
  }
}
