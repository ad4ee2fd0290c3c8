// Where derivatives end: coinciding values, missing ranks, corners, other layouts and precisions.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct DerivativeLimitTests {
  private let twins = Tensor<Double>([[2, 0, 0], [0, 2, 0], [0, 0, 5]])

  private func slope(
    at x: Tensor<Double>, of function: (Tensor<Double>) throws -> Tensor<Double>
  ) rethrows -> Tensor<Double> {
    try gradient(at: x) { x in
      let y = try function(x)
      return (y * Tensor(shape: y.shape, scalars: (0..<y.count).map { 1 + Double($0 * $0 % 7) })).sum()
    }
  }

  // MARK: Coinciding eigenvalues and singular values

  @Test func vectorsOfCoincidingValuesHaveNoDerivative() throws {
    let byEigen = try slope(at: twins) { try SymmetricEigendecomposition(of: $0.symmetrized).vectors }
    let bySingular = try slope(at: twins) { try SingularValueDecomposition(of: $0).left }
    #expect(byEigen.scalars.contains { $0.isNaN } && bySingular.scalars.contains { $0.isNaN })
  }

  @Test func whatDoesNotUseThemHas() throws {
    // The vector of the lone value turns towards the twins at finite rates.
    let lone = try slope(at: twins) { try SymmetricEigendecomposition(of: $0.symmetrized).vectors[.all, 2] }
    #expect(lone.isFinite && lone.largestMagnitude > 0)
    let singular = try slope(at: twins) { try SingularValueDecomposition(of: $0).truncated(rank: 1).left }
    #expect(singular.isFinite && singular.largestMagnitude > 0)
  }

  @Test func valuesAloneAlwaysHave() throws {
    // Their sum is the trace.
    let trace = try gradient(at: twins) { try $0.symmetricEigenvalues().sum() }
    #expect(distance(trace, .identity(3)) < 1e-15)
    let nuclear = try gradient(at: Tensor<Double>.identity(3)) { try $0.norm(.nuclear) }
    #expect(distance(nuclear, .identity(3)) < 1e-15)
    let values = try gradient(at: Tensor<Double>.zeros([3, 2])) { try $0.singularValues().sum() }
    #expect(values.isFinite)
  }

  @Test(arguments: 0..<4 as Range<UInt64>)
  func functionsOfMatricesWithCoincidingEigenvalues(seed: UInt64) throws {
    var random = TestGenerator(seed: seed)
    let a: Tensor<Double> = random.symmetric(eigenvalues: [1, 1, 1, 2.5, 2.5])
    let weights: Tensor<Double> = random.tensor([5, 5])
    func value(_ x: Tensor<Double>) throws -> Tensor<Double> {
      (try SymmetricEigendecomposition(of: x.symmetrized).applying { $0.exp() } * weights).sum()
    }
    func reference(_ x: Tensor<Double>) throws -> Tensor<Double> {
      (try x.symmetrized.matrixExponential() * weights).sum()
    }
    let ours = try gradient(at: a) { try value($0) }
    let theirs = try gradient(at: a) { try reference($0) }
    #expect(distance(ours, theirs) < 1e-10, "seed \(seed)")
    // Nearly coinciding ones.
    let near: Tensor<Double> = random.symmetric(eigenvalues: [1, 1 + 1e-9, 1 + 1e-6, 2.5, 2.5 + 1e-4])
    let error = distance(try gradient(at: near) { try value($0) }, try gradient(at: near) { try reference($0) })
    #expect(error < 1e-8, "seed \(seed)")
  }

  // MARK: Singular and deficient matrices

  @Test func cofactorsOfASingularMatrix() throws {
    let a = Tensor<Double>([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    let cofactors = try gradient(at: a) { try $0.determinantTensor() }
    #expect(distance(cofactors, Tensor([[-3, 6, -3], [6, -12, 6], [-3, 6, -3]])) < 1e-12)
    let zero = try gradient(at: Tensor<Double>.zeros([2, 2])) { try $0.determinantTensor() }
    #expect(zero == .zeros([2, 2]))
    let empty = try gradient(at: Tensor<Double>.zeros([0, 0])) { try $0.determinantTensor() }
    #expect(empty.shape == [0, 0])
  }

  @Test func deficientRanksAreRefused() {
    let deficient = Tensor<Double>([[1, 2], [2, 4], [3, 6]])
    let refused = DecompositionError.rankDeficient(rank: 1, columns: 2)
    #expect(throws: refused) { try slope(at: deficient) { try QRDecomposition(of: $0).upper } }
    #expect(throws: refused) { try slope(at: deficient) { try $0.leastSquares(.ones([3])).solution } }
    #expect(throws: refused) { try slope(at: deficient) { try $0.pseudoInverse() } }
    #expect(throws: refused) { try slope(at: deficient) { try PolarDecomposition(of: $0).factor } }
    #expect(throws: DecompositionError.singular(pivot: 1)) {
      try slope(at: deficient[0..<2, .all]) { try $0.solve(.ones([2])) }
    }
    #expect(throws: DecompositionError.self) { try slope(at: -twins) { try CholeskyDecomposition(of: $0).upper } }
    #expect(throws: InvalidArgument.self) {
      try slope(at: deficient) { try SymmetricRoots(of: $0.matmul($0, transposingB: true)).root }
    }
  }

  @Test func fullBasesAreRefused() {
    let tall = Tensor<Double>([[1, 2], [0, 1], [3, 1]])
    #expect(throws: InvalidArgument.self) {
      try slope(at: tall) { try QRDecomposition(of: $0, basis: .full).orthogonal }
    }
    #expect(throws: InvalidArgument.self) {
      try slope(at: tall) { try SingularValueDecomposition(of: $0, basis: .full).left }
    }
  }

  @Test func badNumbersAreRefusedAsWithoutDerivatives() {
    let bad = Tensor<Double>([[1, .nan], [0, 1]])
    #expect(throws: InvalidArgument.self) { try slope(at: bad) { try $0.inverse() } }
    #expect(throws: InvalidArgument.self) { try slope(at: bad) { try $0.solve(.ones([2])) } }
    #expect(throws: InvalidArgument.self) { try slope(at: bad) { try $0.matrixExponential() } }
    #expect(throws: InvalidArgument.self) {
      try slope(at: Tensor([[1, 2], [0, 1]])) { try CholeskyDecomposition(of: $0).upper }
    }
    #expect(throws: InvalidArgument.self) { try slope(at: .ones([2, 3])) { try $0.inverse() } }
  }

  @Test func aZeroMatrixHasAFrobeniusSubgradient() throws {
    #expect(try gradient(at: Tensor<Double>.zeros([2, 3])) { try $0.norm(.frobenius) } == .zeros([2, 3]))
  }

  // MARK: The tests themselves

  @Test func differencesNoticeWrongRules() throws {
    let wrongSlope = DerivativeCase("wrong", [3]) { x in
      [customDerivative(at: x[0]) { x in (x.exp(), { g in g * x.exp() * 1.001 }) }]
    }
    #expect(try wrongSlope.errors(seed: 1).first > 1e-4)
    let wrongCurvature = DerivativeCase("wrong", [3]) { x in
      [customDerivative(at: x[0]) { x in (x.exp(), { g in g * x.withoutDerivative.exp() }) }]
    }
    let errors = try wrongCurvature.errors(seed: 1)
    #expect(errors.first < 1e-8 && errors.second > 1e-3)
  }

  // MARK: Sizes, layouts, precisions

  /// Large enough for blocked and threaded paths.
  @Test func largeMatrices() throws {
    var random = TestGenerator(seed: 5)
    let x: Tensor<Double> = random.tensor([300, 300])
    let a = x.matmul(x, transposingB: true) * 0.01 + Tensor.identity(300)
    let b: Tensor<Double> = random.tensor([300])
    let byCholesky = try gradient(at: a) { a in
      let cholesky = try CholeskyDecomposition(of: a)
      return cholesky.logDeterminantTensor + (try cholesky.solve(b) * b).sum()
    }
    let byLU = try gradient(at: a) { a in try a.logDeterminantTensor() + (try a.solve(b) * b).sum() }
    let solution = try a.solve(b)
    let exact = try a.inverse() - solution.outer(solution)
    #expect(distance(byCholesky, exact) < 1e-10 && distance(byLU, exact) < 1e-10)
    let byFactor = try gradient(at: a) { a in
      (try CholeskyDecomposition(of: a).upper).diagonal.log().sum() * 2 + (try a.solve(b) * b).sum()
    }
    #expect(distance(byFactor, exact) < 1e-10)
  }

  @Test func viewsAndSinglePrecision() throws {
    var random = TestGenerator(seed: 6)
    let a: Tensor<Double> = random.tensor([4, 4]) + Tensor.identity(4) * 3
    let slope = try gradient(at: a) { try $0.transposed[.all, 0..<4].inverse().sum() }
    let inverse = try a.inverse()
    let ones = Tensor<Double>.ones([4, 4])
    let exact = -inverse.matmul(ones, transposingA: true).matmul(inverse, transposingB: true)
    #expect(distance(slope, exact) < 1e-13)
    let single = try gradient(at: Tensor<Float>(a)) { try $0.inverse().sum() }
    #expect(distance(Tensor<Double>(single), exact) < 1e-6)
    let factor = try gradient(at: Tensor<Float>(a)) { try SingularValueDecomposition(of: $0).left.sum() }
    #expect(factor.isFinite)
  }

  @Test func derivativesBeyondTheSecond() throws {
    // log det (x A) for 3 × 3: 3 log x, whose third derivative is 6 / x³.
    let third = try gradient(at: Tensor(2.0)) { x in
      try gradient(at: x) { x in
        try gradient(at: x) { try (twins * $0).logDeterminantTensor() }
      }
    }
    #expect(abs(third.scalar - 0.75) < 1e-13)
    let fourth = try gradient(at: Tensor(2.0)) { x in
      try gradient(at: x) { x in
        try gradient(at: x) { x in
          try gradient(at: x) { x in (try CholeskyDecomposition(of: twins * x).upper)[0, 0] }
        }
      }
    }
    // sqrt(2 x): the fourth derivative is -15 / 16 sqrt(2) x^(-7/2).
    #expect(abs(fourth.scalar + 15.0 / 16 * 2.0.squareRoot() * 2.0.squareRoot() / 16) < 1e-12)
  }

  @Test func levelsAreNotConfused() throws {
    // The inner transform differentiates the right side, the outer one the matrix.
    let b = Tensor<Double>([1, 2, 3])
    let mixed = try gradient(at: twins) { a in
      let cholesky = try CholeskyDecomposition(of: a.symmetrized)
      return try gradient(at: b) { try cholesky.solve($0).sum() }.sum()
    }
    let exact = try gradient(at: twins) { try $0.symmetrized.inverse().sum() }
    #expect(distance(mixed, exact) < 1e-14)
    let swapped = try gradient(at: b) { b in
      try gradient(at: twins) { try LUDecomposition(of: $0).solve(b).sum() }.sum()
    }
    let inverse = try twins.inverse()
    #expect(distance(swapped, -(inverse.sum(axis: 0) * inverse.sum())) < 1e-14)
  }
}
