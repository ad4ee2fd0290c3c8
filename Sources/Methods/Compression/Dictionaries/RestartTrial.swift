import LinearAlgebra
import Tensors

/// What is gone back to when new atoms did not pay.
struct RestartTrial<Scalar: LinearScalar> {
  private let kept: DictionaryState<Scalar>
  private let error: Double
  private var sweepsLeft = Self.length

  /// Sweeps that new atoms are given.
  static var length: Int { 2 }

  init(of state: DictionaryState<Scalar>, error: Double) { (kept, self.error) = (state, error) }

  /// Notes a sweep. At the last one the better of the two states stays; before, `error` is that of the kept one where the
  /// new one is not better yet.
  mutating func isOver(_ state: inout DictionaryState<Scalar>, error: inout Double) -> Bool {
    sweepsLeft -= 1
    if sweepsLeft == 0 { (state, error) = better(than: state, error: error) } else { error = min(error, self.error) }
    return sweepsLeft == 0
  }

  func better(
    than state: DictionaryState<Scalar>, error: Double
  ) -> (state: DictionaryState<Scalar>, error: Double) {
    error < self.error ? (state, error) : (kept, self.error)
  }
}

extension DictionaryState {
  /// Atoms that are nearly parallel to an earlier one, or else the one whose coefficients are smallest, become the directions
  /// of the worst residuals; no signal uses them any more.
  mutating func restartAtoms() {
    let atoms = dictionary.rows
    let gram = dictionary.multipliedByOwnTranspose().absolute()
    var chosen = (1..<max(atoms, 1)).filter { gram[$0, 0..<$0].maximum().scalar > 0.99 }
    let matrix = codes.matrix(atoms: atoms)
    if chosen.isEmpty {
      let squares = matrix.values.squared()
      let energies = Tensor<Scalar>.zeros([atoms]).scatterAdded(squares, at: matrix.columnIndices)
      chosen = [energies.argmin(axis: 0).scalar]
    }
    let worst = residuals.sumOfSquares(axes: [1]).argsort(descending: true).scalars.prefix(chosen.count)
    let directions = worst.map { residuals[$0].copied() }
    // Coefficients of these atoms become zero; the codes are found anew before anything else is done.
    var isChosen = [Scalar](repeating: 1, count: atoms)
    for atom in chosen { isChosen[atom] = 0 }
    codes.values *= Tensor(isChosen).gathered(Tensor<Int>(codes.indices))
    residuals = (signals - codes.matrix(atoms: atoms).matmul(dictionary)).dense
    for (atom, direction) in zip(chosen, directions) {
      let norm = direction.norm()
      if norm.scalar > 0 { dictionary[atom] = direction / norm }
    }
  }
}
