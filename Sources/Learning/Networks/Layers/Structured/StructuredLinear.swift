// Linear layers whose matrix is cheap by construction.

import LinearAlgebra
public import Tensors

/// A linear layer y = M x + bias whose matrix M, of shape [outputs, inputs], is a product of few numbers.
public protocol StructuredLinear<Scalar>: Layer {
  var inputs: Int { get }
  var outputs: Int { get }
  /// Shape [outputs].
  var bias: Tensor<Scalar>? { get }
  /// How many numbers the matrix is made of.
  var weightCount: Int { get }
  /// x Mᵀ on the last axis, without the bias.
  func product(_ x: Tensor<Scalar>) -> Tensor<Scalar>
}

extension StructuredLinear {
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let product = product(x)
    return bias.map { product + $0 } ?? product
  }

  /// Multiplications and additions for `tokens` rows.
  public func flops(tokens: Int) -> Int { 2 * weightCount * tokens }

  /// M, of shape [outputs, inputs].
  public func dense() -> Tensor<Scalar> { product(.identity(inputs)).transposed.dense }

  /// The same map as one dense layer: for few tokens at a time, where one product is quicker than several.
  ///
  /// A copy: it does not follow later updates of this layer.
  public func merged() -> Linear<Scalar> { Linear(weight: dense(), bias: bias) }
}

/// Which structure a linear layer has.
public enum LinearStructure: Sendable, Hashable {
  case dense
  /// A product of two matrices of this rank.
  case lowRank(Int)
  /// Two block-diagonal matrices of so many blocks, with shuffles.
  case blockShuffle(blocks: Int)
  /// A dense matrix of this rank times a block-diagonal one.
  case blockDense(rank: Int, blocks: Int)

  /// How many numbers a matrix of this structure is made of.
  public func weightCount(inputs n: Int, outputs m: Int) -> Int {
    switch self {
    case .dense: n * m
    case .lowRank(let rank): rank * (n + m)
    case .blockShuffle(let blocks): (n + m) * min(n, m) / blocks
    case .blockDense(let rank, let blocks): rank * n / blocks + m * rank
    }
  }

  /// Throws unless a layer of these extents can have this structure.
  public func validate(inputs n: Int, outputs m: Int) throws {
    guard n >= 1, m >= 1 else {
      throw InvalidArgument("inputs and outputs", found: "\(n) and \(m)", wanted: "at least 1")
    }
    func require(_ blocks: Int, _ extents: [Int]) throws {
      guard blocks >= 1, extents.allSatisfy({ $0 % blocks == 0 }) else {
        throw InvalidArgument("blocks", found: "\(blocks)", wanted: "a number that divides \(extents)")
      }
    }
    func require(rank: Int) throws {
      guard rank >= 1, rank <= min(n, m) else {
        throw InvalidArgument("rank", found: "\(rank)", wanted: "from 1 to \(min(n, m))")
      }
    }
    switch self {
    case .dense: break
    case .lowRank(let rank): try require(rank: rank)
    case .blockShuffle(let blocks): try require(blocks, [n, m])
    case .blockDense(let rank, let blocks):
      try require(rank: rank)
      try require(blocks, [n, rank])
    }
  }

  /// Whether a layer of this structure has fewer numbers than a dense one.
  public func saves(inputs: Int, outputs: Int) -> Bool {
    weightCount(inputs: inputs, outputs: outputs) < inputs * outputs
  }
}

/// The rank at which a low-rank matrix has at most the part `keep` of a dense one's numbers; at least 1.
///
/// - Throws: `InvalidArgument` for a part that is not above zero and at most one.
public func matchedRank(keep: Double, inputs: Int, outputs: Int) throws -> Int {
  guard keep > 0, keep <= 1 else { throw InvalidArgument("keep", found: "\(keep)", wanted: "above 0 and at most 1") }
  return max(1, min(inputs, outputs, Int(keep * Double(inputs * outputs) / Double(inputs + outputs))))
}

/// Draws blocks and replaces each by the nearest one with orthonormal rows or columns.
func orthogonalBlocks<Scalar: RealScalar>(
  _ shape: [Int], gain: Double, random: inout RandomStream
) -> Tensor<Scalar> {
  .stacked((0..<shape[0]).map { _ in Initializer.orthogonal(gain: gain)(Array(shape[1...]), from: &random) })
}
