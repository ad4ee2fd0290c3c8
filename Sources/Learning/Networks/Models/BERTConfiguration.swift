import FileFormats
import Foundation
import Tensors

/// The shape of a `BERT`, read from a `config.json` of Hugging Face.
public struct BERTConfiguration: Sendable, Hashable {
  public var vocabulary = 30_522
  public var width = 384
  public var layers = 6
  public var heads = 12
  /// The width inside the feed-forward layers.
  public var hidden = 1_536
  /// The most tokens of one text.
  public var positions = 512
  public var segments = 2
  public var epsilon = 1e-12
  public var activation = Activation.gelu
  /// The share of activations dropped in training.
  public var dropout = 0.1

  public init() {}

  /// Throws unless a model of this shape can exist.
  public func validate() throws {
    let extents = [vocabulary, width, layers, heads, hidden, positions, segments]
    guard extents.allSatisfy({ $0 > 0 && $0 < 1 << 28 }), width % heads == 0 else {
      throw InvalidArgument(
        "configuration", found: "\(self)", wanted: "positive extents, and a width that splits into the heads")
    }
    guard (0..<1).contains(dropout), epsilon > 0, epsilon.isFinite else {
      throw InvalidArgument(
        "configuration", found: "dropout \(dropout), epsilon \(epsilon)",
        wanted: "a dropout in [0, 1) and a positive epsilon")
    }
  }

  /// How many numbers a model of this shape learns, its pooler included; at most 10^18, for the extents in a file may
  /// be anything.
  public var parameterCount: Int {
    let (width, hidden) = (Double(width), Double(hidden))
    let square = width * width + width
    let block = 4 * square + 2 * width * hidden + hidden + width + 4 * width
    let tables = (Double(vocabulary) + Double(positions) + Double(segments) + 2) * width
    return Int(min(tables + Double(layers) * block + square, 1e18))
  }

  /// Reads `config.json`.
  ///
  /// - Throws: `FileError` when it is not the configuration of a BERT that can be built here.
  public init(contentsOf path: String) throws {
    struct File: Decodable {
      var modelType: String?
      var vocabSize, hiddenSize, numHiddenLayers, numAttentionHeads, intermediateSize: Int
      var maxPositionEmbeddings, typeVocabSize: Int
      var layerNormEps, hiddenDropoutProb: Double?
      var hiddenAct, positionEmbeddingType: String?
    }
    let bytes = try MappedFile(path)
    let file: File
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      file = try decoder.decode(File.self, from: bytes.withBytes(0..<bytes.count) { Data($0) })
    } catch let error as DecodingError {
      throw FileError(.malformed, path, "not the configuration of a BERT: \(error)")
    }
    let activations = ["gelu": Activation.gelu, "gelu_new": .geluTanh, "relu": .relu, "silu": .silu]
    guard file.modelType ?? "bert" == "bert", file.positionEmbeddingType ?? "absolute" == "absolute",
      let activation = activations[file.hiddenAct ?? "gelu"]
    else {
      throw FileError(
        .unsupported, path,
        "a BERT with absolute positions and GELU, ReLU or SiLU is read, but this is "
          + "\(file.modelType ?? "bert"), \(file.positionEmbeddingType ?? ""), \(file.hiddenAct ?? "")")
    }
    vocabulary = file.vocabSize
    width = file.hiddenSize
    layers = file.numHiddenLayers
    heads = file.numAttentionHeads
    hidden = file.intermediateSize
    positions = file.maxPositionEmbeddings
    segments = file.typeVocabSize
    epsilon = file.layerNormEps ?? 1e-12
    dropout = file.hiddenDropoutProb ?? 0.1
    self.activation = activation
    do {
      try validate()
    } catch let error as InvalidArgument {
      throw FileError(.malformed, path, error.description)
    }
  }
}
