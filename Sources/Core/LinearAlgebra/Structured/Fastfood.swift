public import Tensors

/// A random matrix with nearly orthogonal columns of about unit length, which is never formed: signs, Walsh–Hadamard
/// transforms, a permutation and normal numbers.
///
/// With L the next power of two from `rows` on, M v = H G Π H B [v; 0], of which the first `rows` entries are kept and
/// divided by ‖G‖ √rows; B are random signs, G normal numbers on a diagonal, Π a permutation and H the transform without
/// normalisation. A column of M has the squared norm L ‖G‖², of which the share rows / L is kept on average.
///
/// [v; 0] is zero but for its first entries, so that the inner transform is one of the next power of two from `columns`
/// on, m, repeated: one long transform is left in each direction.
///
/// - Complexity: O(L log L) time a vector; memory for L normal numbers and L indices.
/// - Source: Le, Sarlós and Smola, "Fastfood: approximating kernel expansions in loglinear time", ICML 2013; the divisor
///   as in Li et al., "Measuring the intrinsic dimension of objective landscapes", ICLR 2018.
public struct Fastfood<Scalar: LinearScalar>: LinearOperator, Sendable {
  /// [rows, columns].
  public let shape: [Int]
  /// B, shape [columns].
  private let signs: Tensor<Scalar>
  /// Π: which of the m inner coefficients comes to each place; shape [L].
  private let sources: Tensor<Int32>
  /// The diagonal of G over the divisor, shape [L].
  private let factors: Tensor<Scalar>
  /// m.
  private let inner: Int

  /// - Throws: `InvalidArgument` unless 1 ≤ columns ≤ rows < 2³¹.
  public init(rows: Int, columns: Int, random: inout RandomStream) throws {
    guard 1 <= columns, columns <= rows, rows < 1 << 30 else {
      throw InvalidArgument(
        "columns", found: "\(columns) of \(rows) rows", wanted: "1 through the number of rows, which is below 2^30")
    }
    func powerOfTwo(from count: Int) -> Int {
      var power = 1
      while power < count { power *= 2 }
      return power
    }
    let length = powerOfTwo(from: rows)
    let inner = powerOfTwo(from: columns)
    shape = [rows, columns]
    self.inner = inner
    signs = ProbeDistribution.signs.probes(columns, 1, &random).flattened
    let normals: Tensor<Double> = random.normal([length])
    factors = Tensor<Scalar>(normals / (normals.norm().scalar * Double(rows).squareRoot()))
    let permutation = random.permutation(length)
    sources = Tensor(uninitializedShape: [length]) { result in
      permutation.withUnsafeBuffer { permutation in
        for i in result.indices { result[i] = Int32(permutation[i] & (inner - 1)) }
      }
    }
  }

  /// M v: shape [columns] becomes [rows]; the columns of a matrix are taken one by one.
  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    x.requireConstant()
    precondition(x.shape.first == shape[1] && x.rank <= 2, "a Fastfood map of shape \(shape) applied to \(x.shape)")
    if x.rank == 2 { return columnwise(x, apply) }
    let mixed = (x * signs).padded([(0, inner - shape[1])]).walshHadamard()
    return Self.spread(mixed, to: sources, factors).walshHadamard()[0..<shape[0]]
  }

  /// Mᵀ u: shape [rows] becomes [columns].
  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> {
    y.requireConstant()
    precondition(
      y.shape.first == shape[0] && y.rank <= 2, "a transposed Fastfood map of shape \(shape) applied to \(y.shape)")
    if y.rank == 2 { return columnwise(y, applyTransposed) }
    let mixed = (sources.count > shape[0] ? y.padded([(0, sources.count - shape[0])]) : y).walshHadamard()
    return Self.collected(mixed, from: sources, factors, count: inner).walshHadamard()[0..<shape[1]] * signs
  }

  private func columnwise(_ x: Tensor<Scalar>, _ map: (Tensor<Scalar>) -> Tensor<Scalar>) -> Tensor<Scalar> {
    Tensor.stacked((0..<x.columns).map { map(x.slice(axis: 1, at: $0)) }, axis: 1)
  }

  /// G Π of the inner coefficients, repeated.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private static func spread(
    _ x: Tensor<Scalar>, to sources: Tensor<Int32>, _ factors: Tensor<Scalar>
  ) -> Tensor<Scalar> {
    Tensor(uninitializedShape: [sources.count]) { result in
      let to = result.baseAddress!
      x.withUnsafeBuffer { x in
        sources.withUnsafeBuffer { sources in
          factors.withUnsafeBuffer { factors in
            let (x, sources, factors) = (x.baseAddress!, sources.baseAddress!, factors.baseAddress!)
            parallelRanges(result.count, grain: 1 << 13) { range in
              for i in range { to[i] = factors[i] * x[Int(sources[i])] }
            }
          }
        }
      }
    }
  }

  /// Its transpose: what falls on each inner coefficient. Four parts, whatever the number of threads, added in order.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private static func collected(
    _ y: Tensor<Scalar>, from sources: Tensor<Int32>, _ factors: Tensor<Scalar>, count: Int
  ) -> Tensor<Scalar> {
    let total = y.count
    let parts = y.count >= 1 << 16 && y.count >= 16 * count ? 4 : 1
    let sums = Tensor<Scalar>(uninitializedShape: [parts, count]) { result in
      let to = result.baseAddress!
      to.update(repeating: 0, count: parts * count)
      y.withUnsafeBuffer { y in
        sources.withUnsafeBuffer { sources in
          factors.withUnsafeBuffer { factors in
            let (y, sources, factors) = (y.baseAddress!, sources.baseAddress!, factors.baseAddress!)
            parallelTasks(parts) { part in
              let part = (total * part / parts, total * (part + 1) / parts, to + part * count)
              for i in part.0..<part.1 { part.2[Int(sources[i])] += factors[i] * y[i] }
            }
          }
        }
      }
    }
    return sums.sum(axis: 0)
  }
}
