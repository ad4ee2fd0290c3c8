// Random maps to few dimensions that nearly keep lengths: the sketches of randomized linear algebra.

public import Tensors

/// A distribution of random matrices S, of shape [size, n], with E SᵀS = I.
///
/// For a subspace of dimension d, ‖S x‖ is within a factor 1 ± ε of ‖x‖ for all its x, with high probability, once the
/// size is of the order of d / ε² (times a logarithm, but for `gaussian`; d² / ε² for `countSketch`).
///
/// - Source: Woodruff, "Sketching as a tool for numerical linear algebra", 2014; Martinsson and Tropp, "Randomized
///   numerical linear algebra", Acta Numerica 29 (2020), chapters 8 and 9.
public enum Sketch: Sendable, Hashable {
  /// Independent normal entries: the best embedding, at the cost of a dense product.
  case gaussian
  /// One random sign in each column: the cost of reading the data.
  case countSketch
  /// Random signs at this many random places of each column, 4 to 8 in practice.
  case sparseSigns(_ nonzeros: Int = 8)
  /// Signs flipped at random, a Walsh–Hadamard transform, and a random choice of its rows.
  case subsampledHadamard

  /// A random sketch of `columns` coordinates to `rows`.
  ///
  /// - Throws: `InvalidArgument` for extents below one, more nonzeros than rows, or more rows than the transform has.
  public func makeOperator<Scalar: LinearScalar>(
    rows: Int, columns: Int, random: inout RandomStream, of: Scalar.Type = Scalar.self
  ) throws -> any LinearOperator<Scalar> {
    for (name, value) in [("rows", rows), ("columns", columns)] where value < 1 {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least 1")
    }
    switch self {
    case .gaussian: return random.normal([rows, columns], of: Scalar.self) / Scalar.sqrt(Scalar(rows))
    case .countSketch: return try SparseMatrix<Scalar>.randomSigns(rows, columns, nonzeros: 1, random: &random)
    case .sparseSigns(let nonzeros):
      return try SparseMatrix<Scalar>.randomSigns(rows, columns, nonzeros: nonzeros, random: &random)
    case .subsampledHadamard: return try SubsampledHadamard<Scalar>(rows: rows, columns: columns, random: &random)
    }
  }
}

extension SparseMatrix {
  /// `nonzeros` entries ±1/sqrt(nonzeros) at different random places of each column.
  static func randomSigns(
    _ rows: Int, _ columns: Int, nonzeros: Int, random: inout RandomStream
  ) throws -> SparseMatrix {
    guard 1 <= nonzeros && nonzeros <= rows else {
      throw InvalidArgument("nonzeros", found: "\(nonzeros)", wanted: "1 through \(rows), the rows of the sketch")
    }
    try requireExtents(rows, columns, entries: columns * nonzeros)
    let draws = random.uniform([columns * nonzeros], of: Double.self).scalars
    var indices = [Int32](repeating: 0, count: columns * nonzeros)
    for column in 0..<columns {
      // Floyd's choice without repetition: a draw up to a growing bound, or the bound itself if the draw is taken.
      let first = column * nonzeros
      for k in 0..<nonzeros {
        let bound = rows - nonzeros + k
        var choice = Int32(draws[first + k] * Double(bound + 1))
        if indices[first..<first + k].contains(choice) { choice = Int32(bound) }
        indices[first + k] = choice
      }
      indices[first..<first + nonzeros].sort()
    }
    let signs: Tensor<Scalar> = ProbeDistribution.signs.probes(columns * nonzeros, 1, &random)
    let starts = Tensor<Int32>((0...columns).map { Int32($0 * nonzeros) })
    return SparseMatrix(
      trusted: rows, columns, .columns, starts: starts, indices: Tensor(indices),
      values: signs.flattened / Scalar.sqrt(Scalar(nonzeros))
    ).stored(by: .rows)
  }
}

/// S = sqrt(n / rows) R H D: random signs D, the orthogonal Walsh–Hadamard transform H on n coordinates (the next power
/// of two, zeros appended) and a random choice R of its rows, without repetition.
///
/// - Complexity: O(n log n) for each vector.
/// - Source: Tropp, "Improved analysis of the subsampled randomized Hadamard transform", 2011.
public struct SubsampledHadamard<Scalar: LinearScalar>: LinearOperator, Sendable {
  public let shape: [Int]
  private let signs: Tensor<Scalar>
  private let chosen: Tensor<Int>
  private let length: Int

  /// - Throws: `InvalidArgument` for extents below one, or more rows than the transform has.
  public init(rows: Int, columns: Int, random: inout RandomStream) throws {
    var length = 1
    while length < columns { length *= 2 }
    guard columns >= 1, 1 <= rows && rows <= length else {
      throw InvalidArgument(
        "rows", found: "\(rows) of \(columns) columns", wanted: "1 through \(length), the length of the transform")
    }
    shape = [rows, columns]
    self.length = length
    signs = ProbeDistribution.signs.probes(columns, 1, &random)
    chosen = random.sample(rows, below: length)
  }

  private var scale: Scalar { .sqrt(Scalar(length) / Scalar(shape[0])) }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let block = x.rank == 1 ? x.expanded(axis: 1) : x
    precondition(block.rank == 2 && block.rows == shape[1], "a sketch of shape \(shape) applied to \(x.shape)")
    let padded = (block * signs).padded([(0, length - shape[1]), (0, 0)])
    let result = padded.walshHadamard(axis: 0, normalizing: true).gathered(chosen) * scale
    return x.rank == 1 ? result.flattened : result
  }

  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> {
    let block = y.rank == 1 ? y.expanded(axis: 1) : y
    precondition(
      block.rank == 2 && block.rows == shape[0], "a transposed sketch of shape \(shape) applied to \(y.shape)")
    let spread = Tensor<Scalar>.zeros([length, block.columns]).scatterAdded(block, at: chosen)
    let result = spread.walshHadamard(axis: 0, normalizing: true)[0..<shape[1], .all] * signs * scale
    return y.rank == 1 ? result.flattened : result
  }
}
