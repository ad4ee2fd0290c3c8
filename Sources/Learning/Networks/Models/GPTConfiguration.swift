// What shape a decoder has, and how that is written into a checkpoint.

public import FileFormats
import Foundation
import Tensors

/// The shape of a `GPT`. Written as JSON under the names of a LLaMA `config.json` on Hugging Face.
public struct GPTConfiguration: Codable, Sendable, Hashable {
  /// The number of tokens.
  public var vocabulary: Int
  public var width = 128
  public var layers = 4
  public var heads = 4
  /// Heads of keys and values; as many as `heads` unless queries are grouped.
  public var keyValueHeads = 4
  /// The width of a head; width / heads in most models.
  public var headWidth = 32
  /// The width inside the feed-forward layers.
  public var hidden = 352
  /// The most positions the model is trained on.
  public var contextLength = 128
  public var rotaryBase = 10_000.0
  public var epsilon = 1e-5
  /// Whether the output's weight is that of the embedding.
  public var isTied = false
  /// Whether queries and keys are normalised in each head.
  public var normalizesHeads = false
  /// The share of activations dropped in training, after the embedding and before each residual sum.
  public var dropout = 0.0

  public init(
    vocabulary: Int, width: Int = 128, layers: Int = 4, heads: Int = 4, keyValueHeads: Int? = nil,
    headWidth: Int? = nil, hidden: Int? = nil, contextLength: Int = 128, isTied: Bool = false,
    normalizesHeads: Bool = false, dropout: Double = 0
  ) {
    self.vocabulary = vocabulary
    self.width = width
    self.layers = layers
    self.heads = heads
    self.keyValueHeads = keyValueHeads ?? heads
    self.headWidth = headWidth ?? width / max(heads, 1)
    // Two thirds of four widths, in whole vectors: as many numbers as a feed-forward layer without a gate has.
    self.hidden = hidden ?? (width * 8 / 3 + 31) / 32 * 32
    self.contextLength = contextLength
    self.isTied = isTied
    self.normalizesHeads = normalizesHeads
    self.dropout = dropout
  }

  private enum CodingKeys: String, CodingKey {
    case vocabulary = "vocab_size"
    case width = "hidden_size"
    case layers = "num_hidden_layers"
    case heads = "num_attention_heads"
    case keyValueHeads = "num_key_value_heads"
    case headWidth = "head_dim"
    case hidden = "intermediate_size"
    case contextLength = "max_position_embeddings"
    case rotaryBase = "rope_theta"
    case epsilon = "rms_norm_eps"
    case isTied = "tie_word_embeddings"
    case normalizesHeads = "use_qk_norm"
    case dropout = "hidden_dropout"
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let width = try values.decode(Int.self, forKey: .width)
    let heads = try values.decode(Int.self, forKey: .heads)
    self.init(
      vocabulary: try values.decode(Int.self, forKey: .vocabulary), width: width,
      layers: try values.decode(Int.self, forKey: .layers), heads: heads,
      keyValueHeads: try values.decodeIfPresent(Int.self, forKey: .keyValueHeads),
      headWidth: try values.decodeIfPresent(Int.self, forKey: .headWidth),
      hidden: try values.decode(Int.self, forKey: .hidden),
      contextLength: try values.decode(Int.self, forKey: .contextLength),
      isTied: try values.decodeIfPresent(Bool.self, forKey: .isTied) ?? false,
      normalizesHeads: try values.decodeIfPresent(Bool.self, forKey: .normalizesHeads) ?? false,
      dropout: try values.decodeIfPresent(Double.self, forKey: .dropout) ?? 0)
    rotaryBase = try values.decodeIfPresent(Double.self, forKey: .rotaryBase) ?? 10_000
    epsilon = try values.decodeIfPresent(Double.self, forKey: .epsilon) ?? 1e-5
  }

