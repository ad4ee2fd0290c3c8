// The forms in which a linear layer may keep its matrix: as it is, or as what a compression made of it.

public import Tensors

/// How a linear layer keeps its matrix W, of shape [outputs, inputs].
///
/// Every form is applied without forming W. For t inputs that costs 2 t (outputs · inputs) operations dense, and
/// 2 t r (outputs + inputs) at rank r. Measured on two cores for 512 inputs and a matrix of 1,536 by 384, where factors of
/// rank 307 hold as many numbers as the matrix: 5.0 times as fast as dense at a fifth of that rank, 2.0 times at half of
/// it, 1.2 times at four fifths, and no faster from there on. Dictionaries with two atoms for each non-zero: 2.2 times
/// at 0.3 of the numbers, 1.3 times at half of them.
public enum LinearForm<Scalar: RealScalar>: Sendable {
  /// W itself.
  case dense(Tensor<Scalar>)
  /// W = L R with L of shape [outputs, r], R of shape [r, inputs].
  case lowRank(left: Tensor<Scalar>, right: Tensor<Scalar>)
  /// W = B + L R: a matrix of the layer's shape that is not learned, such as a quantized one, and its correction.
  case corrected(base: Tensor<Scalar>, left: Tensor<Scalar>, right: Tensor<Scalar>)
  /// W = C A: each output is a sum of a few of the atoms, the rows of A, shape [atoms, inputs].
  case dictionary(codes: SparseCodes<Scalar>, atoms: Tensor<Scalar>)

  /// [outputs, inputs].
  public var shape: [Int] {
    switch self {
    case .dense(let weight): weight.shape
    case .lowRank(let left, let right): [left.rows, right.columns]
    case .corrected(let base, _, _): base.shape
    case .dictionary(let codes, let atoms): [codes.rows, atoms.columns]
    }
  }

  /// W, multiplied out. Derivatives flow to the parts.
  public var dense: Tensor<Scalar> {
    switch self {
    case .dense(let weight): weight
    case .lowRank(let left, let right): left.matmul(right)
    case .corrected(let base, let left, let right): base + left.matmul(right)
    case .dictionary(let codes, let atoms): codes.dense.matmul(atoms)
    }
  }

  /// The inner extent: the rank of the factors, or the number of atoms. Nothing for a dense matrix.
  public var rank: Int? {
    switch self {
    case .dense: nil
    case .lowRank(_, let right), .corrected(_, _, let right): right.rows
    case .dictionary(_, let atoms): atoms.rows
    }
  }

  /// The numbers stored; the places of sparse ones are not counted.
  public var parameterCount: Int {
    switch self {
    case .dense(let weight): weight.count
    case .lowRank(let left, let right): left.count + right.count
    case .corrected(let base, let left, let right): base.count + left.count + right.count
    case .dictionary(let codes, let atoms): codes.values.count + atoms.count
    }
  }

