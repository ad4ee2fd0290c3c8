public import Networks
public import Tensors

/// A structured layer that keeps its matrix multiplied out, for few tokens at a time.
///
/// One product with the whole matrix reads more memory and does more arithmetic than the structured ones, but there is
/// only one of it. Any visit that may change the weights makes the matrix stale; until `merge()` is called again the
/// structure is used.
public struct PreMerged<Core: StructuredLinear>: Layer {
  public typealias Scalar = Core.Scalar

  public private(set) var structured: Core
  /// What starting the structured products costs, in multiplications.
  public var overhead: Int
  private var weight: Tensor<Scalar>?

  public init(_ structured: Core, overhead: Int = 200_000) {
    self.structured = structured
    self.overhead = overhead
    weight = structured.dense().dense
  }

  /// Whether the weights may have changed since the matrix was multiplied out.
  public var isStale: Bool { weight == nil }

  /// Multiplies the matrix out.
  public mutating func merge() { weight = structured.dense().dense }

  /// Whether one product with the whole matrix is the cheaper one by the count of multiplications.
  public func prefersMerged(tokens: Int) -> Bool {
    tokens * structured.weightCount + overhead >= tokens * structured.inputs * structured.outputs
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    guard let weight, prefersMerged(tokens: x.count / max(structured.inputs, 1)) else { return structured(x, in: pass) }
    return linear(x, weight: weight, bias: structured.bias)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    weight = nil
    structured.visit(visitor)
  }
}
