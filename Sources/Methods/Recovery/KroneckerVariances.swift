import LinearAlgebra
import Tensors

/// Posterior of the unknowns that are left, with what the next step needs.
struct KroneckerPosterior<Scalar: LinearScalar> {
  /// μ and diag Σ_x, with an axis for each mode.
  var mean: Numbers<Scalar>
  var variances: Tensor<Scalar>
  /// log det Σ_y + yᴴ Σ_y⁻¹ y, and ‖Σ_y⁻¹ y‖².
  var cost: Double
  var whitened: Scalar

  /// diag Σ_x + |μ|², positive.
  var second: Tensor<Scalar> {
    (variances + mean.squares).maximum(max(Scalar(1e-300), .leastNormalMagnitude))
  }
}

/// The variances that are being learned, on the indices that are left of each mode.
struct KroneckerVariances<Scalar: LinearScalar> {
  private let dictionary: KroneckerDictionary<Scalar>
  /// Columns of the factors that are left; without structure, the one factor is the whole matrix.
  private var factors: [Numbers<Scalar>]
  private var indices: [[Int]]
  private var gammas: [Tensor<Scalar>]
  private let isStructured: Bool
  private var rowExtents: [Int] { factors.map { $0.shape[0] } }

  init(_ dictionary: KroneckerDictionary<Scalar>, start: [[Double]]?, isStructured: Bool) throws {
    self.dictionary = dictionary
    self.isStructured = isStructured
    let starts =
      start.map { $0.map { Tensor<Scalar>(Tensor<Double>($0)) } }
      ?? dictionary.columnExtents.map { Tensor<Scalar>.ones([$0]) }
    factors = isStructured ? dictionary.factors : [dictionary.dense()]
    gammas = isStructured ? starts : [Self.outer(starts).flattened]
    indices = factors.map { Array(0..<$0.shape[1]) }
    normalize()
  }

  /// γ₁ ⊗ γ₂ ⊗ ..., with an axis for each mode.
  var product: Tensor<Scalar> { Self.outer(gammas) }

  private static func outer(_ vectors: [Tensor<Scalar>]) -> Tensor<Scalar> {
    vectors.dropFirst().reduce(vectors[0]) { $0.expanded(axis: $0.rank) * $1 }
  }

  /// All but the last have norm one: only the product matters.
  private mutating func normalize() {
    for mode in 0..<gammas.count - 1 {
      let length = max(gammas[mode].norm().scalar, .leastNormalMagnitude)
      gammas[mode] = gammas[mode] / length
      gammas[gammas.count - 1] = gammas[gammas.count - 1] * length
    }
  }

  // MARK: Expectation

  func posterior(_ y: Numbers<Scalar>, noise: Scalar) throws -> KroneckerPosterior<Scalar> {
    isStructured ? try byModes(y, noise) : try byCholesky(y, noise)
  }

  /// With A_i Γ_i A_iᴴ = U_i S_i U_iᴴ, Σ_y is diagonal in the basis of all U_i.
  private func byModes(_ y: Numbers<Scalar>, _ noise: Scalar) throws -> KroneckerPosterior<Scalar> {
    var bases: [Numbers<Scalar>] = []
    var values: [Tensor<Scalar>] = []
    for (factor, gamma) in zip(factors, gammas) {
      let half = factor.scaled(by: gamma.sqrt())
      let eigen = try half.matmul(half.adjoint).eigen()
      bases.append(eigen.vectors)
      values.append(eigen.values)
    }
    let spectrum = Self.outer(values) + noise
    let turned = KroneckerDictionary.alongModes(y.reshaped(rowExtents), bases.map(\.adjoint))
    let filtered = turned.scaled(by: spectrum.reciprocal())
    // Γ_i A_iᴴ U_i.
    let back = zip(factors, zip(gammas, bases)).map { factor, part in
      factor.adjoint.matmul(part.1).scaled(by: part.0.expanded(axis: 1))
    }
    let mean = KroneckerDictionary.alongModes(filtered, back)
    let explained = KroneckerDictionary.alongModes(
      Numbers(spectrum.reciprocal()), back.map { Numbers($0.squares) }
    ).real
    let cost = spectrum.log().sum().scalar + (turned.squares / spectrum).sum().scalar
    return KroneckerPosterior(
      mean: mean, variances: (product - explained).maximum(0), cost: Double(cost),
      whitened: filtered.squares.sum().scalar)
  }

