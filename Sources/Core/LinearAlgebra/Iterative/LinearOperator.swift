// A matrix known by what it does to vectors: what the iterative methods ask for.

public import Tensors

/// A linear map between vectors, applied to one vector or to several at once.
///
/// Dense and sparse matrices are operators; so are preconditioners, sketches, sums and products of operators, and
/// anything that a pair of functions computes (``FunctionOperator``).
public protocol LinearOperator<Scalar> {
  associatedtype Scalar: LinearScalar

  /// [rows, columns]: the operator takes vectors of length `columns` to vectors of length `rows`.
  var shape: [Int] { get }

  /// A x, for x of shape [columns] or, a vector a column, [columns, p]; the result has shape [rows] or [rows, p].
  func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar>

  /// Aᵀ y, for y of shape [rows] or [rows, p].
  func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar>
}

extension Tensor: LinearOperator where Scalar: LinearScalar {
  public func apply(_ x: Tensor) -> Tensor { matmul(x) }
  public func applyTransposed(_ y: Tensor) -> Tensor { matmul(y, transposingA: true) }
}

extension SparseMatrix: LinearOperator {
  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> { matmul(x) }
  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> { matmul(y, transposing: true) }
}

/// An operator that two functions compute.
///
/// ```swift
/// let differences = FunctionOperator<Double>(rows: 9, columns: 10) { $0[1...] - $0[..<9] }
/// ```
public struct FunctionOperator<Scalar: LinearScalar>: LinearOperator {
  /// What a function does to a vector, or to every column of a matrix.
  public typealias Map = (Tensor<Scalar>) throws -> Tensor<Scalar>

  public let shape: [Int]
  private let forward: Map
  private let backward: Map?
  private let takesBlocks: Bool

  /// - Parameters:
  ///   - takesBlocks: whether the functions take matrices, a vector a column, too; else they are called for each column.
  ///   - apply: x to A x.
  ///   - transposed: y to Aᵀ y; without it, methods that need the transpose throw.
  public init(
    rows: Int, columns: Int, takesBlocks: Bool = false, _ apply: @escaping Map, transposed: Map? = nil
  ) {
    precondition(rows >= 0 && columns >= 0, "an operator of \(rows) rows and \(columns) columns")
    (shape, forward, backward, self.takesBlocks) = ([rows, columns], apply, transposed, takesBlocks)
  }

  /// An operator that is its own transpose.
  public init(symmetric size: Int, takesBlocks: Bool = false, _ apply: @escaping Map) {
    self.init(rows: size, columns: size, takesBlocks: takesBlocks, apply, transposed: apply)
  }

  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try mapped(x, forward, from: shape[1], to: shape[0])
  }

  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> {
    guard let backward else {
      throw InvalidArgument("operator", found: "no function for its transpose", wanted: "one, for this method")
    }
    return try mapped(y, backward, from: shape[0], to: shape[1])
  }

  private func mapped(_ x: Tensor<Scalar>, _ map: Map, from columns: Int, to rows: Int) throws -> Tensor<Scalar> {
    precondition(
      (x.rank == 1 || x.rank == 2) && x.shape[0] == columns, "an operator of shape \(shape) applied to \(x.shape)")
    func checked(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
      let y = try map(x)
      let wanted = [rows] + x.shape.dropFirst()
      guard y.shape == wanted else {
        throw InvalidArgument("operator", found: "a result of shape \(y.shape)", wanted: "shape \(wanted)")
      }
      return y
    }
    if x.rank == 1 || takesBlocks { return try checked(x) }
    guard x.columns > 0 else { return .zeros([rows, 0]) }
    return .stacked(try (0..<x.columns).map { try checked(x[.all, $0].dense) }, axis: 1)
  }
}

extension LinearOperator {
  /// The operator's extent, after a check that it is square.
  func squareSize(_ name: String = "operator") throws -> Int {
    guard shape.count == 2, shape[0] == shape[1] else {
      throw InvalidArgument(name, found: "shape \(shape)", wanted: "a square operator")
    }
    return shape[0]
  }

  /// [rows, columns], after a check that this is a matrix: a tensor of another rank is no operator.
  func matrixExtents(_ name: String = "operator") throws -> (rows: Int, columns: Int) {
    guard shape.count == 2 else { throw InvalidArgument(name, found: "shape \(shape)", wanted: "a matrix") }
    return (shape[0], shape[1])
  }
}
