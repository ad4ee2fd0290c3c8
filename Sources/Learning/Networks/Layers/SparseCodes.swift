import CVectorKernels
public import FileFormats
public import LinearAlgebra
public import Tensors

/// The sparse left factor of a linear layer: for each output, the atoms it is made of and their coefficients.
///
/// Stored row after row, in increasing order of the atoms. Which atoms an output uses is fixed; coefficients are learned.
public struct SparseCodes<Scalar: RealScalar>: Sendable {
  /// The number of atoms there are.
  public let columns: Int
  /// Row i has the entries starts[i] ..< starts[i + 1]; shape [rows + 1].
  public let starts: Tensor<Int32>
  /// The atom of each entry, shape [entries].
  public let indices: Tensor<Int32>
  /// The coefficient of each entry, shape [entries].
  public var values: Tensor<Scalar>

  /// The number of outputs.
  public var rows: Int { starts.count - 1 }

  /// - Throws: `InvalidArgument` when lengths do not fit, starts decrease, or atoms do not increase within a row or are
  ///   out of range.
  public init(
    columns: Int, starts: Tensor<Int32>, indices: Tensor<Int32>, values: Tensor<Scalar>
  ) throws where Scalar: LinearScalar {
    self.init(
      try SparseMatrix(rows: starts.count - 1, columns: columns, starts: starts, indices: indices, values: values))
  }

  /// A matrix of shape [outputs, atoms]; the transpose of one of shape [atoms, outputs] by columns is that at no cost.
  public init(_ matrix: SparseMatrix<Scalar>) where Scalar: LinearScalar {
    let matrix = matrix.stored(by: .rows)
    (columns, starts, indices, values) = (matrix.columns, matrix.starts, matrix.indices, matrix.values)
  }

  init(unchecked columns: Int, starts: Tensor<Int32>, indices: Tensor<Int32>, values: Tensor<Scalar>) {
    (self.columns, self.starts, self.indices, self.values) = (columns, starts, indices, values)
  }

  /// Where the coefficients stand, as files keep it.
  public var places: SparsePlaces { SparsePlaces(starts: starts.scalars, columns: indices.scalars, width: columns) }

  /// The matrix with its zeros, shape [outputs, atoms]. Derivatives flow to the coefficients.
  public var dense: Tensor<Scalar> {
    let starts = starts.scalars
    let places = zip(starts, starts.dropFirst()).enumerated().flatMap { row, range in
      (Int(range.0)..<Int(range.1)).map { _ in row * columns }
    }
    let positions = zip(places, indices.scalars).map { $0 + Int($1) }
    return Tensor<Scalar>.zeros([rows * columns]).scatterAdded(values, at: Tensor(positions)).reshaped([rows, columns])
  }

  /// C x for x of shape [atoms, p].
  func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let kernels = Scalar.self == Float.self ? apus_sparse_f32() : apus_sparse_f64()
    let width = x.columns
    return Tensor(uninitializedShape: [rows, width]) { result in
      starts.withUnsafeBuffer { starts in
        indices.withUnsafeBuffer { indices in
          values.withUnsafeBuffer { values in
            x.withUnsafeBuffer { x in
              guard let starts = starts.baseAddress, let y = result.baseAddress, width > 0, rows > 0 else { return }
              guard let indices = indices.baseAddress, let values = values.baseAddress, let x = x.baseAddress else {
                return result.update(repeating: 0)
              }
              var view = apus_csr(rows: rows, starts: starts, indices: indices, values: UnsafeRawPointer(values))
              let work = max(1, self.values.count * width / rows)
              withUnsafePointer(to: &view) { view in
                parallelRanges(rows, grain: max(1, (1 << 14) / work)) { range in
                  kernels.pointee.times_dense(view, range.lowerBound, range.upperBound, x, width, y, false)
                }
              }
            }
          }
        }
      }
    }
  }
}
