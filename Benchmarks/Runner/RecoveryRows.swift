// Low-rank and sparse recovery, beside what a person would use in Python.

import FileFormats
import LinearAlgebra
import Recovery
import Tensors

var recoveryWorks: [Work] {
  [
    completion(rank: 10), completion(rank: 20), completion(rank: 40), dictionary, lassoPath, robustSteps,
    sensingSteps, kroneckerLearning,
  ]
}

/// 100 entries in each row of a 20,000 x 5,000 matrix of the given rank, until the observed residual is below 1e-6.
///
/// Places are the same on both sides by arithmetic: one column in each block of 50.
private func completion(rank: Int) -> Work {
  let (rows, columns, perRow) = (20_000, 5_000, 100)
  return Work("altmin-completion \(rows) \(columns) \(perRow) \(rank)", bound: rank == 10 ? 0.33 : nil) { inputs in
    let left: Tensor<Double> = try normal([rows, rank], inputs)
    let right: Tensor<Double> = try normal([columns, rank], inputs, seed: 2)
    let entries = Tensor<Int>(0..<rows * perRow)
    let i = entries / perRow
    let j = entries - i * perRow
    let shift = Tensor<Int>(i.scalars.map { $0 * 7_919 })
    let within = Tensor<Int>(zip(i.scalars, j.scalars).map { ($0 * $1 + $1 * $1) % 50 })
    let places = Tensor<Int>(
      zip(shift.scalars, zip(j.scalars, within.scalars)).map { ($0 + $1.0 * 50 + $1.1) % columns })
    let values = (left.gathered(i) * right.gathered(places)).sum(axis: 1)
    let observed = try SparseObservations(
      rows: rows, columns: columns, rowIndices: i, columnIndices: places, values: values)
    var method = MatrixCompletion(rank: rank)
    (method.tolerance, method.wantedError) = (0, 1e-6)
    let fixed = method
    return { keep(try fixed.complete(observed)) }
  }
}

/// 200 batches of 64 sparse vectors of 64 numbers, one step each.
private var dictionary: Work {
  .judged("orthogonal-dictionary 64 64 200", bound: 0.2) { inputs in
    let numbers: Tensor<Double> = try normal([12_800, 64], inputs)
    let choice: Tensor<Double> = try normal([12_800, 64], inputs, seed: 2)
    let mix: Tensor<Double> = try normal([64, 64], inputs, seed: 3)
    let codes = numbers * Tensor<Double>(choice .> 0.84)
    let truth = try QRDecomposition(of: mix).orthogonal
    let samples = codes.matmul(truth, transposingB: true)
    func learned() throws -> Tensor<Double> {
      var learner = try OnlineOrthogonalDictionary<Double>(dimension: 64)
      try learner.fit(samples, batchSize: 64)
      return try learner.dictionary()
    }
    // One less the mean of how well each atom is found.
    return PreparedWork(run: { keep(try learned()) }) {
      let cosines = truth.matmul(try learned(), transposingA: true).absolute()
      return 1 - cosines.maximum(axis: 1).mean().scalar
    }
  }
}

/// Twenty penalties on 200 x 5,000 correlated columns, to a duality gap of 1e-6 ‖y‖².
private var lassoPath: Work {
  Work("lasso-path 200 5000 20", bound: 0.67) { inputs in
    let steps: Tensor<Double> = try normal([200, 5_000], inputs)
    let walks = steps.cumulativeSum(axis: 1)
    let design = walks / walks.norm(axes: [0], keepingAxes: true)
    let noise: Tensor<Double> = try normal([200], inputs)
    let y = design[.all, 700].copied() * 3 - design[.all, 3_100].copied() * 2 + noise * 0.05
    let solver = Lasso()
    let largest = solver.largestPenalty(design, observed: y)
    let penalties = (0..<20).map { largest * Double.pow(0.02, Double($0) / 19) }
    return { keep(try solver.path(design, observed: y, penalties: penalties)) }
  }
}

/// 100 sub-gradient steps with 1,200 measurements of a 20 x 20 matrix, all columns.
private var robustSteps: Work {
  Work("subgm 20 1200 100", bound: 0.5) { inputs in
    let matrices: Tensor<Double> = try normal([1_200, 20, 20], inputs)
    let factor: Tensor<Double> = try normal([20, 2], inputs, seed: 2)
    let measurement = try DenseMeasurement(matrices)
    let observed = measurement.apply(factor.matmul(factor, transposingB: true))
    var method = RobustMatrixRecovery()
    (method.iterationLimit, method.tolerance) = (100, 0)
    let fixed = method
    return { keep(try fixed.recover(from: measurement, observed: observed)) }
  }
}

/// 1,000 steps on factors of four columns, 1,500 measurements of a 20 x 20 matrix.
private var sensingSteps: Work {
  Work("matrix-sensing 20 1500 4 1000", bound: 0.5) { inputs in
    let matrices: Tensor<Double> = try normal([1_500, 20, 20], inputs)
    let factor: Tensor<Double> = try normal([20, 2], inputs, seed: 2)
    let measurement = try DenseMeasurement(matrices)
    let observed = measurement.apply(factor.matmul(factor, transposingB: true))
    var method = MatrixSensing(rank: 4)
    (method.parameterization, method.iterationLimit, method.tolerance) = (.asymmetric(), 1_000, 0)
    let fixed = method
    return { keep(try fixed.recover(from: measurement, observed: observed)) }
  }
}

/// 20 iterations for 1,000 unknowns, three 6 x 10 dictionaries.
private var kroneckerLearning: Work {
  Work("kronecker-sbl 6 10 20", bound: 0.05) { inputs in
    let factors = try (1...3).map { seed -> Tensor<Double> in try normal([6, 10], inputs, seed: UInt64(seed)) }
    let dictionary = try KroneckerDictionary(factors)
    let observed: Tensor<Double> = try normal([216], inputs)
    var method = KroneckerSBL()
    (method.noiseVariance, method.pruning) = (.known(0.1), 0)
    (method.iterationLimit, method.tolerance) = (20, 0)
    let fixed = method
    return { keep(try fixed.fit(dictionary, observed: observed)) }
  }
}
