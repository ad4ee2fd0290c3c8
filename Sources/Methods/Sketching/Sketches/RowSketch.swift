// Random maps of many rows to few: what sketched regression is made of.

import CVectorKernels
public import Fourier
public import LinearAlgebra
public import Tensors

/// A scalar that every sketch works with: `Float` or `Double`.
public typealias SketchScalar = FourierScalar & LinearScalar

/// A random matrix S, of shape [rows, columns] with E SᵀS = I, that is applied to the rows of a tall matrix in one pass
/// over it.
public protocol RowSketch<Scalar>: LinearOperator, Sendable {
  /// Whether every row of the data has a share in every row of the sketch. Only then are errors of a regression spread
  /// evenly over its coefficients, and only then do their standard errors hold.
  var isDense: Bool { get }
}

extension RowSketch {
  public var rows: Int { shape[0] }
  public var columns: Int { shape[1] }
}

/// The distributions of sketches to choose from.
public enum SketchFamily: Sendable, Hashable {
  /// Signs, a Walsh–Hadamard transform and some of its rows: dense, and nearly as cheap as one pass over the data.
  case hadamard
  /// Independent normal entries: dense, at the cost of a matrix product.
  case gaussian
  /// Signs, a cosine transform and some of its rows: dense; no padding to a power of two.
  case cosine
  /// One sign in each column: the cost of reading the data, but errors may sit in single coefficients.
  case countSketch
  /// This many signs in each column, one in each block of rows (OSNAP).
  case blockSigns(Int = 4)

  public var isDense: Bool {
    switch self {
    case .hadamard, .gaussian, .cosine: true
    case .countSketch, .blockSigns: false
    }
  }

  /// A random sketch of `columns` rows of data to `rows`.
  ///
  /// - Throws: `InvalidArgument` for extents below one, more rows than ``mostRows(columns:)``, or more signs than rows.
  public func makeSketch<Scalar: SketchScalar>(
    rows: Int, columns: Int, random: inout RandomStream, of: Scalar.Type = Scalar.self
  ) throws -> any RowSketch<Scalar> {
    switch self {
    case .hadamard: try HadamardSketch<Scalar>(rows: rows, columns: columns, random: &random)
    case .gaussian: try GaussianSketch<Scalar>(rows: rows, columns: columns, random: &random)
    case .cosine: try CosineSketch<Scalar>(rows: rows, columns: columns, random: &random)
    case .countSketch: try SignSketch<Scalar>(rows: rows, columns: columns, nonzeros: 1, random: &random)
    case .blockSigns(let nonzeros):
      try SignSketch<Scalar>(rows: rows, columns: columns, nonzeros: nonzeros, random: &random)
    }
  }

  /// The most rows that a sketch of `columns` rows of data may have: for the Hadamard sketch, the next power of two.
  public func mostRows(columns: Int) -> Int { self == .hadamard ? nextPowerOfTwo(columns) : max(columns, 1) }
}

func nextPowerOfTwo(_ count: Int) -> Int {
  var power = 1
  while power < count { power *= 2 }
  return power
}

func requireSketchExtents(rows: Int, columns: Int, most: Int) throws {
  guard columns >= 1 else { throw InvalidArgument("columns", found: "\(columns)", wanted: "at least 1") }
  guard 1 <= rows && rows <= most else {
    throw InvalidArgument("rows", found: "\(rows) for \(columns) rows of data", wanted: "1 through \(most)")
  }
}

/// The kernels for a scalar: there are two, told apart by their size.
func sketchingKernels<Scalar: LinearScalar>(_: Scalar.Type) -> apus_sketching_kernels {
  MemoryLayout<Scalar>.size == 4 ? apus_sketching_f32().pointee : apus_sketching_f64().pointee
}

/// The fast Walsh–Hadamard transform of `length` rows of `width` numbers, in place.
func walshHadamardInPlace<Scalar: LinearScalar>(_ x: UnsafeMutablePointer<Scalar>, length: Int, width: Int) {
  let kernels = MemoryLayout<Scalar>.size == 4 ? apus_sparse_f32().pointee : apus_sparse_f64().pointee
  kernels.walsh_hadamard(x, length, width, width)
}

extension Tensor where Scalar: LinearScalar {
  /// A vector as a matrix of one column; traps unless this has `rows` rows.
  func asColumns(rows: Int, _ shape: [Int]) -> Tensor {
    precondition(
      (rank == 1 || rank == 2) && self.shape[0] == rows, "a sketch of shape \(shape) applied to shape \(self.shape)")
    return rank == 1 ? expanded(axis: 1) : self
  }
}

/// Adds up what `body` writes for each of `parts` parts into zeros of shape [rows, width], in the order of the parts:
/// the sum does not depend on the number of threads.
func summedParts<Scalar: LinearScalar>(
  _ parts: Int, rows: Int, width: Int, _ body: (Int, UnsafeMutablePointer<Scalar>) -> Void
) -> Tensor<Scalar> {
  var sums = Tensor<Scalar>.zeros([max(parts, 1), rows * width])
  sums.withUnsafeMutableBuffer { sums in
    guard let start = sums.baseAddress, rows * width > 0 else { return }
    parallelTasks(parts) { part in body(part, start + part * rows * width) }
  }
  return (parts <= 1 ? sums : sums.sum(axis: 0)).reshaped([rows, width])
}
