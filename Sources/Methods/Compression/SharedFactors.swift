import LinearAlgebra
import Tensors

/// The best factors of rank r of blocks side by side, [A_1 ... A_N] = L [R_1 ... R_N]: one left factor for all.
///
/// L R_i = U Uᵀ A_i with U the leading left singular vectors of the whole; the square roots of the singular values are
/// in either factor. One block gives the truncated singular value decomposition.
struct SharedFactors<Scalar: LinearScalar> {
  /// Of shape [m, r].
  let left: Tensor<Scalar>
  /// One for each block, of shape [r, n_i].
  let rights: [Tensor<Scalar>]

  private init(left: Tensor<Scalar>, rights: [Tensor<Scalar>]) { (self.left, self.rights) = (left, rights) }

  /// Blocks in memory, all with the same number of rows; rank <= min(m, sum of widths).
  init(of blocks: [Tensor<Scalar>], rank: Int) throws {
    let widths = blocks.map(\.columns)
    if let floats = blocks as? [Tensor<Float>] {
      let factors = try SharedFactors<Float>.streamed(rows: blocks[0].rows, widths: widths, rank: rank) { floats[$0] }
      if let own = factors as? SharedFactors {
        self = own
        return
      }
    }
    let svd = try SingularValueDecomposition(of: Tensor.concatenated(blocks, axis: 1)).truncated(rank: rank)
    let roots = balancingRoots(svd.values.scalars.map(Double.init))
    let scales = Tensor<Scalar>(Tensor<Double>(roots))
    let whole = (svd.right * (svd.values / scales)).transposed
    self.init(left: (svd.left * scales).dense, rights: whole.split(sizes: widths, axis: 1).map(\.dense))
  }
}

extension SharedFactors<Float> {
  /// The same for blocks that are loaded one after another, each at most twice.
  ///
  /// - Complexity: memory of the smaller Gram matrix in double precision, and of one block when m <= sum of widths, of
  ///   all blocks otherwise, which is then less than m² numbers.
  static func streamed(
    rows: Int, widths: [Int], rank: Int, load: (Int) throws -> Tensor<Float>
  ) throws -> SharedFactors<Float> {
    let width = widths.reduce(0, +)
    if rows <= width {
      var gram = gramMatrix(try load(0), transposing: false)
      for i in widths.indices.dropFirst() { gram += gramMatrix(try load(i), transposing: false) }
      let (energies, basis) = try SymmetricEigendecomposition(of: gram).largest(rank)
      let roots = Tensor(balancingRoots(energies.scalars.map { max($0, 0).squareRoot() }))
      let toRight = Tensor<Float>((basis / roots).dense)
      return SharedFactors(
        left: Tensor<Float>((basis * roots).dense),
        rights: try widths.indices.map { toRight.matmul(try load($0), transposingA: true) })
    }
    let whole = try Tensor.concatenated(widths.indices.map(load), axis: 1)
    let (energies, basis) = try SymmetricEigendecomposition(of: gramMatrix(whole, transposing: true)).largest(rank)
    let roots = Tensor(balancingRoots(energies.scalars.map { max($0, 0).squareRoot() }))
    let right = Tensor<Float>((basis * roots).transposed.dense)
    return SharedFactors(
      left: whole.matmul(Tensor<Float>((basis / roots).dense)), rights: right.split(sizes: widths, axis: 1).map(\.dense)
    )
  }
}

/// Square roots of singular values, with one where a value is rounding: those directions carry nothing to balance.
func balancingRoots(_ values: [Double]) -> [Double] {
  let floor = 1e-7 * (values.first ?? 0)
  return values.map { $0 > floor ? $0.squareRoot() : 1 }
}
