// Text as training data: the corpus, and windows of its tokens.

import FileFormats
public import Tensors

/// A text to learn from.
public struct TextCorpus: Sendable {
  public var name: String
  /// The text as UTF-8.
  public var bytes: [UInt8]

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  /// The text in a file.
  ///
  /// - Throws: `FileError` when it cannot be read, is empty, or is not UTF-8.
  public init(contentsOf path: String) throws {
    let file = try MappedFile(path)
    let bytes = file.withBytes(0..<file.count) { Array($0) }
    guard !bytes.isEmpty else { throw FileError(.empty, path, "the file is empty") }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw FileError(.foreign, path, "this is not a text in UTF-8")
    }
    self.init(name: path, bytes: bytes)
  }

  public init(name: String, text: String) { self.init(name: name, bytes: Array(text.utf8)) }

  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The text cut in two: the first part for training, the rest held out. No character is cut in half.
  public func split(heldOut fraction: Double = 0.1) -> (train: TextCorpus, heldOut: TextCorpus) {
    precondition((0...1).contains(fraction), "a fraction lies in [0, 1], but is \(fraction)")
    var cut = Int(Double(bytes.count) * (1 - fraction))
    while cut < bytes.count, bytes[cut] & 0xC0 == 0x80 { cut += 1 }
    return (
      TextCorpus(name: name, bytes: Array(bytes[..<cut])),
      TextCorpus(name: "\(name), held out", bytes: Array(bytes[cut...]))
    )
  }
}

/// Tokens and, for each, the one that follows it.
public struct TokenBatch: Sendable {
  /// Shape [windows, length].
  public var inputs: Tensor<Int>
  /// Shape [windows, length].
  public var targets: Tensor<Int>
}

/// Windows of a stream of tokens, for models that predict the next one.
public struct TokenWindows: Sendable {
  /// The stream.
  public let tokens: [Int32]
  /// The tokens of a window.
  public let length: Int

  /// - Throws: `InvalidArgument` when the stream does not fill one window and the token after it.
  public init(_ tokens: some Sequence<Int>, length: Int) throws {
    self.tokens = tokens.map { Int32($0) }
    self.length = length
    guard length > 0, self.tokens.count > length else {
      throw InvalidArgument(
        "tokens", found: "\(self.tokens.count)",
        wanted: "more than a window's \(length); give a longer text or a shorter context")
    }
  }

  /// `size` windows at random places, drawn for this step: a function of the stream and the step alone.
  public func batch(at step: Int, size: Int, random: RandomStream) -> TokenBatch {
    var stream = random.child(UInt64(step))
    return batch(startingAt: stream.integers([size], in: 0..<tokens.count - length).scalars)
  }

  /// How many windows follow one another without overlap.
  public var consecutiveCount: Int { (tokens.count - 1) / length }

  /// The windows number `range` of those that follow one another from the beginning.
  public func consecutive(_ range: Range<Int>) -> TokenBatch {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= consecutiveCount, "windows \(range) of \(consecutiveCount)")
    return batch(startingAt: range.map { $0 * length })
  }

  private func batch(startingAt starts: [Int]) -> TokenBatch {
    func windows(_ shift: Int) -> Tensor<Int> {
      Tensor(uninitializedShape: [starts.count, length]) { result in
        tokens.withUnsafeBufferPointer { tokens in
          for (row, start) in starts.enumerated() {
            for i in 0..<length { result[row * length + i] = Int(tokens[start + shift + i]) }
          }
        }
      }
    }
    return TokenBatch(inputs: windows(0), targets: windows(1))
  }
}
