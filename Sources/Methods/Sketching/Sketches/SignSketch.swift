import CVectorKernels
public import LinearAlgebra
public import Tensors

/// `nonzeros` entries ±1/sqrt(nonzeros) in each column, one in each block of about rows / nonzeros rows: CountSketch for
/// one, OSNAP for more.
///
/// Keeps the lengths of vectors like a dense sketch of more rows, but not each of their products: in a regression, the
/// whole error may sit in one coefficient.
///
/// - Complexity: `nonzeros` additions for each number of the data, stored ones only if it is sparse.
/// - Source: Clarkson and Woodruff, J. ACM 63 (2017); Nelson and Nguyen, "OSNAP", FOCS 2013.
public struct SignSketch<Scalar: LinearScalar>: RowSketch {
  public let shape: [Int]
  public let nonzeros: Int
  public var isDense: Bool { false }
  /// 2 row + (1 where the sign is negative), `nonzeros` for each column.
  private let choices: Tensor<Int>

  /// - Throws: `InvalidArgument` for extents below one, more rows than columns, or more nonzeros than rows.
  public init(rows: Int, columns: Int, nonzeros: Int, random: inout RandomStream) throws {
    try requireSketchExtents(rows: rows, columns: columns, most: max(columns, 1))
    guard 1 <= nonzeros && nonzeros <= rows else {
      throw InvalidArgument("nonzeros", found: "\(nonzeros)", wanted: "1 through \(rows), the rows of the sketch")
    }
    shape = [rows, columns]
    self.nonzeros = nonzeros
    let blocks = (0..<nonzeros).map { k -> Tensor<Int> in
      let (first, last) = (rows * k / nonzeros, rows * (k + 1) / nonzeros)
      return random.integers([columns], in: 2 * first..<2 * last)
    }
    choices = nonzeros == 1 ? blocks[0] : Tensor.stacked(blocks, axis: 1)
  }

  private var scale: Scalar { 1 / .sqrt(Scalar(nonzeros)) }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let data = x.asColumns(rows: columns, shape).dense
    let width = data.columns
    let kernels = sketchingKernels(Scalar.self)
    let parts = columns >= 1 << 12 ? 4 : 1
    let sums: Tensor<Scalar> = data.withUnsafeBuffer { data in
      choices.withUnsafeBuffer { choices in
        let (from, choices) = (data.baseAddress!, choices.baseAddress!)
        return summedParts(parts, rows: rows, width: width) { part, result in
          let range = columns * part / parts..<columns * (part + 1) / parts
          kernels.scatter_rows(
            from + range.lowerBound * width, range.count, width, choices + range.lowerBound * nonzeros, nonzeros, result
          )
        }
      }
    }
    let result = nonzeros == 1 ? sums : sums * scale
    return x.rank == 1 ? result.flattened : result
  }

  /// S A for a sparse A of shape [columns, p].
  public func apply(_ matrix: SparseMatrix<Scalar>) -> Tensor<Scalar> {
    precondition(
      matrix.rows == columns, "a sketch of shape \(shape) applied to a sparse matrix of shape \(matrix.shape)")
    let stored = matrix.stored(by: .rows)
    var result = Tensor<Scalar>.zeros([rows, matrix.columns])
    result.withUnsafeMutableBuffer { result in
      scatterEntries(stored, choices, nonzeros: nonzeros, scale: scale, result)
    }
    return result
  }

  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> {
    let block = y.asColumns(rows: rows, shape)
    let all = choices.reshaped([columns, nonzeros])
    var sum = Tensor<Scalar>.zeros([columns, block.columns])
    for k in 0..<nonzeros {
      let column = all[.all, k].scalars
      let signs = Tensor<Scalar>(shape: [columns, 1], scalars: column.map { $0 & 1 == 1 ? -1 : 1 })
      sum += block.gathered(Tensor(column.map { $0 >> 1 })) * signs
    }
    let result = sum * scale
    return y.rank == 1 ? result.flattened : result
  }
}

@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func scatterEntries<Scalar: LinearScalar>(
  _ matrix: SparseMatrix<Scalar>, _ choices: Tensor<Int>, nonzeros: Int, scale: Scalar,
  _ result: UnsafeMutableBufferPointer<Scalar>
) {
  let width = matrix.columns
  matrix.starts.withUnsafeBuffer { starts in
    matrix.indices.withUnsafeBuffer { indices in
      matrix.values.withUnsafeBuffer { values in
        choices.withUnsafeBuffer { choices in
          for i in 0..<matrix.rows {
            for choice in choices[i * nonzeros..<(i + 1) * nonzeros] {
              let sign = choice & 1 == 1 ? -scale : scale
              let first = (choice >> 1) * width
              for k in Int(starts[i])..<Int(starts[i + 1]) { result[first + Int(indices[k])] += sign * values[k] }
            }
          }
        }
      }
    }
  }
}
