// WordPiece, the tokenizer of BERT.

import FileFormats
import Tensors

/// Words are cut into the longest pieces of a vocabulary, from the left; pieces inside a word begin with `##`.
///
/// - Source: Schuster and Nakajima, ICASSP 2012; as used by Devlin et al., NAACL 2019.
public struct WordPieceTokenizer: Tokenizer {
  /// What each token is written as.
  public let tokens: [String]
  /// The most tokens of one text, `[CLS]` and `[SEP]` included; the rest of a longer text is cut off.
  public var maximumLength = 512
  /// Words of more characters become `[UNK]`.
  public var maximumWordLength = 100
  public let classToken: Int, separatorToken: Int, unknownToken: Int, paddingToken: Int
  private let ids: [[UInt8]: Int]
  private let normalization: BERTNormalization
  /// Names that stand for themselves in a text.
  private let specialTokens: [String: Int]

  /// - Parameter isUncased: whether texts lose upper case and accents.
  /// - Throws: `InvalidArgument` when a token occurs twice or a special one is missing.
  public init(tokens: [String], isUncased: Bool = true) throws {
    // By bytes: two tokens may be the same text to Unicode and yet differ.
    var ids: [[UInt8]: Int] = [:]
    for (id, token) in tokens.enumerated() {
      if let other = ids.updateValue(id, forKey: Array(token.utf8)) {
        throw InvalidArgument(
          "vocabulary", found: "\"\(token)\" as tokens \(other) and \(id)", wanted: "different tokens")
      }
    }
    func special(_ name: String) throws -> Int {
      guard let id = ids[Array(name.utf8)] else {
        throw InvalidArgument(
          "vocabulary", found: "\(tokens.count) tokens without \(name)", wanted: "[PAD], [UNK], [CLS] and [SEP]")
      }
      return id
    }
    self.tokens = tokens
    self.ids = ids
    classToken = try special("[CLS]")
    separatorToken = try special("[SEP]")
    unknownToken = try special("[UNK]")
    paddingToken = try special("[PAD]")
    let names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    specialTokens = names.reduce(into: [:]) { $0[$1] = ids[Array($1.utf8)] }
    normalization = BERTNormalization(isUncased: isUncased)
  }

  /// Reads a `tokenizer.json`, or `vocab.txt`, one token a line, or a folder with one of them; of both the first, which
  /// says more.
  ///
  /// - Throws: `FileError` when it is no vocabulary of this kind.
  public init(contentsOf path: String) throws {
    let path = try tokenizerFile(path, preferring: "tokenizer.json", or: "vocab.txt")
    do {
      if path.hasSuffix(".json") {
        let file = try decodeTokenizer(WordPieceFile.self, path)
        try self.init(tokens: file.tokens(path), isUncased: file.normalizer?.lowercase ?? true)
        maximumWordLength = file.model.maxInputCharsPerWord ?? 100
      } else {
        try self.init(tokens: Self.lines(of: path))
      }
    } catch let error as InvalidArgument {
      throw FileError(.malformed, path, "not a WordPiece vocabulary: \(error.found), wanted \(error.wanted)")
    }
  }

  private static func lines(of path: String) throws -> [String] {
    let file = try MappedFile(path)
    let lines = file.withBytes(0..<file.count) { bytes in
      bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
        String(validating: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
      }
    }
    let tokens = lines.compactMap { $0 }
    guard tokens.count == lines.count else { throw FileError(.malformed, path, "a line is not valid UTF-8") }
    return tokens.last == "" ? tokens.dropLast() : tokens
  }

  public var vocabularyCount: Int { tokens.count }

  /// `[CLS]`, the pieces of the text, `[SEP]`.
  public func encode(_ text: String) -> [Int] {
    var result = [classToken]
    let limit = max(maximumLength, 2) - 1
    parts: for part in SpecialTokenSplit(names: Array(specialTokens.keys)).parts(of: text) {
      switch part {
      case .special(let name): result.append(specialTokens[name] ?? unknownToken)
      case .text(let text):
        for word in normalization.words(of: text) {
          result += pieces(of: word)
          if result.count >= limit { break parts }
        }
      }
    }
    return result.prefix(limit) + [separatorToken]
  }

  private func pieces(of word: [Unicode.Scalar]) -> [Int] {
    guard word.count <= maximumWordLength else { return [unknownToken] }
    var bytes: [UInt8] = []
    var ends: [Int] = []
    for scalar in word {
      bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
      ends.append(bytes.count)
    }
    var result: [Int] = []
    var start = 0
    while start < bytes.count {
      let prefix: [UInt8] = start == 0 ? [] : [0x23, 0x23]
      var found: (id: Int, end: Int)?
      for end in ends.reversed() where end > start {
        if let id = ids[prefix + bytes[start..<end]] {
          found = (id, end)
          break
        }
      }
      guard let found else { return [unknownToken] }
      result.append(found.id)
      start = found.end
    }
    return result
  }

  /// The pieces put together, words separated by spaces; special tokens are left out.
  public func decode(_ tokens: [Int]) -> String {
    let special = [classToken, separatorToken, paddingToken]
    var text = ""
    for token in tokens where !special.contains(token) {
      let piece = self.tokens.indices.contains(token) ? self.tokens[token] : "\u{FFFD}"
      if piece.utf8.starts(with: "##".utf8) {
        text.unicodeScalars += piece.unicodeScalars.dropFirst(2)
      } else {
        text += (text.isEmpty ? "" : " ") + piece
      }
    }
    return text
  }
}

/// The parts of a WordPiece `tokenizer.json` that matter here, under its own names in camel case.
private struct WordPieceFile: Decodable {
  struct Normalizer: Decodable {
    var type: String
    var lowercase: Bool?
    /// Follows `lowercase` where it is null.
    var stripAccents: Bool?
  }
  struct Model: Decodable {
    var type: String?
    var vocab: [String: Int]
    var continuingSubwordPrefix: String?
    var maxInputCharsPerWord: Int?
  }
  var normalizer: Normalizer?
  var model: Model

  func tokens(_ path: String) throws -> [String] {
    let isUncased = normalizer?.lowercase ?? true
    guard model.type == "WordPiece", normalizer?.stripAccents ?? isUncased == isUncased,
      model.continuingSubwordPrefix ?? "##" == "##",
      normalizer?.type ?? "BertNormalizer" == "BertNormalizer"
    else {
      throw FileError(.unsupported, path, "not a WordPiece tokenizer with BERT's normalisation and pieces after ##")
    }
    var tokens = [String?](repeating: nil, count: model.vocab.count)
    for (token, id) in model.vocab where tokens.indices.contains(id) { tokens[id] = token }
    guard let missing = tokens.firstIndex(of: nil) else { return tokens.compactMap { $0 } }
    throw FileError(.malformed, path, "no token of its vocabulary has the number \(missing)")
  }
}
