// Structured layers that a dense one leads through the first part of training.

public import Networks
import Numerics
public import Tensors

/// A structured layer beside an auxiliary dense matrix W: β W x + (1 - β) S x, both trained by the same loss.
///
/// W starts as the structured product, so that the output is as without it. While β is near one the dense path learns,
/// and the structured factors adapt slowly; from β = 0 on W has no part, gets a gradient of zero and can be dropped.
/// ``SelfGuidance`` sets β, which is a buffer of the layer.
///
/// - Source: Wei et al., NeurIPS 2024, arXiv 2406.16450, section 3.3.
public struct SelfGuided<Core: StructuredLinear>: Layer {
  public typealias Scalar = Core.Scalar

  public var structured: Core
  /// W, of shape [outputs, inputs]; nil without guidance.
  public var guide: Tensor<Scalar>?
  /// In training the guide is used with probability β only, drawn for this layer and step: half the extra cost.
  public let isStochastic: Bool
  private var share: Tensor<Scalar>

  /// - Parameter isGuided: whether there is a dense matrix; β is then one until it is set.
  public init(_ structured: Core, isGuided: Bool = true, isStochastic: Bool = false) {
    self.structured = structured
    self.isStochastic = isStochastic
    guide = isGuided ? structured.dense() : nil
    share = Tensor(isGuided ? 1 : 0)
  }

  /// β, the part of the dense path.
  public var guideShare: Double {
    get { Double(share.scalar) }
    set { share = Tensor(Scalar(newValue)) }
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let part = share.scalar
    guard let guide, part > 0 else { return structured(x, in: pass) }
    if isStochastic, pass.isTraining {
      var random = pass.randomStream()
      if Scalar.random(in: 0..<1, using: &random) >= part { return structured(x, in: pass) }
    }
    let guided = x.matmul(guide, transposingB: true)
    let mixed = part < 1 ? guided * part + structured.product(x) * (1 - part) : guided
    return structured.bias.map { mixed + $0 } ?? mixed
  }

  /// Forgets the guide.
  public mutating func dropGuide() {
    guide = nil
    share = Tensor(0)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("structured", &structured)
    visitor.parameter("guide", &guide)
    visitor.buffer(SelfGuidance.bufferName, &share)
  }
}

/// How the dense path's part β goes down while a model trains.
///
/// ```swift
/// let guidance = try SelfGuidance()
/// for step in 0..<steps {
///   guidance.apply(to: &model, step: step, of: steps)
///   ...
/// }
/// ```
public struct SelfGuidance: Sendable, Hashable {
  public enum Course: String, Sendable, Hashable, CaseIterable {
    /// Half a cosine from one to zero.
    case cosine
    case linear
  }

  public let course: Course
  /// The share of all steps in which there is guidance.
  public let fraction: Double

  static let bufferName = "guide_share"

  /// - Throws: `InvalidArgument` for a fraction that is not above zero and at most one.
  public init(_ course: Course = .cosine, fraction: Double = 0.5) throws {
    guard fraction > 0, fraction <= 1 else {
      throw InvalidArgument("fraction", found: "\(fraction)", wanted: "above 0 and at most 1")
    }
    (self.course, self.fraction) = (course, fraction)
  }

  /// β in step number `step`, counted from zero.
  public func share(step: Int, of steps: Int) -> Double {
    let part = Double(step) / max(fraction * Double(steps), 1)
    guard part < 1 else { return 0 }
    return course == .cosine ? 0.5 * (1 + .cos(.pi * part)) : 1 - part
  }

  /// Sets β of every ``SelfGuided`` layer in `model`.
  public func apply<Scalar: RealScalar>(to model: inout some Module<Scalar>, step: Int, of steps: Int) {
    let share = Tensor(Scalar(share(step: step, of: steps)))
    model.forEachTensor { name, role, tensor in
      if role == .buffer, name == Self.bufferName || name.hasSuffix(".\(Self.bufferName)") { tensor = share }
    }
  }
}
