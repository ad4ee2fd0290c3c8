// A network is a plain struct of tensors and of other modules. One method, `visit`, hands each of them out under its
// name; counting, saving, differentiating and updating all walk by it, in place and without copies.

public import Tensors

/// A part of a network: a value that holds parameters.
///
/// A module writes one line a field in `visit`, in a fixed order; dotted names such as `layers.0.weight` follow from the
/// nesting. Those of the standard layers are PyTorch's.
///
/// ```swift
/// struct Perceptron: Layer {
///   var hidden: Linear<Float>, output: Linear<Float>
///
///   func callAsFunction(_ x: Tensor<Float>, in pass: ForwardPass) -> Tensor<Float> {
///     output(hidden(x).relu())
///   }
///   mutating func visit(_ visitor: Visitor<Float>) {
///     visitor.module("hidden", &hidden)
///     visitor.module("output", &output)
///   }
/// }
/// ```
public protocol Module<Scalar>: Sendable {
  associatedtype Scalar: RealScalar

  /// Hands every parameter, buffer and part of this module to `visitor`, always in the same order.
  mutating func visit(_ visitor: Visitor<Scalar>)
}

/// A module from one tensor to another.
public protocol Layer<Scalar>: Module {
  /// - Parameter pass: whether this is training, and its random numbers; see `ForwardPass`.
  func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar>
}

extension Layer {
  /// The output at inference: without dropout, with the statistics of training.
  public func callAsFunction(_ x: Tensor<Scalar>) -> Tensor<Scalar> { self(x, in: .inference) }
}

/// What a tensor of a module is for.
public enum TensorRole: Sendable {
  /// Learned by gradient descent.
  case parameter
  /// Kept and saved, but not learned by descent: the running statistics of a normalisation.
  case buffer
}

/// Walks through a module's tensors.
public struct Visitor<Scalar: RealScalar> {
  typealias Body = (_ name: String, _ role: TensorRole, _ tensor: inout Tensor<Scalar>) -> Void
  typealias LinearBody = (_ name: String, _ layer: inout Linear<Scalar>) -> Void
  let path: String
  let body: Body
  /// Takes linear layers whole; their tensors are then not handed out.
  var linearBody: LinearBody?

  init(path: String, linearBody: LinearBody? = nil, body: @escaping Body) {
    self.path = path
    self.linearBody = linearBody
    self.body = body
  }

  public func parameter(_ name: String, _ tensor: inout Tensor<Scalar>) { body(joined(name), .parameter, &tensor) }

  /// A parameter that may be absent, such as a bias.
  public func parameter(_ name: String, _ tensor: inout Tensor<Scalar>?) {
    if tensor != nil { body(joined(name), .parameter, &tensor!) }
  }

  public func buffer(_ name: String, _ tensor: inout Tensor<Scalar>) { body(joined(name), .buffer, &tensor) }

  public func module<Part: Module<Scalar>>(_ name: String, _ part: inout Part) {
    part.visit(Visitor(path: joined(name), linearBody: linearBody, body: body))
  }

  public func module<Part: Module<Scalar>>(_ name: String, _ part: inout Part?) {
    if part != nil { module(name, &part!) }
  }

  /// Parts in a row, named `name.0`, `name.1`, ...
  public func modules<Part: Module<Scalar>>(_ name: String, _ parts: inout [Part]) {
    for i in parts.indices { parts[i].visit(Visitor(path: joined("\(name).\(i)"), linearBody: linearBody, body: body)) }
  }

  private func joined(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}

extension Module {
  /// Calls `body` on every parameter and buffer, in place, in the order of `visit`.
  public mutating func forEachTensor(
    _ body: (_ name: String, _ role: TensorRole, _ tensor: inout Tensor<Scalar>) -> Void
  ) {
    withoutActuallyEscaping(body) { visit(Visitor(path: "", body: $0)) }
  }

  /// Calls `body` on every parameter, in place, in the order of `visit`.
  public mutating func forEachParameter(_ body: (_ name: String, _ tensor: inout Tensor<Scalar>) -> Void) {
    forEachTensor { name, role, tensor in if role == .parameter { body(name, &tensor) } }
  }
}
