// Byte-pair tokenizers as files: the format of Hugging Face's tokenizers.

import FileFormats

extension BytePairTokenizer {
  /// Reads `tokenizer.json`, or the folder with it.
  ///
  /// - Throws: `FileError` when it is no byte-level BPE or contradicts itself.
  public init(contentsOf path: String) throws {
    let path = try tokenizerFile(path, preferring: "tokenizer.json", or: "tokenizer.json")
    let file = try decodeTokenizer(BytePairFile.self, path)
    try self.init(file, path)
  }

  /// Writes a `tokenizer.json` that Hugging Face's tokenizers read too.
  public func save(to path: String) throws { try writeTokenizer(BytePairFile(self), path) }

  private init(_ file: BytePairFile, _ path: String) throws {
    func wrong(_ reason: String, _ kind: FileError.Kind = .malformed) -> FileError { FileError(kind, path, reason) }
    guard file.model.type ?? "BPE" == "BPE" else {
      throw wrong("a tokenizer of type \"\(file.model.type ?? "")\", not BPE", .unsupported)
    }
    guard let step = file.byteLevelStep else {
      throw wrong("its texts are not split as GPT-2's byte-level BPE splits them", .unsupported)
    }
    let special = file.addedTokens ?? []
    let count = file.model.vocab.count + special.count { file.model.vocab[$0.content] == nil }
    var tokens = [[UInt8]?](repeating: nil, count: count)
    func place(_ bytes: [UInt8], _ id: Int, _ name: String) throws {
      guard tokens.indices.contains(id), tokens[id] == nil else {
        throw wrong("the token \"\(name)\" has the number \(id), which is taken or not below \(count)")
      }
      tokens[id] = bytes
    }
    let isSpecial = Set(special.map(\.content))
    for (name, id) in file.model.vocab where !isSpecial.contains(name) {
      guard let bytes = ByteAlphabet.bytes(of: name) else {
        throw wrong("the token \"\(name)\" is not written in the byte alphabet", .unsupported)
      }
      try place(bytes, id, name)
    }
    for token in special { try place(Array(token.content.utf8), token.id, token.content) }
    let all = tokens.compactMap { $0 }

    let tokenOfByte = (0..<256).map { file.model.vocab[ByteAlphabet.text(of: [UInt8($0)])] ?? -1 }
    guard !tokenOfByte.contains(-1) else {
      throw wrong("the vocabulary lacks the byte \(tokenOfByte.firstIndex(of: -1) ?? 0)")
    }
    let merges = try file.model.merges.map { merge in
      let names = merge.names
      guard names.count == 2, let left = file.model.vocab[names[0]], let right = file.model.vocab[names[1]],
        let token = file.model.vocab[names[0] + names[1]]
      else { throw wrong("the merge \(names) is not of two tokens into a third") }
      return (pair: Pair(left: left, right: right), token: token)
    }
    self.init(
      tokens: all, tokenOfByte: tokenOfByte, merges: merges,
      specialTokens: Dictionary(special.map { ($0.content, $0.id) }, uniquingKeysWith: { first, _ in first }),
      addsPrefixSpace: step.addPrefixSpace ?? false)
  }
}

/// The parts of a `tokenizer.json` that matter here, under its own names in camel case.
private struct BytePairFile: Codable {
  struct Step: Codable {
    var type: String
    var addPrefixSpace: Bool?
    var trimOffsets: Bool?
    var useRegex: Bool?
    var pretokenizers: [Step]?
  }
  struct Added: Codable {
    var id: Int
    var content: String
    var special = true
    var singleWord: Bool? = false
    var lstrip: Bool? = false
    var rstrip: Bool? = false
    var normalized: Bool? = false
  }
  /// "left right", or a list of both.
  struct Merge: Codable {
    var names: [String]
    init(names: [String]) { self.names = names }
    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        names = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      } else {
        names = try value.decode([String].self)
      }
    }
    func encode(to encoder: any Encoder) throws {
      var value = encoder.singleValueContainer()
      try value.encode(names)
    }
  }
  struct Model: Codable {
    var type: String?
    var vocab: [String: Int]
    var merges: [Merge]
    var byteFallback: Bool?
  }
  struct Normalizer: Codable { var type: String }

  var version: String? = "1.0"
  var addedTokens: [Added]?
  var normalizer: Normalizer?
  var preTokenizer: Step?
  var decoder: Step?
  var model: Model

  /// The byte-level split, when it is the only step before the model.
  var byteLevelStep: Step? {
    guard normalizer == nil, model.byteFallback != true, let step = preTokenizer else { return nil }
    let steps = step.type == "Sequence" ? step.pretokenizers ?? [] : [step]
    guard steps.count == 1, steps[0].type == "ByteLevel", steps[0].useRegex != false else { return nil }
    return steps[0]
  }

  init(_ tokenizer: BytePairTokenizer) {
    let special = Set(tokenizer.specialTokens.values)
    var vocab: [String: Int] = [:]
    for (id, bytes) in tokenizer.tokens.enumerated() where !special.contains(id) {
      vocab[ByteAlphabet.text(of: bytes)] = id
    }
    let merges = tokenizer.merges.map { pair in
      Merge(names: [pair.left, pair.right].map { ByteAlphabet.text(of: tokenizer.tokens[$0]) })
    }
    addedTokens = tokenizer.specialTokens.sorted { $0.value < $1.value }.map { Added(id: $0.value, content: $0.key) }
    let step = Step(
      type: "ByteLevel", addPrefixSpace: tokenizer.addsPrefixSpace, trimOffsets: true, useRegex: true)
    preTokenizer = step
    decoder = step
    model = Model(type: "BPE", vocab: vocab, merges: merges)
  }
}

/// Bytes as printable characters: those that are printable stand for themselves, the others for U+0100 and on.
private enum ByteAlphabet {
  private static let characters: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) in
      if 0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || 0xAE...0xFF ~= byte {
        return Unicode.Scalar(byte) ?? " "
      }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? " "
    }
  }()
  private static let bytes = Dictionary(
    uniqueKeysWithValues: zip(characters, (0..<256).map { UInt8($0) }))

  static func text(of bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(characters[Int(byte)]) }
    return String(text)
  }

  static func bytes(of text: String) -> [UInt8]? {
    let result = text.unicodeScalars.compactMap { bytes[$0] }
    return result.count == text.unicodeScalars.count ? result : nil
  }
}
