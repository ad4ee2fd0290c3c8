public import LinearAlgebra
public import Tensors

/// Independent normal entries of variance 1 / rows.
///
/// Entries are made anew, a block of columns at a time, whenever the sketch is applied: S is never stored.
///
/// - Complexity: 2 n rows operations for each column of the data, and n rows random numbers.
public struct GaussianSketch<Scalar: LinearScalar>: RowSketch {
  public let shape: [Int]
  public var isDense: Bool { true }
  private let random: RandomStream
  private var block: Int { 512 }

  /// - Throws: `InvalidArgument` for extents below one, or more rows than columns.
  public init(rows: Int, columns: Int, random: inout RandomStream) throws {
    try requireSketchExtents(rows: rows, columns: columns, most: max(columns, 1))
    shape = [rows, columns]
    self.random = random.split()
  }

  /// The columns of S that belong to block `number`, transposed.
  private func entries(of number: Int) -> Tensor<Scalar> {
    var stream = random.child(UInt64(number))
    return stream.normal([min(block, columns - number * block), rows])
  }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let data = x.asColumns(rows: columns, shape).dense
    let blocks = (columns + block - 1) / block
    let parts = min(4, blocks)
    let sums: Tensor<Scalar> = summedParts(parts, rows: rows, width: data.columns) { part, result in
      var sum = Tensor<Scalar>.zeros([rows, data.columns])
      for number in blocks * part / parts..<blocks * (part + 1) / parts {
        let entries = entries(of: number)
        let range = number * block..<number * block + entries.rows
        sum += entries.matmul(data[range, .all], transposingA: true)
      }
      sum.withUnsafeBuffer { result.update(from: $0.baseAddress!, count: $0.count) }
    }
    let result = sums / Scalar.sqrt(Scalar(rows))
    return x.rank == 1 ? result.flattened : result
  }

  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> {
    let block = y.asColumns(rows: rows, shape)
    let parts = (0..<(columns + self.block - 1) / self.block).map { entries(of: $0).matmul(block) }
    let result = Tensor.concatenated(parts, axis: 0) / Scalar.sqrt(Scalar(rows))
    return y.rank == 1 ? result.flattened : result
  }
}
