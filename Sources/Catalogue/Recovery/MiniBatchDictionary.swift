import LinearAlgebra
import Tensors

/// The baseline: online dictionary learning with sparse coding inside.
///
/// Codes minimize ½ ‖y - D x‖² + penalty ‖x‖₁ by coordinate descent; atoms are then updated one after the other from
/// running sums of x xᵀ and y xᵀ, which forget the first batches as samples accumulate.
/// - Source: Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", JMLR 2010.
struct MiniBatchDictionary {
  private(set) var dictionary: Tensor<Double>
  private let penalty: Double
  private var codeMoments: Tensor<Double>, crossMoments: Tensor<Double>
  private var steps = 0

  init(dimension: Int, penalty: Double, random: inout RandomStream) throws {
    dictionary = try random.orthogonal([dimension, dimension])
    self.penalty = penalty
    codeMoments = .zeros([dimension, dimension])
    crossMoments = .zeros([dimension, dimension])
  }

  /// - Parameter samples: shape [B, n].
  mutating func partialFit(_ samples: Tensor<Double>) {
    let gram = dictionary.multipliedByOwnTranspose(transposing: true)
    let codes = code(samples.matmul(dictionary), gram: gram)
    steps += 1
    let forget = 1 - 1 / Double(steps)
    codeMoments = codeMoments * forget + codes.multipliedByOwnTranspose(transposing: true) * (1 - forget)
    crossMoments = crossMoments * forget + samples.matmul(codes, transposingA: true) * (1 - forget)
    let count = dictionary.columns
    for atom in 0..<count {
      let use = codeMoments[at: atom, atom]
      guard use > 1e-12 else { continue }
      let column = dictionary[.all, atom]
      let change = (crossMoments[.all, atom] - dictionary.matmul(codeMoments[.all, atom])) / use
      let updated = column + change
      dictionary[.all, atom] = updated / updated.norm().scalar
    }
  }

  /// Lasso codes of all samples at once, a coordinate at a time.
  private func code(_ correlations: Tensor<Double>, gram: Tensor<Double>) -> Tensor<Double> {
    let count = gram.rows
    var codes = Tensor<Double>.zeros(correlations.shape)
    let (b, g) = (correlations.scalars, gram.scalars)
    codes.withUnsafeMutableBuffer { x in
      for first in stride(from: 0, to: x.count, by: count) {
        for _ in 0..<30 {
          var largest = 0.0
          for j in 0..<count {
            var fit = 0.0
            for l in 0..<count { fit += g[j * count + l] * x[first + l] }
            let wish = b[first + j] - fit + g[j * count + j] * x[first + j]
            let size = max(0, abs(wish) - penalty) / g[j * count + j]
            let value = wish < 0 ? -size : size
            largest = max(largest, abs(value - x[first + j]))
            x[first + j] = value
          }
          if largest < 1e-6 { break }
        }
      }
    }
    return codes
  }
}
