// Sketching and sampling, beside LAPACK, scikit-learn, DPPy and SciPy's linear programs.

import FileFormats
import LinearAlgebra
import Sketching
import Tensors

var sketchingWorks: [Work] {
  [
    regression(1_000_000, 100, rows: 1_600, bound: 1.0), regression(262_144, 200, rows: 1_600, bound: 0.2),
    refinedRegression(1_000_000, 100), determinantal(20_000, 50), continuousDeterminantal(100), leverage(100_000, 50),
    sensitivities(300, 10), hadamard(20, 8), stream(200_000, 512),
  ]
}

private func regression(_ n: Int, _ d: Int, rows: Int, bound: Double) -> Work {
  Work("sketched-regression \(n) \(d)", bound: bound, floor: .bytes(8 * Double(n * d))) { inputs in
    let a: Tensor<Double> = try normal([n, d], inputs)
    let b: Tensor<Double> = try normal([n], inputs, seed: 2)
    return { keep(try SketchedLeastSquares(rows: rows).solve(a, b)) }
  }
}

/// To full accuracy: the sketch as a preconditioner.
private func refinedRegression(_ n: Int, _ d: Int) -> Work {
  Work("refined-regression \(n) \(d)", bound: 1.0) { inputs in
    let a: Tensor<Double> = try normal([n, d], inputs)
    let b: Tensor<Double> = try normal([n], inputs, seed: 2)
    return { keep(try SketchedLeastSquares(rows: 1_600, refinement: .lsqr(iterations: 40)).solve(a, b)) }
  }
}

/// Draws of m among N candidates, from orthonormal features on both sides.
private func determinantal(_ n: Int, _ m: Int) -> Work {
  Work("projection-dpp \(n) \(m)", bound: 0.1) { inputs in
    let features = try QRDecomposition(of: try normal([n, m], inputs) as Tensor<Double>).orthogonal.dense
    var random = RandomStream(seed: 1)
    return {
      let basis = try CandidateBasis(features)
      keep(try projectionDPP(basis, &random))
    }
  }
}

/// Products of Legendre polynomials in the plane.
private func continuousDeterminantal(_ m: Int) -> Work {
  Work("jacobi-dpp \(m)", bound: 0.1) { _ in
    let indices = MultiIndexSet.tensorProduct([9, 9]).prefix(m)
    let basis = try PolynomialBasis(families: [.legendre, .legendre], indices: Array(indices))
    var random = RandomStream(seed: 1)
    return { keep(try projectionDPP(basis, &random)) }
  }
}

private func leverage(_ n: Int, _ d: Int) -> Work {
  Work("leverage \(n) \(d)", bound: 1.1, floor: .flopsDouble(4 * Double(n * d * d))) { inputs in
    let a: Tensor<Double> = try normal([n, d], inputs)
    return { keep(try leverageScores(a)) }
  }
}

private func sensitivities(_ n: Int, _ d: Int) -> Work {
  Work("sensitivities \(n) \(d)", bound: 0.02) { inputs in
    let a: Tensor<Double> = try normal([n, d], inputs)
    return { keep(try LpSensitivities(p: 1, method: .exact).estimate(a)) }
  }
}

/// 2^exponent rows of a few columns, along the rows.
private func hadamard(_ exponent: Int, _ columns: Int) -> Work {
  let count = Double((1 << exponent) * columns)
  return Work("walsh-hadamard \(exponent) \(columns)", bound: 0.1, floor: .bytes(16 * count * Double(exponent) / 3)) {
    inputs in
    let x: Tensor<Double> = try normal([1 << exponent, columns], inputs)
    return { keep(x.walshHadamard(axis: 0)) }
  }
}

private func stream(_ n: Int, _ d: Int) -> Work {
  Work("stream-eigenvector \(n) \(d)", bound: 0.33, floor: .bytes(8 * Double(n * d))) { inputs in
    let a: Tensor<Double> = try normal([n, d], inputs)
    return {
      var stream = try TopEigenvectorStream<Double>(dimension: d, expectedRows: n)
      try stream.observe(a)
      keep(try stream.finish())
    }
  }
}
