// Text as numbers, and back.

import FileFormats
import Foundation
import Tensors

/// A reversible map between texts and sequences of tokens below `vocabularyCount`.
public protocol Tokenizer: Sendable {
  var vocabularyCount: Int { get }

  /// - Throws: `InvalidArgument` when the text has something that no token stands for.
  func encode(_ text: String) throws -> [Int]

  /// The text of `tokens`; numbers that are no token, and bytes that are no text, become U+FFFD.
  func decode(_ tokens: [Int]) -> String
}

/// Each byte of the text's UTF-8 is a token.
public struct ByteTokenizer: Tokenizer {
  public init() {}
  public var vocabularyCount: Int { 256 }
  public func encode(_ text: String) -> [Int] { text.utf8.map(Int.init) }
  public func decode(_ tokens: [Int]) -> String {
    // 0xFF never occurs in UTF-8, so that it becomes the replacement.
    String(decoding: tokens.map { UInt8(exactly: $0) ?? 0xFF }, as: UTF8.self)
  }
}

/// Each Unicode scalar of an alphabet is a token, in the order of their numbers.
public struct CharacterTokenizer: Tokenizer {
  public let alphabet: [Unicode.Scalar]
  private let tokens: [Unicode.Scalar: Int]

  /// The alphabet of all characters in `text`.
  public init(alphabetOf text: String) { self.init(alphabet: Set(text.unicodeScalars).sorted()) }

  /// Traps when a character occurs twice.
  public init(alphabet: [Unicode.Scalar]) {
    self.alphabet = alphabet
    tokens = Dictionary(uniqueKeysWithValues: zip(alphabet, alphabet.indices))
  }

  public var vocabularyCount: Int { alphabet.count }

  public func encode(_ text: String) throws -> [Int] {
    try text.unicodeScalars.map { scalar in
      guard let token = tokens[scalar] else {
        throw InvalidArgument(
          "text", found: "the character \(String(reflecting: scalar))",
          wanted: "characters of the tokenizer's alphabet of \(alphabet.count)")
      }
      return token
    }
  }

  public func decode(_ tokens: [Int]) -> String {
    var text = String.UnicodeScalarView()
    for token in tokens { text.append(alphabet.indices.contains(token) ? alphabet[token] : "\u{FFFD}") }
    return String(text)
  }

  /// Writes the alphabet as JSON; `readTokenizer` brings it back.
  public func save(to path: String) throws {
    try writeTokenizer(CharacterFile(model: .init(type: CharacterFile.type, alphabet: alphabet.map(\.value))), path)
  }
}

struct CharacterFile: Codable {
  static let type = "Characters"
  struct Model: Codable {
    var type: String
    /// As numbers: two characters that Unicode counts as the same text are two tokens.
    var alphabet: [UInt32]
  }
  var model: Model
}

/// The tokenizer in a file `tokenizer.json` or `vocab.txt`, or in a folder with one of them.
///
/// Reads what the tokenizers here save, and byte-level BPE and WordPiece as Hugging Face's tokenizers write them.
/// - Throws: `FileError` when there is none, or when it is of another kind or inconsistent.
public func readTokenizer(_ path: String) throws -> any Tokenizer {
  let file = try tokenizerFile(path, preferring: "tokenizer.json", or: "vocab.txt")
  if file.hasSuffix(".txt") { return try WordPieceTokenizer(contentsOf: file) }
  struct Header: Decodable {
    struct Model: Decodable { var type: String? }
    var model: Model
  }
  switch try decodeTokenizer(Header.self, file).model.type {
  case "WordPiece": return try WordPieceTokenizer(contentsOf: file)
  case "BPE", nil: return try BytePairTokenizer(contentsOf: file)
  case CharacterFile.type:
    let numbers = try decodeTokenizer(CharacterFile.self, file).model.alphabet
    let alphabet = numbers.compactMap(Unicode.Scalar.init)
    guard alphabet.count == numbers.count, Set(alphabet).count == numbers.count else {
      throw FileError(.malformed, file, "its alphabet has a character twice, or a number that is no character")
    }
    return CharacterTokenizer(alphabet: alphabet)
  case let type?:
    throw FileError(
      .unsupported, file, "a tokenizer of type \"\(type)\"; byte-level BPE, WordPiece and characters are read")
  }
}

/// `path` itself, or the first of two files in it when it is a folder.
func tokenizerFile(_ path: String, preferring first: String, or second: String) throws -> String {
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
    throw FileError(.missing, path, "there is no such file or folder")
  }
  guard isFolder.boolValue else { return path }
  for name in [first, second] where FileManager.default.fileExists(atPath: "\(path)/\(name)") {
    return "\(path)/\(name)"
  }
  throw FileError(.missing, path, "this folder has neither \(first) nor \(second)")
}

func decodeTokenizer<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
  let file = try MappedFile(path)
  let data = file.withBytes(0..<file.count) { Data($0) }
  let decoder = JSONDecoder()
  // Names of properties only: the keys of a dictionary, such as a vocabulary's, stay as they are.
  decoder.keyDecodingStrategy = .convertFromSnakeCase
  do {
    return try decoder.decode(type, from: data)
  } catch let error as DecodingError {
    throw FileError(.malformed, path, "not a tokenizer: \(plainReason(error))")
  }
}

/// What a decoding error says, without its type names.
private func plainReason(_ error: DecodingError) -> String {
  switch error {
  case .keyNotFound(let key, _): "it has no \"\(key.stringValue)\""
  case .typeMismatch(_, let context), .valueNotFound(_, let context):
    "\"\(context.codingPath.map(\.stringValue).joined(separator: "."))\" is of another type than expected"
  case .dataCorrupted: "it is not valid JSON"
  @unknown default: "\(error)"
  }
}

func writeTokenizer<Value: Encodable>(_ value: Value, _ path: String) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  var file = try AtomicFile(path)
  try file.write(String(decoding: try encoder.encode(value), as: UTF8.self))
  try file.commit()
}
