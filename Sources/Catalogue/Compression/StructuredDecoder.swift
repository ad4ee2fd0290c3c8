import Compression
import Networks
import Tensors

/// A small decoder with heads of width 32: the first block dense, the others with structured feed-forward layers.
struct StructuredDecoder: Layer {
  typealias Scalar = Float

  var embedding: Embedding<Float>
  var blocks: [Block]
  var norm: RMSNorm<Float>
  var head: Linear<Float>

  struct Block: Module {
    var attentionNorm: RMSNorm<Float>
    var attention: Attention<Float>
    var norm: RMSNorm<Float>
    var feedForward: StructuredFeedForward<Float>

    mutating func visit(_ visitor: Visitor<Float>) {
      visitor.module("attention_norm", &attentionNorm)
      visitor.module("attention", &attention)
      visitor.module("norm", &norm)
      visitor.module("feed_forward", &feedForward)
    }
  }

  init(
    vocabulary: Int, width: Int = 64, layers: Int = 3, structure: LinearStructure, isGuided: Bool,
    random: inout RandomStream
  ) throws {
    let initializer = Initializer.normal(deviation: 0.02)
    let positions = RotaryPositions<Float>(width: 32, count: 64)
    embedding = Embedding(vocabulary, width, initializer: initializer, random: &random)
    blocks = try (0..<layers).map { i in
      Block(
        attentionNorm: RMSNorm(width),
        attention: Attention(
          width, heads: width / 32, isCausal: true, positions: positions, initializer: initializer, random: &random),
        norm: RMSNorm(width),
        feedForward: try StructuredFeedForward(
          width, structure: i == 0 ? .dense : structure, hasBias: false, isGuided: isGuided, random: &random))
    }
    norm = RMSNorm(width)
    head = Linear(weight: initializer([vocabulary, width], from: &random))
  }

  var structuredWeights: Int { blocks.dropFirst().reduce(0) { $0 + $1.feedForward.weightCount } }

  func callAsFunction(_ tokens: Tensor<Int>) -> Tensor<Float> { self(embedding(tokens), in: .inference) }

  func callAsFunction(_ x: Tensor<Float>, in pass: ForwardPass) -> Tensor<Float> {
    var x = x
    for block in blocks {
      x = x + block.attention(block.attentionNorm(x), in: pass)
      x = x + block.feedForward(block.norm(x), in: pass)
    }
    return head(norm(x))
  }

  mutating func visit(_ visitor: Visitor<Float>) {
    visitor.module("embedding", &embedding)
    visitor.modules("blocks", &blocks)
    visitor.module("norm", &norm)
    visitor.module("head", &head)
  }
}
