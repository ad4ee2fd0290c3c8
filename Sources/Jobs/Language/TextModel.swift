// A network for texts as people keep it: weights, configuration and tokenizer, beside each other on disk.

public import FileFormats
import Foundation
public import Networks
public import Tensors

/// A decoder or an encoder with its tokenizer, read from a checkpoint.
///
/// Matrices stored as factors run as factors.
public struct TextModel: Sendable {
  public enum Network: Sendable {
    /// Predicts the next token.
    case decoder(GPT<Float>)
    /// Gives each sentence a vector.
    case encoder(BERT<Float>)
  }

  public var network: Network
  public let tokenizer: any Tokenizer
  /// The file or folder it was read from.
  public let path: String
  /// Bits of a number as the file stores it, on average.
  public let storedBits: Double
  /// Whether the file has matrices as codes of a few bits; here they are the numbers that those stand for.
  public let isQuantized: Bool

  public init(_ network: Network, tokenizer: any Tokenizer, path: String = "", storedBits: Double = 32) {
    self.network = network
    self.tokenizer = tokenizer
    self.path = path
    self.storedBits = storedBits
    isQuantized = false
  }

  /// Reads a model.
  ///
  /// A decoder's configuration is in the checkpoint's metadata, as `apus train` writes it, or in a `config.json` of a
  /// LLaMA; an encoder's is in a `config.json` of a BERT. The file and the tokenizer may lie beside the checkpoint or in
  /// the folder `tokenizer`.
  /// - Throws: `FileError` or `StateMismatch` when there is no such model; `InvalidArgument` with the name of a tensor that
  ///   is not finite.
  public init(_ path: String, tokenizer folder: String? = nil) throws {
    let checkpoint = try Checkpoint(Self.weights(path))
    let beside = Self.folder(of: checkpoint.path)
    let configuration = [folder.map(Self.folder(of:)), beside].compactMap(\.self).map { "\($0)/config.json" }
      .first { FileManager.default.fileExists(atPath: $0) }
    self.path = path
    isQuantized = checkpoint.metadata[QuantizedCheckpoint.key] != nil
    if checkpoint.metadata["config"] != nil {
      let model = try Self.decoder(checkpoint, GPTConfiguration(of: checkpoint))
      network = .decoder(model)
      tokenizer = try Self.tokenizer(folder ?? beside, vocabulary: model.configuration.vocabulary)
    } else if let configuration, try Self.isBERT(configuration) {
      let model = try Self.encoder(checkpoint, BERTConfiguration(contentsOf: configuration))
      network = .encoder(model)
      tokenizer = try Self.wordPieces(folder ?? beside, vocabulary: model.configuration.vocabulary)
    } else if let configuration {
      let model = try Self.decoder(checkpoint, GPTConfiguration(contentsOf: configuration))
      network = .decoder(model)
      tokenizer = try Self.tokenizer(folder ?? beside, vocabulary: model.configuration.vocabulary)
    } else {
      throw FileError(
        .unsuitable, path,
        "neither its metadata nor a config.json beside it says what network this is; name the folder with --tokenizer")
    }
    try network.requireFinite()
    let numbers = Double(8 * checkpoint.byteCount) - network.placeBits
    storedBits = numbers / Double(max(network.parameterCount, 1))
  }

  /// - Throws: `FileError` when its weights are rounded ones, which are not made smaller again.
  func requireNumbers() throws {
    guard !isQuantized else { throw FileError(.unsuitable, path, QuantizedCheckpoint.advice) }
  }

  /// The width of the context: the most tokens that are looked at together.
  public var contextLength: Int {
    switch network {
    case .decoder(let model): model.configuration.contextLength
    case .encoder(let model): model.configuration.positions
    }
  }

  /// The encoder with its tokenizer; nothing for a decoder.
  public var embedder: SentenceEmbedder? {
    guard case .encoder(let model) = network, let tokenizer = tokenizer as? WordPieceTokenizer else { return nil }
    return SentenceEmbedder(model: model, tokenizer: tokenizer)
  }

