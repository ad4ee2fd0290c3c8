// Layers whose weight is computed from other parameters. State dictionaries have the names of PyTorch's
// parametrizations.

public import Tensors

/// A layer with one weight that its work is linear in.
public protocol WeightedLayer<Scalar>: Layer {
  var weight: Tensor<Scalar> { get set }
  /// The axis of the weight along which the outputs lie.
  var outputAxis: Int { get }
}

extension Linear: WeightedLayer { public var outputAxis: Int { 0 } }
extension Convolution: WeightedLayer { public var outputAxis: Int { 0 } }
extension TransposedConvolution: WeightedLayer { public var outputAxis: Int { 1 } }

/// A layer whose weight has its length and direction learned apart: g v / ‖v‖ for each slice along the first axis.
///
/// Source: Salimans and Kingma, "Weight normalization", NeurIPS 2016.
public struct WeightNormalized<Base: WeightedLayer>: Layer {
  /// Its weight is the direction v.
  public var base: Base
  /// The length g, shape [extent of the first axis, 1, ...].
  public var magnitude: Tensor<Base.Scalar>

  /// The layer as it is, under other parameters.
  public init(_ base: Base) {
    self.base = base
    magnitude = lengths(base.weight)
  }

  /// The weight that the layer works with.
  public var weight: Tensor<Base.Scalar> { base.weight * (magnitude / lengths(base.weight)) }

  public func callAsFunction(_ x: Tensor<Base.Scalar>, in pass: ForwardPass) -> Tensor<Base.Scalar> {
    var layer = base
    layer.weight = weight
    return layer(x, in: pass)
  }

  public mutating func visit(_ visitor: Visitor<Base.Scalar>) {
    visitor.parameter("parametrizations.weight.original0", &magnitude)
    base.visit(visitor.renaming("weight", to: "parametrizations.weight.original1"))
  }
}

/// The length of each slice along the first axis.
private func lengths<Scalar: RealScalar>(_ weight: Tensor<Scalar>) -> Tensor<Scalar> {
  weight.sumOfSquares(axes: Array(1..<weight.rank), keepingAxes: true).sqrt()
}

/// A layer whose weight, as a matrix [outputs, rest], is divided by its largest singular value.
///
/// The singular vectors are followed by one step of power iteration in each training pass.
///
/// Source: Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018.
public struct SpectrallyNormalized<Base: WeightedLayer>: Layer {
  /// Its weight is the one before the division.
  public var base: Base
  /// The singular vectors u, shape [rows], and v, shape [columns], of length one.
  public var left: Tensor<Base.Scalar>
  public var right: Tensor<Base.Scalar>
  /// Steps of power iteration in each training pass.
  public var iterations = 1

  public init(_ base: Base, random: inout RandomStream) {
    self.base = base
    let matrix = Self.matrix(of: base)
    left = random.sphere([matrix.rows])
    right = random.sphere([matrix.columns])
    (left, right) = iterated(matrix, left, right, steps: 15)
  }

  public func callAsFunction(_ x: Tensor<Base.Scalar>, in pass: ForwardPass) -> Tensor<Base.Scalar> {
    let matrix = Self.matrix(of: base)
    var (u, v) = (pass.current(left), pass.current(right))
    if pass.isTraining {
      (u, v) = iterated(matrix.withoutDerivative, u, v, steps: iterations)
      pass.update(left, to: u)
      pass.update(right, to: v)
    }
    var layer = base
    layer.weight = base.weight / u.dot(matrix.matmul(v))
    return layer(x, in: pass)
  }

  private static func matrix(of base: Base) -> Tensor<Base.Scalar> {
    let weight = base.weight.exchangingAxes(0, base.outputAxis)
    return weight.reshaped([weight.shape[0], -1])
  }

  private func iterated(
    _ matrix: Tensor<Base.Scalar>, _ left: Tensor<Base.Scalar>, _ right: Tensor<Base.Scalar>, steps: Int
  ) -> (left: Tensor<Base.Scalar>, right: Tensor<Base.Scalar>) {
    func direction(_ x: Tensor<Base.Scalar>) -> Tensor<Base.Scalar> { x / x.sumOfSquares().sqrt().maximum(1e-12) }
    var (u, v) = (left, right)
    for _ in 0..<steps {
      u = direction(matrix.matmul(v))
      v = direction(matrix.matmul(u, transposingA: true))
    }
    return (u, v)
  }

  public mutating func visit(_ visitor: Visitor<Base.Scalar>) {
    base.visit(visitor.renaming("weight", to: "parametrizations.weight.original"))
    visitor.buffer("parametrizations.weight.0._u", &left)
    visitor.buffer("parametrizations.weight.0._v", &right)
  }
}

extension Visitor {
  /// This visitor, but the tensor called `name` here goes under another name.
  func renaming(_ name: String, to other: String) -> Visitor {
    let prefix = path.isEmpty ? "" : path + "."
    let body = body
    return Visitor(path: path) { found, role, tensor in
      body(found == prefix + name ? prefix + other : found, role, &tensor)
    }
  }
}
