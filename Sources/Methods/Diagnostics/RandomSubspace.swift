// Random maps from a few numbers to all parameters of a network.

public import LinearAlgebra
public import Tensors

/// The kind of a random map P from d numbers to D parameters, with columns of (about) unit length.
public enum SubspaceProjection: String, Sendable, Hashable, CaseIterable {
  /// Normal entries, columns of exactly unit length. O(D d) time; kept in memory up to 256 MB, drawn again beyond.
  case dense
  /// Each entry ±1 with probability 1 / √D, columns of exactly unit length (Li, Hastie and Church, "Very sparse random
  /// projections", 2006). O(d √D) time and memory.
  case sparse
  /// Signs, Walsh–Hadamard transforms, a permutation and normal numbers; unit columns in expectation. O(D log D) time.
  case fastfood
  /// An orthonormal basis of a dense one. O(D d²) once; for small problems.
  case orthonormal
}

/// A random d-dimensional subspace of the D parameters of a network, known by its seed.
///
/// - Source: Li et al., "Measuring the intrinsic dimension of objective landscapes", ICLR 2018, section 2 and S7.
public struct RandomSubspace<Scalar: LinearScalar>: Sendable {
  /// D.
  public let parameterCount: Int
  /// d.
  public let dimension: Int
  public let kind: SubspaceProjection
  public let seed: UInt64
  private let map: Map

  private enum Map: Sendable {
    case matrix(Tensor<Scalar>)
    /// Drawn again in tiles of rows: the lengths of the columns.
    case tiles(lengths: Tensor<Scalar>)
    case sparse(byRows: SparseMatrix<Scalar>, byColumns: SparseMatrix<Scalar>)
    case fastfood(Fastfood<Scalar>)
  }

  /// Bytes of a dense map that is kept; larger ones are drawn again each time.
  private static var keptBytes: Int { 1 << 28 }
  private static var tileRows: Int { 256 }

  /// - Throws: `InvalidArgument` unless 1 ≤ dimension ≤ parameterCount.
  public init(
    parameterCount: Int, dimension: Int, kind: SubspaceProjection = .fastfood, seed: UInt64
  ) throws {
    guard parameterCount >= 1 else {
      throw InvalidArgument("parameterCount", found: "\(parameterCount)", wanted: "a model with parameters")
    }
    guard 1 <= dimension, dimension <= parameterCount else {
      throw InvalidArgument(
        "dimension", found: "\(dimension)", wanted: "1 through \(parameterCount), the number of parameters")
    }
    self.parameterCount = parameterCount
    self.dimension = dimension
    self.kind = kind
    self.seed = seed
    var random = RandomStream(seed: seed)
    switch kind {
    case .dense: map = Self.dense(parameterCount, dimension, random)
    case .sparse: map = try Self.sparse(parameterCount, dimension, random)
    case .fastfood: map = .fastfood(try Fastfood(rows: parameterCount, columns: dimension, random: &random))
    case .orthonormal:
      let normal: Tensor<Double> = random.normal([parameterCount, dimension])
      map = .matrix(Tensor(try QRDecomposition(of: normal).orthogonal.dense))
    }
  }

  // MARK: The pair of maps

  /// P z, shape [parameterCount], for z of shape [dimension]; differentiable to any order.
  public func offset(_ z: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(z.shape == [dimension], "a point of shape \(z.shape) in a subspace of dimension \(dimension)")
    return customDerivative(at: z) { z in
      (z.isDifferentiated ? offset(z) : applied(z), { pullback($0) })
    }
  }

  /// Pᵀ g, shape [dimension], for g of shape [parameterCount]; differentiable to any order.
  public func pullback(_ gradient: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(
      gradient.shape == [parameterCount], "a gradient of shape \(gradient.shape) for \(parameterCount) parameters")
    return customDerivative(at: gradient) { g in
      (g.isDifferentiated ? pullback(g) : appliedTransposed(g), { offset($0) })
    }
  }