  public var isDecoder: Bool { if case .decoder = network { true } else { false } }

  /// The linear layers by name.
  public var linearLayers: [(name: String, layer: Linear<Float>)] { network.linearLayers }

  /// Numbers in all tensors, as they are stored: a factor that layers share counts once.
  public var parameterCount: Int { network.parameterCount }

  /// Bits of all tensors as they are stored, with the places of sparse numbers: those of the file it was read from, and
  /// of what is made of it those of the file it would make.
  public var sizeInBits: Double { Double(parameterCount) * storedBits + network.placeBits }

  /// Multiplications and additions of the linear layers for one token.
  public var operationsPerToken: Double {
    linearLayers.reduce(0) { $0 + 2 * Double($1.layer.form.parameterCount) }
  }

  /// The configuration of a decoder for a checkpoint's metadata; an encoder's is a file of its own.
  var metadata: [String: String] {
    if case .decoder(let model) = network { model.configuration.metadata } else { [:] }
  }

  /// Writes the weights, in factors where the model has factors.
  public func save(to path: String, as type: StoredType? = nil, metadata extra: [String: String] = [:]) throws {
    let metadata = metadata.merging(extra) { $1 }
    switch network {
    case .decoder(let model): try model.save(to: path, as: type, metadata: metadata)
    case .encoder(let model): try model.save(to: path, as: type, metadata: metadata)
    }
  }

  /// Writes the weights with all factors multiplied out, under the names that other tools know.
  public func saveDense(to path: String, as type: StoredType? = nil, metadata extra: [String: String] = [:]) throws {
    var dense = self
    switch network {
    case .decoder(var model):
      model.forEachLinear { $1.form = .dense($1.form.dense) }
      dense.network = .decoder(model)
    case .encoder(var model):
      model.forEachLinear { $1.form = .dense($1.form.dense) }
      dense.network = .encoder(model)
    }
    try dense.save(to: path, as: type, metadata: extra)
  }

  /// Writes what was made of a checkpoint, in the type that most of its numbers have.
  ///
  /// - Throws: `InvalidArgument` when that is the original itself; `FileError`.
  func save(to path: String, replacing original: String, isDense: Bool = false, metadata: [String: String]) throws {
    let checkpoint = try Checkpoint(Self.weights(original))
    try FactoredCheckpoint(checkpoint).requireOther(path)
    var counts: [StoredType: Int] = [:]
    for entry in checkpoint.entries where entry.type.isFloatingPoint { counts[entry.type, default: 0] += entry.count }
    let type = counts.max { ($0.value, "\($1.key)") < ($1.value, "\($0.key)") }?.key
    if isDense {
      try saveDense(to: path, as: type, metadata: metadata)
    } else {
      try save(to: path, as: type, metadata: metadata)
    }
  }

  // MARK: Reading

  /// A decoder whose matrices are numbers, factors or codes.
  private static func decoder(_ checkpoint: Checkpoint, _ configuration: GPTConfiguration) throws -> GPT<Float> {
    guard let quantized = try QuantizedCheckpoint(checkpoint) else {
      return try GPT<Float>(from: checkpoint, configuration: configuration)
    }
    try quantized.requireRoom(for: configuration.parameterCount)
    var random = RandomStream(seed: 0)
    var model = try GPT<Float>(configuration, random: &random)
    try model.load(from: quantized)
    return model
  }

  /// An encoder whose matrices are numbers, factors or codes.
  private static func encoder(_ checkpoint: Checkpoint, _ configuration: BERTConfiguration) throws -> BERT<Float> {
    guard let quantized = try QuantizedCheckpoint(checkpoint) else {
      return try BERT<Float>(from: checkpoint, configuration: configuration)
    }
    try quantized.requireRoom(for: configuration.parameterCount)
    var random = RandomStream(seed: 0)
    var model = try BERT<Float>(
      configuration, hasPooler: quantized.has("pooler.dense.weight"), random: &random)
    try model.load(from: quantized)
    return model
  }

