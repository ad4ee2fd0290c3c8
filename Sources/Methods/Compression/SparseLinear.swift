// A linear layer that stores only the weights that exist.

public import LinearAlgebra
public import Networks
public import Tensors

/// The places of a sparse matrix, stored by rows and by columns, for products whose values change and places do not.
public struct SparsePlaces<Scalar: LinearScalar>: Sendable {
  let byRows: SparseMatrix<Scalar>
  let byColumns: SparseMatrix<Scalar>
  /// Where the entries by columns are among those by rows, shape [entries].
  let order: Tensor<Int>

  /// - Parameter isKept: shape [rows, columns].
  /// - Throws: `InvalidArgument` when this is no matrix, or too large for 32-bit indices.
  init(_ isKept: Tensor<Bool>) throws {
    byRows = try SparseMatrix(Tensor<Scalar>(isKept))
    // Entry numbers as values: the transposition says where each went.
    let count = byRows.entryCount
    guard MemoryLayout<Scalar>.size == 8 || count < 1 << 24 else {
      let doubles = try SparseMatrix<Double>(Tensor<Double>(isKept))
      let moved = doubles.withValues(Tensor((0..<count).map(Double.init))).stored(by: .columns)
      order = Tensor(moved.values.scalars.map { Int($0) })
      byColumns = byRows.stored(by: .columns)
      return
    }
    let moved = byRows.withValues(Tensor((0..<count).map { Scalar($0) })).stored(by: .columns)
    order = Tensor(moved.values.scalars.map { Int($0) })
    byColumns = moved
  }

  var entryCount: Int { byRows.entryCount }

  /// A x with these values, for x of shape [columns, p], or Aᵀ x for x of shape [rows, p].
  ///
  /// Linear in the values and in x, with derivatives of any order: those of the product are a product and a sampled
  /// product, and the other way round.
  func product(_ values: Tensor<Scalar>, _ x: Tensor<Scalar>, transposing: Bool = false) -> Tensor<Scalar> {
    guard values.isDifferentiated || x.isDifferentiated else {
      if !transposing { return byRows.withValues(values).matmul(x) }
      return byColumns.withValues(values.gathered(order)).matmul(x, transposing: true)
    }
    return customDerivatives(at: [values, x]) { arguments in
      let (values, x) = (arguments[0], arguments[1])
      return (
        values: [product(values, x, transposing: transposing)],
        pullback: { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          return [
            wanted[0] ? (transposing ? sampled(x, g) : sampled(g, x)) : nil,
            wanted[1] ? product(values, g, transposing: !transposing) : nil,
          ]
        }
      )
    }[0]
  }

  /// The entries of left · rightᵀ at these places: left of shape [rows, p], right of shape [columns, p].
  func sampled(_ left: Tensor<Scalar>, _ right: Tensor<Scalar>) -> Tensor<Scalar> {
    guard left.isDifferentiated || right.isDifferentiated else { return byRows.sampledProduct(left, right) }
    return customDerivatives(at: [left, right]) { arguments in
      let (left, right) = (arguments[0], arguments[1])
      return (
        values: [sampled(left, right)],
        pullback: { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          return [
            wanted[0] ? product(g, right) : nil, wanted[1] ? product(g, left, transposing: true) : nil,
          ]
        }
      )
    }[0]
  }
}

/// x Wᵀ + b where most of W does not exist: only its entries are stored, learned and multiplied with.
///
/// Meant for few weights: its work is that of the entries, at a lower rate than that of dense products. A parameter is the vector of entries, so that any
/// optimizer keeps its memory for these alone.
public struct SparseLinear<Scalar: LinearScalar>: Layer {
  public let places: SparsePlaces<Scalar>
  /// The entries of W in row-major order, shape [entries].
  public var values: Tensor<Scalar>
  /// Shape [outputs].
  public var bias: Tensor<Scalar>?

  /// The weights of a dense layer that a mask keeps.
  ///
  /// - Parameter isKept: shape [outputs, inputs].
  /// - Throws: `InvalidArgument` when the mask has another shape than the weight.
  public init(_ layer: Linear<Scalar>, isKept: Tensor<Bool>) throws {
    guard isKept.shape == layer.weight.shape else {
      throw InvalidArgument("mask", found: "shape \(isKept.shape)", wanted: "shape \(layer.weight.shape)")
    }
    places = try SparsePlaces(isKept)
    values = layer.weight.flattened.gathered(isKept.flattened.trueIndices)
    bias = layer.bias
  }

  public var inputs: Int { places.byRows.columns }
  public var outputs: Int { places.byRows.rows }

  /// The weight with its zeros, shape [outputs, inputs].
  public var weight: Tensor<Scalar> { places.byRows.withValues(values).dense }

  /// - Parameter x: shape [..., inputs].
  /// - Returns: shape [..., outputs].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let rows = x.reshaped([x.count / max(inputs, 1), inputs])
    var y = places.product(values, rows.transposed)
    if let bias { y = y + bias.expanded(axis: 1) }
    return y.transposed.reshaped(Array(x.shape.dropLast()) + [outputs])
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("values", &values)
    visitor.parameter("bias", &bias)
  }
}
