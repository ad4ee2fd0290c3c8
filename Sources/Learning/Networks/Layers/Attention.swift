public import Tensors

/// Multi-head attention: projections to queries, keys and values, attention, and a projection back.
///
/// Names are those of LLaMA on Hugging Face: `q_proj`, `k_proj`, `v_proj`, `o_proj`, and Qwen's `q_norm`, `k_norm`.
public struct Attention<Scalar: RealScalar>: Layer {
  public var queryProjection: Linear<Scalar>
  public var keyProjection: Linear<Scalar>
  public var valueProjection: Linear<Scalar>
  public var outputProjection: Linear<Scalar>
  /// Normalises each head's queries and keys before they meet.
  public var queryNorm: RMSNorm<Scalar>?
  public var keyNorm: RMSNorm<Scalar>?
  public let heads: Int
  /// Heads of keys and values; each serves heads / keyValueHeads heads of queries.
  public let keyValueHeads: Int
  public let isCausal: Bool
  /// Positions as rotations, or nil where the input carries them.
  public let positions: RotaryPositions<Scalar>?

  /// - Parameters:
  ///   - width: of the input and the output.
  ///   - contextWidth: of what keys and values are made from, where that is not the input itself.
  public init(
    _ width: Int, heads: Int, keyValueHeads: Int? = nil, headWidth: Int? = nil, contextWidth: Int? = nil,
    isCausal: Bool = false, hasBias: Bool = false, normalizesHeads: Bool = false, epsilon: Double = 1e-6,
    positions: RotaryPositions<Scalar>? = nil, initializer: Initializer = .xavierUniform,
    outputInitializer: Initializer? = nil, random: inout RandomStream
  ) {
    let keyValueHeads = keyValueHeads ?? heads
    precondition(
      headWidth != nil || width % heads == 0, "a width of \(width) does not split into \(heads) heads")
    precondition(heads % keyValueHeads == 0, "\(heads) heads cannot share \(keyValueHeads) heads of keys evenly")
    let headWidth = headWidth ?? width / heads
    func projection(_ inputs: Int, _ outputs: Int, _ initializer: Initializer) -> Linear<Scalar> {
      Linear(
        weight: initializer([outputs, inputs], from: &random), bias: hasBias ? .zeros([outputs]) : nil)
    }
    queryProjection = projection(width, heads * headWidth, initializer)
    keyProjection = projection(contextWidth ?? width, keyValueHeads * headWidth, initializer)
    valueProjection = projection(contextWidth ?? width, keyValueHeads * headWidth, initializer)
    outputProjection = projection(heads * headWidth, width, outputInitializer ?? initializer)
    queryNorm = normalizesHeads ? RMSNorm(headWidth, epsilon: epsilon) : nil
    keyNorm = normalizesHeads ? RMSNorm(headWidth, epsilon: epsilon) : nil
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.isCausal = isCausal
    self.positions = positions
  }

  /// Attention of `x`, shape [batch, positions, width], to itself.
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    self(x, context: nil, keyMask: nil)
  }

  /// Attention of `x`, shape [batch, positions, width], to `context`, or to itself.
  ///
  /// - Parameter keyMask: shape [batch, positions of the context], false where nothing may be seen.
  public func callAsFunction(
    _ x: Tensor<Scalar>, context: Tensor<Scalar>? = nil, keyMask: Tensor<Bool>? = nil
  ) -> Tensor<Scalar> {
    let (queries, keys, values) = projected(x, context: context, from: 0)
    return output(
      scaledDotProductAttention(
        queries: queries, keys: keys, values: values, isCausal: isCausal, keyMask: keyMask))
  }

  /// Attention of new positions to those in the cache and to themselves.
  public func callAsFunction(_ x: Tensor<Scalar>, cache: inout KeyValueCache<Scalar>) -> Tensor<Scalar> {
    let (queries, keys, values) = projected(x, context: nil, from: cache.count)
    let all = cache.append(keys: keys, values: values)
    return output(
      scaledDotProductAttention(queries: queries, keys: all.keys, values: all.values, isCausal: isCausal))
  }

  /// Queries, keys and values by heads, at their positions.
  private func projected(
    _ x: Tensor<Scalar>, context: Tensor<Scalar>?, from start: Int
  ) -> (queries: Tensor<Scalar>, keys: Tensor<Scalar>, values: Tensor<Scalar>) {
    precondition(x.rank == 3, "attention: shape \(x.shape) is not of [batch, positions, width]")
    func split(_ x: Tensor<Scalar>, _ heads: Int) -> Tensor<Scalar> {
      x.reshaped([x.shape[0], x.shape[1], heads, x.shape[2] / heads])
    }
    let context = context ?? x
    var queries = split(queryProjection(x), heads)
    var keys = split(keyProjection(context), keyValueHeads)
    let values = split(valueProjection(context), keyValueHeads)
    if let queryNorm { queries = queryNorm(queries) }
    if let keyNorm { keys = keyNorm(keys) }
    if let positions {
      queries = positions(queries, from: start)
      keys = positions(keys, from: start)
    }
    return (queries, keys, values)
  }

  private func output(_ heads: Tensor<Scalar>) -> Tensor<Scalar> {
    outputProjection(heads.reshaped([heads.shape[0], heads.shape[1], heads.shape[2] * heads.shape[3]]))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("q_proj", &queryProjection)
    visitor.module("k_proj", &keyProjection)
    visitor.module("v_proj", &valueProjection)
    visitor.module("o_proj", &outputProjection)
    visitor.module("q_norm", &queryNorm)
    visitor.module("k_norm", &keyNorm)
  }
}