  /// The dense formulas, on real forms of complex matrices.
  private func byCholesky(_ y: Numbers<Scalar>, _ noise: Scalar) throws -> KroneckerPosterior<Scalar> {
    let a = factors[0]
    let isComplex = a.imaginary != nil || y.imaginary != nil
    let whole = isComplex && a.imaginary == nil ? Numbers(a.real, .zeros(a.shape)) : a
    let half = whole.scaled(by: gammas[0].sqrt())
    let covariance = half.realForm.multipliedByOwnTranspose()
    let rows = covariance.rows
    let cholesky = try CholeskyDecomposition(of: covariance + Tensor.identity(rows) * noise)
    let observed = isComplex ? Tensor.concatenated([y.real, y.imaginary ?? .zeros(y.shape)]) : y.real
    let filtered = try cholesky.solve(observed)
    let form = whole.realForm
    let means = form.matmul(filtered, transposingA: true)
    let count = gammas[0].count
    // aᴴ Σ_y⁻¹ a of every column: the squared length of L⁻¹ a.
    let columns = form[.all, 0..<count].dense
    let forward = try cholesky.upper.solveTriangular(columns, .upper, transposing: true)
    let explained = forward.sumOfSquares(axes: [0]) * gammas[0].squared()
    // The real form has every eigenvalue twice.
    let logarithm = cholesky.logDeterminant / (isComplex ? 2 : 1)
    let mean = Numbers(
      means[0..<count].dense * gammas[0], isComplex ? means[count..<2 * count].dense * gammas[0] : nil)
    return KroneckerPosterior(
      mean: mean, variances: (gammas[0] - explained).maximum(0),
      cost: Double(logarithm + observed.dot(filtered).scalar), whitened: filtered.sumOfSquares().scalar)
  }

  // MARK: Maximization

  mutating func set(_ second: Tensor<Scalar>) { gammas = [second.flattened] }

  /// The leading singular pair of mode 1 against the rest, then of mode 2 against its rest, and so on.
  mutating func setNearestProduct(_ second: Tensor<Scalar>) throws {
    var rest = second
    for mode in 0..<gammas.count - 1 {
      let size = gammas[mode].count
      let matrix = rest.reshaped([size, rest.count / size])
      let vector = try SymmetricEigendecomposition(of: matrix.multipliedByOwnTranspose()).largest(1).vectors.flattened
      gammas[mode] = vector.absolute()
      rest = vector.matmul(matrix).absolute()
    }
    gammas[gammas.count - 1] = rest.flattened
  }

  /// Cyclic minimization of Σ log γ + d / γ over one mode after the other.
  mutating func minimize(_ second: Tensor<Scalar>, innerTolerance: Double, blockSizes: [Int]?) {
    let modes = gammas.count
    for _ in 0..<100 {
      let before = product
      for mode in 0..<modes {
        let others = (0..<modes).map { mode == $0 ? Tensor<Scalar>.ones([gammas[$0].count]) : gammas[$0] }
        let axes = (0..<modes).filter { $0 != mode }
        let ratio = second / Self.outer(others)
        gammas[mode] = axes.isEmpty ? ratio : ratio.mean(axes: axes)
        if let size = blockSizes?[mode], size > 1 { shareWithinBlocks(mode, size) }
      }
      normalize()
      let after = product
      if Double((after - before).frobeniusNorm()) <= innerTolerance * Double(after.frobeniusNorm()) { break }
    }
  }

  private mutating func shareWithinBlocks(_ mode: Int, _ size: Int) {
    let values = gammas[mode].scalars
    var sums: [Int: (sum: Scalar, count: Int)] = [:]
    for (place, index) in indices[mode].enumerated() {
      let old = sums[index / size] ?? (0, 0)
      sums[index / size] = (old.sum + values[place], old.count + 1)
    }
    gammas[mode] = Tensor(
      indices[mode].map { index in sums[index / size].map { $0.sum / Scalar($0.count) } ?? 0 })
  }

  /// Drops the indices of small variances.
  mutating func prune(below floor: Scalar) throws {
    for mode in gammas.indices {
      let top = gammas[mode].maximum().scalar
      guard top > 0, top.isFinite else { throw SparseRecoveryError.allPruned }
      let isKept = gammas[mode] .>= floor * top
      guard isKept.trueCount < gammas[mode].count else { continue }
      let places = isKept.trueIndices
      indices[mode] = places.scalars.map { indices[mode][$0] }
      gammas[mode] = gammas[mode].gathered(places)
      factors[mode] = factors[mode].columns(places)
    }
    normalize()
  }

  // MARK: The answer

  func result(
    _ posterior: KroneckerPosterior<Scalar>, noise: Double, costs: [Double], convergence: Convergence
  ) -> KroneckerSBLResult<Scalar> {
    let extents = isStructured ? dictionary.columnExtents : [dictionary.columns]
    func scattered(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
      indices.enumerated().reduce(x) { tensor, mode in
        var shape = tensor.shape
        shape[mode.offset] = extents[mode.offset]
        return Tensor.zeros(shape).scatterAdded(tensor, at: Tensor<Int>(mode.element), axis: mode.offset)
      }.flattened
    }
    return KroneckerSBLResult(
      mean: scattered(posterior.mean.real), imaginaryMean: posterior.mean.imaginary.map(scattered),
      variances: scattered(posterior.variances),
      gammas: zip(gammas, zip(indices, extents)).map { gamma, place in
        Tensor.zeros([place.1]).scatterAdded(gamma, at: Tensor<Int>(place.0))
      },
      support: indices, noiseVariance: noise, costs: costs, convergence: convergence, isTrivial: false)
  }
}