  private static func wordPieces(_ folder: String, vocabulary: Int) throws -> WordPieceTokenizer {
    let tokenizer = try WordPieceTokenizer(contentsOf: folder)
    guard tokenizer.vocabularyCount <= vocabulary else {
      throw FileError(
        .unsuitable, folder, "a tokenizer of \(tokenizer.vocabularyCount) tokens for a model of \(vocabulary)")
    }
    return tokenizer
  }

  // MARK: Where things lie

  /// The checkpoint of a run's folder is its model, not what it resumes from.
  private static func weights(_ path: String) -> String {
    let inFolder = "\(path)/model.safetensors"
    return FileManager.default.fileExists(atPath: inFolder) ? inFolder : path
  }

  /// The folder that a file lies in; a folder itself.
  public static func folder(of path: String) -> String {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue { return path }
    let parent = (path as NSString).deletingLastPathComponent
    return parent.isEmpty ? "." : parent
  }

  private static func isBERT(_ path: String) throws -> Bool {
    struct Header: Decodable { var modelType: String? }
    let file = try MappedFile(path)
    let data = file.withBytes(0..<file.count) { Data($0) }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let header = try? decoder.decode(Header.self, from: data) else {
      throw FileError(.malformed, path, "this is not the configuration of a network")
    }
    return header.modelType == "bert"
  }

  private static func tokenizer(_ folder: String, vocabulary: Int) throws -> any Tokenizer {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
    let isThere = exists && (!isFolder.boolValue || FileManager.default.fileExists(atPath: "\(folder)/tokenizer.json"))
    // Without a file a model of 256 tokens is one of bytes.
    guard isThere || vocabulary == 256 else {
      throw FileError(.missing, folder, "there is no tokenizer.json here; say where it is with --tokenizer DIR")
    }
    let tokenizer: any Tokenizer = isThere ? try readTokenizer(folder) : ByteTokenizer()
    guard tokenizer.vocabularyCount <= vocabulary else {
      throw FileError(
        .unsuitable, folder, "a tokenizer of \(tokenizer.vocabularyCount) tokens does not fit a model of \(vocabulary)")
    }
    return tokenizer
  }
}

extension TextModel.Network {
  var linearLayers: [(name: String, layer: Linear<Float>)] {
    switch self {
    case .decoder(let model): model.linearLayers
    case .encoder(let model): model.linearLayers
    }
  }

  /// Layers that share an input, in the order in which they are evaluated.
  var groups: [[String]] {
    switch self {
    case .decoder(let model): model.linearGroups
    case .encoder(let model): model.linearGroups
    }
  }

  var parameterCount: Int {
    func count(_ model: some Module<Float>) -> Int {
      var seen: Set<ObjectIdentifier> = []
      return (model.parameters.tensors + model.buffers.tensors).reduce(0) { sum, tensor in
        seen.insert(tensor.storageIdentity).inserted ? sum + tensor.count : sum
      }
    }
    return switch self {
    case .decoder(let model): count(model)
    case .encoder(let model): count(model)
    }
  }

  /// - Throws: `InvalidArgument` with the name of the first tensor that is not finite.
  func requireFinite() throws {
    func check(_ model: some Module<Float>) throws {
      for (name, tensor) in zip(model.parameters.names, model.parameters.tensors) { try tensor.requireFinite(name) }
      for (name, tensor) in zip(model.buffers.names, model.buffers.tensors) { try tensor.requireFinite(name) }
    }
    switch self {
    case .decoder(let model): try check(model)
    case .encoder(let model): try check(model)
    }
  }

  /// Bits of the places of sparse numbers.
  var placeBits: Double {
    linearLayers.reduce(0.0) { sum, entry in
      guard case .dictionary(let codes, _) = entry.layer.form else { return sum }
      return sum + 8 * Double(codes.places.byteCount)
    }
  }
}