  private func applied(_ z: Tensor<Scalar>) -> Tensor<Scalar> {
    switch map {
    case .matrix(let matrix): return matrix.matmul(z)
    case .sparse(let byRows, _): return byRows.matmul(z)
    case .fastfood(let map): return map.apply(z)
    case .tiles(let lengths):
      let scaled = z / lengths
      return Tensor.concatenated(Self.tiles(of: parameterCount).map { rows in tile(rows).matmul(scaled) })
    }
  }

  private func appliedTransposed(_ g: Tensor<Scalar>) -> Tensor<Scalar> {
    switch map {
    case .matrix(let matrix): return matrix.matmul(g, transposingA: true)
    case .sparse(_, let byColumns): return byColumns.matmul(g, transposing: true)
    case .fastfood(let map): return map.applyTransposed(g)
    case .tiles(let lengths):
      let sum = Self.tiles(of: parameterCount).reduce(Tensor<Scalar>.zeros([dimension])) { sum, rows in
        sum + tile(rows).matmul(g[rows], transposingA: true)
      }
      return sum / lengths
    }
  }

  // MARK: Construction

  private static func tiles(of rows: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: tileRows).map { $0..<min($0 + tileRows, rows) }
  }

  /// Rows of the normal matrix before its columns get unit length: the same numbers whether kept or drawn again.
  private func tile(_ rows: Range<Int>) -> Tensor<Scalar> { Self.tile(rows, dimension, RandomStream(seed: seed)) }

  private static func tile(_ rows: Range<Int>, _ dimension: Int, _ random: RandomStream) -> Tensor<Scalar> {
    var stream = random.child(UInt64(rows.lowerBound / tileRows))
    return stream.normal([rows.count, dimension])
  }

  private static func dense(_ rows: Int, _ columns: Int, _ random: RandomStream) -> Map {
    let tiles = tiles(of: rows)
    let squares = tiles.reduce(Tensor<Double>.zeros([columns])) { sum, range in
      sum + Tensor<Double>(tile(range, columns, random)).sumOfSquares(axes: [0])
    }
    let lengths = Tensor<Scalar>(squares.sqrt())
    guard rows * columns * MemoryLayout<Scalar>.stride <= keptBytes else { return .tiles(lengths: lengths) }
    return .matrix(Tensor.concatenated(tiles.map { tile($0, columns, random) / lengths }))
  }

  private static func sparse(_ rows: Int, _ columns: Int, _ random: RandomStream) throws -> Map {
    let density = 1 / Double(rows).squareRoot()
    var rowIndices: [Int] = []
    var columnIndices: [Int] = []
    var values: [Scalar] = []
    for column in 0..<columns {
      var stream = random.child(UInt64(column))
      var places: [Int] = []
      if density >= 1 {
        places = Array(0..<rows)
      } else {
        // The gaps between successes of independent trials have a geometric law.
        let scale = Double.log(onePlus: -density)
        var place = -1
        while true {
          let level = 1 - Double.random(in: 0..<1, using: &stream)
          let gap = Double.log(level) / scale
          guard gap < Double(rows - place) else { break }
          place += 1 + Int(gap)
          guard place < rows else { break }
          places.append(place)
        }
        if places.isEmpty { places = [Int.random(in: 0..<rows, using: &stream)] }
      }
      let size = Scalar(1 / Double(places.count).squareRoot())
      for place in places {
        rowIndices.append(place)
        columnIndices.append(column)
        values.append(Bool.random(using: &stream) ? size : -size)
      }
    }
    let byColumns = try SparseMatrix<Scalar>(
      rows: rows, columns: columns, rowIndices: Tensor(rowIndices), columnIndices: Tensor(columnIndices),
      values: Tensor(values), layout: .columns)
    return .sparse(byRows: byColumns.stored(by: .rows), byColumns: byColumns)
  }
}
