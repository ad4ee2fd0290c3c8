import CVectorKernels
public import LinearAlgebra
public import Tensors

/// S = sqrt(n / rows) P H D: random signs D, the orthogonal Walsh–Hadamard transform H of length n (the next power of
/// two, zeros appended) and a choice P of its rows, uniform and with replacement.
///
/// H is never applied as a whole. With n = blocks × length, row r = (outer, inner) of H is the product of row `outer` of
/// the transform over blocks and row `inner` of the one inside a block: blocks are transformed in the cache as the data
/// goes by, and each adds its share, with a sign, to the rows that were chosen.
///
/// - Complexity: n (log length + rows / length) operations for each column, one pass over the data, and no copy of it.
/// - Source: Song, Ye, Yin and Zhang, "A nearly-optimal bound for fast regression with ℓ∞ guarantee", ICML 2023,
///   definition 2.10; Ailon and Chazelle, SIAM J. Comput. 39 (2009).
public struct HadamardSketch<Scalar: LinearScalar>: RowSketch {
  public let shape: [Int]
  public var isDense: Bool { true }
  /// Row i of the data is negated where the last bit is one.
  private let signs: Tensor<Int>
  private let chosen: [Int]
  private let length: Int

  /// - Parameter withReplacement: whether a row of H may be chosen twice, as the theory has it. Without, and with as many
  ///   rows as the transform has, S is orthogonal.
  /// - Throws: `InvalidArgument` for extents below one, or more rows than the transform has.
  public init(rows: Int, columns: Int, withReplacement: Bool = true, random: inout RandomStream) throws {
    length = nextPowerOfTwo(columns)
    try requireSketchExtents(rows: rows, columns: columns, most: length)
    shape = [rows, columns]
    signs = random.integers([columns], in: 0..<2)
    chosen = (withReplacement ? random.integers([rows], in: 0..<length) : random.sample(rows, below: length)).scalars
  }

  /// H / sqrt(n) times sqrt(n / rows).
  private var scale: Scalar { 1 / .sqrt(Scalar(rows)) }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let data = x.asColumns(rows: columns, shape).dense
    let block = blockLength(width: data.columns)
    let result = block < length ? byBlocks(data, block: block) : whole(data)
    return x.rank == 1 ? result.flattened : result
  }

  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> {
    let block = y.asColumns(rows: rows, shape)
    let spread = Tensor<Scalar>.zeros([length, block.columns]).scatterAdded(block, at: Tensor(chosen))
    let signed = spread.walshHadamard(axis: 0)[0..<columns, .all].dense
    let result = flipped(signed) * scale
    return y.rank == 1 ? result.flattened : result
  }

  private func flipped(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let kernels = sketchingKernels(Scalar.self)
    return Tensor(uninitializedShape: x.shape) { result in
      x.withUnsafeBuffer { x in
        signs.withUnsafeBuffer { signs in
          guard let from = x.baseAddress, let to = result.baseAddress else { return }
          kernels.flip_rows(from, columns, x.count / columns, signs.baseAddress!, to)
        }
      }
    }
  }

  /// A block that fits the cache, or the whole length where the blocks' shares would cost more than the transform.
  private func blockLength(width: Int) -> Int {
    var block = length
    while block > 64 && block * width * MemoryLayout<Scalar>.stride > 1 << 19 { block /= 2 }
    let levels = Double(block.trailingZeroBitCount) + Double(rows) / Double(block)
    return levels < 2 * Double(length.trailingZeroBitCount) ? block : length
  }

  private func whole(_ data: Tensor<Scalar>) -> Tensor<Scalar> {
    let padded = flipped(data).padded([(0, length - columns), (0, 0)])
    return padded.walshHadamard(axis: 0).gathered(Tensor(chosen)) * scale
  }

  private func byBlocks(_ data: Tensor<Scalar>, block: Int) -> Tensor<Scalar> {
    let width = data.columns
    let blocks = (columns + block - 1) / block
    let parts = min(8, blocks)
    let inner = chosen.map { Int32($0 % block) }
    let outer = chosen.map { Int32($0 / block) }
    let kernels = sketchingKernels(Scalar.self)
    let sums: Tensor<Scalar> = data.withUnsafeBuffer { data in
      signs.withUnsafeBuffer { signs in
        let (from, signs) = (data.baseAddress!, signs.baseAddress!)
        return summedParts(parts, rows: rows, width: width) { part, result in
          withUnsafeTemporaryAllocation(byteCount: block * width * MemoryLayout<Scalar>.stride, alignment: 64) { raw in
            let scratch = raw.bindMemory(to: Scalar.self).baseAddress!
            for number in blocks * part / parts..<blocks * (part + 1) / parts {
              let first = number * block
              let count = min(block, columns - first)
              kernels.flip_rows(from + first * width, count, width, signs + first, scratch)
              (scratch + count * width).update(repeating: 0, count: (block - count) * width)
              walshHadamardInPlace(scratch, length: block, width: width)
              kernels.add_signed_rows(scratch, inner, outer, number, rows, width, result)
            }
          }
        }
      }
    }
    return sums * scale
  }
}