  /// x Wᵀ for x of shape [..., inputs].
  func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    switch self {
    case .dense(let weight): return x.matmul(weight, transposingB: true)
    case .lowRank(let left, let right):
      return x.matmul(right, transposingB: true).matmul(left, transposingB: true)
    case .corrected(let base, let left, let right):
      let correction = x.matmul(right, transposingB: true).matmul(left, transposingB: true)
      return x.matmul(base, transposingB: true) + correction
    case .dictionary(let codes, let atoms):
      if codes.values.isDifferentiated || atoms.isDifferentiated || x.isDifferentiated {
        return x.matmul(atoms, transposingB: true).matmul(codes.dense, transposingB: true)
      }
      // With the atoms first, both products run along the inputs: (C (A xᵀ))ᵀ.
      let rows = x.reshaped([-1, atoms.columns])
      let mixed = codes.product(atoms.matmul(rows, transposingB: true))
      return mixed.transposed.dense.reshaped(Array(x.shape.dropLast()) + [codes.rows])
    }
  }

  /// Whether a derivative is taken with respect to some part.
  var isDifferentiated: Bool {
    switch self {
    case .dense(let weight): weight.isDifferentiated
    case .lowRank(let left, let right): left.isDifferentiated || right.isDifferentiated
    case .corrected(let base, let left, let right):
      base.isDifferentiated || left.isDifferentiated || right.isDifferentiated
    case .dictionary(let codes, let atoms): codes.values.isDifferentiated || atoms.isDifferentiated
    }
  }

  /// Hands out the tensors under `weight`, or `weight.base`, `weight.left` and `weight.right`. A sparse left factor's
  /// numbers go as `weight.left`; their places are no tensors of the module.
  mutating func visit(_ visitor: Visitor<Scalar>) {
    // Each part is out of the enumeration while it is visited, so that it can be changed in place.
    let empty = LinearForm.dense(Tensor.zeros([]))
    switch self {
    case .dense(var weight):
      self = empty
      visitor.parameter("weight", &weight)
      self = .dense(weight)
    case .lowRank(var left, var right):
      self = empty
      visitor.parameter("weight.left", &left)
      visitor.parameter("weight.right", &right)
      self = .lowRank(left: left, right: right)
    case .corrected(var base, var left, var right):
      self = empty
      visitor.buffer("weight.base", &base)
      visitor.parameter("weight.left", &left)
      visitor.parameter("weight.right", &right)
      self = .corrected(base: base, left: left, right: right)
    case .dictionary(var codes, var atoms):
      self = empty
      visitor.parameter("weight.left", &codes.values)
      visitor.parameter("weight.right", &atoms)
      self = .dictionary(codes: codes, atoms: atoms)
    }
  }
}

/// What is told of the values that go through a linear layer.
public final class LinearTap<Scalar: RealScalar>: Sendable {
  /// Called with the input, of shape [..., inputs].
  public let input: (@Sendable (Tensor<Scalar>) -> Void)?
  /// Takes the output and returns what the layer returns in its place.
  public let output: (@Sendable (Tensor<Scalar>) -> Tensor<Scalar>)?

  public init(
    input: (@Sendable (Tensor<Scalar>) -> Void)? = nil,
    output: (@Sendable (Tensor<Scalar>) -> Tensor<Scalar>)? = nil
  ) {
    self.input = input
    self.output = output
  }
}

extension Module {
  /// Calls `body` on every linear layer, in place, in the order of `visit`, under its dotted name: the name of its
  /// weight without `.weight`.
  public mutating func forEachLinear(_ body: (_ name: String, _ layer: inout Linear<Scalar>) -> Void) {
    withoutActuallyEscaping(body) { visit(Visitor(path: "", linearBody: $0, body: { _, _, _ in })) }
  }

  /// The linear layers by name, in the order of `visit`.
  public var linearLayers: [(name: String, layer: Linear<Scalar>)] {
    var found: [(name: String, layer: Linear<Scalar>)] = []
    var walked = self
    walked.forEachLinear { found.append(($0, $1)) }
    return found
  }

  /// This module with a tap on each linear layer for which `tap` returns one; taps that were there are gone.
  ///
  /// ```swift
  /// let watched = model.tapped { name in LinearTap(input: { x in print(name, x.shape) }) }
  /// _ = watched(tokens)
  /// ```
  public func tapped(_ tap: (_ name: String) -> LinearTap<Scalar>?) -> Self {
    var result = self
    result.forEachLinear { $1.tap = tap($0) }
    return result
  }
}

/// A network whose linear layers come in a known order, in groups of those that have the same input.
///
/// Methods that compress layer by layer walk by it: the statistics of an input are gathered once for its group, and a
/// sweep finds everything before a group compressed already.
public protocol SequentialLinearGroups<Scalar>: Module {
  /// Names of linear layers as `forEachLinear` gives them, in the order in which the network evaluates them. Layers that
  /// are in no group (a classifier's head, a language model's output) are left as they are.
  var linearGroups: [[String]] { get }
}
