/// What a weight does in a transformer, as far as its name tells.
public enum TensorRole: String, Sendable, Hashable, CaseIterable {
  case embedding, query, key, value
  /// Queries, keys and values in one matrix.
  case queryKeyValue
  case attentionOutput
  case feedForwardGate, feedForwardUp, feedForwardDown
  /// The last projection, onto the vocabulary or the classes.
  case head
  case other

  /// As tables write it.
  public var title: String {
    switch self {
    case .embedding: "embedding"
    case .query: "query"
    case .key: "key"
    case .value: "value"
    case .queryKeyValue: "query/key/value"
    case .attentionOutput: "attention output"
    case .feedForwardGate: "feed-forward gate"
    case .feedForwardUp: "feed-forward up"
    case .feedForwardDown: "feed-forward down"
    case .head: "head"
    case .other: "other"
    }
  }

  /// The role of a tensor of a checkpoint, by the names that BERT, GPT-2, GPT-NeoX, LLaMA, Mixtral, T5, ViT and their
  /// relatives use. Biases have the role of their weight.
  public init(tensorName: String) {
    self = TensorPath(tensorName).role
  }

  /// The number of the layer that a tensor's name puts it in: `model.layers.7.mlp.up_proj.weight` is of layer 7.
  public static func layer(ofTensorName name: String) -> Int? { TensorPath(name).layer }
}

/// A tensor's name, taken apart at its dots.
private struct TensorPath {
  /// Lower-case components without a closing `weight` or `bias`.
  var components: [String]
  var layer: Int? { components.lazy.compactMap { Int($0) }.first }

  init(_ name: String) {
    components = name.lowercased().split { $0 == "." || $0 == "/" }.map(String.init)
    if let last = components.last, ["weight", "bias", "kernel"].contains(last) { components.removeLast() }
    // in_proj_weight, w_weight, ...
    if let last = components.last, last.hasSuffix("_weight") || last.hasSuffix("_bias") {
      components[components.count - 1] = String(last[..<(last.lastIndex(of: "_") ?? last.endIndex)])
    }
  }

  var role: TensorRole {
    guard let leaf = components.last else { return .other }
    let parent = components.dropLast().last ?? ""
    if components.contains(where: { $0.contains("norm") || $0.hasPrefix("ln_") }) { return .other }
    if let role = Self.byLeaf[leaf] { return role }
    if isInAttention, let role = Self.byLeafInAttention[leaf] { return role }
    switch (leaf, parent) {
    case ("dense", "intermediate"): return .feedForwardUp
    case ("dense", "output"): return isInAttention ? .attentionOutput : .feedForwardDown
    case ("dense", "attention"), ("dense", "self_attention"): return .attentionOutput
    case ("wo", _), ("c_proj", _): return isInAttention ? .attentionOutput : .feedForwardDown
    case ("output", "") where layer == nil: return .head
    default: break
    }
    if layer == nil && components.contains(where: { $0.contains("embed") }) { return .embedding }
    return .other
  }

  private var isInAttention: Bool { components.contains { $0.contains("attn") || $0.contains("attention") } }

  private static let byLeaf: [String: TensorRole] = [
    "query": .query, "q_proj": .query, "wq": .query, "q_lin": .query, "to_q": .query,
    "key": .key, "k_proj": .key, "wk": .key, "k_lin": .key, "to_k": .key,
    "value": .value, "v_proj": .value, "wv": .value, "v_lin": .value, "to_v": .value,
    "c_attn": .queryKeyValue, "qkv": .queryKeyValue, "query_key_value": .queryKeyValue, "qkv_proj": .queryKeyValue,
    "in_proj": .queryKeyValue, "wqkv": .queryKeyValue, "w_pack": .queryKeyValue,
    "o_proj": .attentionOutput, "out_lin": .attentionOutput, "to_out": .attentionOutput, "out_proj": .attentionOutput,
    "gate_proj": .feedForwardGate, "w1": .feedForwardGate, "wi_0": .feedForwardGate,
    "up_proj": .feedForwardUp, "w3": .feedForwardUp, "wi": .feedForwardUp, "wi_1": .feedForwardUp,
    "c_fc": .feedForwardUp, "fc1": .feedForwardUp, "fc_in": .feedForwardUp, "lin1": .feedForwardUp,
    "linear1": .feedForwardUp, "dense_h_to_4h": .feedForwardUp, "gate_up_proj": .feedForwardUp,
    "down_proj": .feedForwardDown, "w2": .feedForwardDown, "fc2": .feedForwardDown, "fc_out": .feedForwardDown,
    "lin2": .feedForwardDown, "linear2": .feedForwardDown, "dense_4h_to_h": .feedForwardDown,
    "wte": .embedding, "wpe": .embedding, "embed_tokens": .embedding, "tok_embeddings": .embedding,
    "embed_in": .embedding, "word_embeddings": .embedding, "position_embeddings": .embedding,
    "token_type_embeddings": .embedding, "embed_positions": .embedding, "shared": .embedding,
    "lm_head": .head, "embed_out": .head, "classifier": .head, "score": .head,
  ]

  /// Names that mean something else elsewhere.
  private static let byLeafInAttention: [String: TensorRole] = [
    "q": .query, "k": .key, "v": .value, "o": .attentionOutput, "proj": .attentionOutput,
  ]
}