  /// Throws unless a model of this shape can exist.
  public func validate() throws {
    let extents = [vocabulary, width, layers, heads, keyValueHeads, headWidth, hidden, contextLength]
    guard extents.allSatisfy({ $0 > 0 && $0 < 1 << 28 }) else {
      throw InvalidArgument("configuration", found: "\(self)", wanted: "positive extents")
    }
    guard contextLength * headWidth <= 1 << 28 else {
      throw InvalidArgument(
        "configuration", found: "a context of \(contextLength) with heads of width \(headWidth)",
        wanted: "rotations of all positions in at most 2^28 numbers")
    }
    guard heads % keyValueHeads == 0, headWidth % 2 == 0 else {
      throw InvalidArgument(
        "configuration", found: "\(heads) heads of width \(headWidth), \(keyValueHeads) heads of keys",
        wanted: "heads of an even width, shared evenly by the heads of keys")
    }
    guard (0..<1).contains(dropout), epsilon > 0, epsilon.isFinite, rotaryBase > 0, rotaryBase.isFinite else {
      throw InvalidArgument(
        "configuration", found: "dropout \(dropout), epsilon \(epsilon), rotary base \(rotaryBase)",
        wanted: "a dropout in [0, 1) and positive numbers")
    }
  }

  /// How many numbers a model of this shape learns; at most 10^18, for the extents in a file may be anything.
  public var parameterCount: Int {
    let (width, headWidth) = (Double(width), Double(headWidth))
    let queries = Double(heads) * headWidth
    let attention = 2 * width * (queries + Double(keyValueHeads) * headWidth) + (normalizesHeads ? 2 * headWidth : 0)
    let block = attention + 3 * width * Double(hidden) + 2 * width
    let tables = Double(vocabulary) * width * (isTied ? 1 : 2)
    return Int(min(tables + Double(layers) * block + width, 1e18))
  }

  /// The entry for a checkpoint's metadata: `try model.save(to: path, metadata: model.configuration.metadata)`.
  public var metadata: [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    guard let data = try? encoder.encode(self) else { preconditionFailure("\(self) has a number that is not finite") }
    return [Self.metadataKey: String(decoding: data, as: UTF8.self)]
  }

  private static let metadataKey = "config"

  /// Reads a `config.json` of a LLaMA.
  ///
  /// - Throws: `FileError` when it is not the configuration of a decoder that can be built here.
  public init(contentsOf path: String) throws {
    struct Kind: Decodable {
      var modelType, hiddenAct: String?
      var ropeScaling: [String: JSONAny]?
      var attentionBias: Bool?
      struct JSONAny: Decodable { init(from decoder: any Decoder) {} }
    }
    let file = try MappedFile(path)
    let data = file.withBytes(0..<file.count) { Data($0) }
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      let kind = try decoder.decode(Kind.self, from: data)
      guard kind.modelType ?? "llama" == "llama", kind.hiddenAct ?? "silu" == "silu", kind.ropeScaling == nil,
        kind.attentionBias != true
      else {
        throw FileError(
          .unsupported, path,
          "a LLaMA with SiLU, unscaled rotary positions and no biases is read, but this is another network")
      }
      self = try JSONDecoder().decode(Self.self, from: data)
      try validate()
    } catch let error as DecodingError {
      throw FileError(.malformed, path, "not the configuration of a decoder: \(error)")
    } catch let error as InvalidArgument {
      throw FileError(.malformed, path, error.description)
    }
  }

  /// The configuration in a checkpoint's metadata.
  ///
  /// - Throws: `FileError` when it is missing or not of a decoder; `InvalidArgument` when no such model can exist.
  public init(of checkpoint: Checkpoint) throws {
    guard let text = checkpoint.metadata[Self.metadataKey] else {
      throw FileError(
        .unsuitable, checkpoint.path, "its metadata has no \"\(Self.metadataKey)\" that says what shape the model has")
    }
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch {
      throw FileError(
        .malformed, checkpoint.path,
        "the \"\(Self.metadataKey)\" in its metadata is not the configuration of a decoder: \(error)")
    }
    try validate()
  }
}
