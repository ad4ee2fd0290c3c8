import Fourier
import LinearAlgebra
public import Tensors

/// S = sqrt(n / rows) P C D: random signs D, the orthonormal cosine transform C of type two, and a uniform choice P of
/// its rows, with replacement. For any n, without padding.
///
/// - Complexity: O(n log n) for each column of the data, and a copy of it.
public struct CosineSketch<Scalar: SketchScalar>: RowSketch {
  public let shape: [Int]
  public var isDense: Bool { true }
  private let signs: Tensor<Scalar>
  private let chosen: Tensor<Int>

  /// - Throws: `InvalidArgument` for extents below one, or more rows than columns.
  public init(rows: Int, columns: Int, random: inout RandomStream) throws {
    try requireSketchExtents(rows: rows, columns: columns, most: max(columns, 1))
    shape = [rows, columns]
    let isPositive = random.bernoulli([columns, 1], probability: 0.5)
    signs = isPositive.select(Tensor(repeating: 1, shape: [columns, 1]), Tensor(repeating: -1, shape: [columns, 1]))
    chosen = random.integers([rows], in: 0..<columns)
  }

  private var scale: Scalar { .sqrt(Scalar(columns) / Scalar(rows)) }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let data = x.asColumns(rows: columns, shape)
    let transformed = (data * signs).cosineTransform(axis: 0, scaling: .orthonormal)
    let result = transformed.gathered(chosen) * scale
    return x.rank == 1 ? result.flattened : result
  }

  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> {
    let block = y.asColumns(rows: rows, shape)
    let spread = Tensor<Scalar>.zeros([columns, block.columns]).scatterAdded(block, at: chosen)
    let result = spread.inverseCosineTransform(axis: 0, scaling: .orthonormal) * signs * scale
    return y.rank == 1 ? result.flattened : result
  }
}
