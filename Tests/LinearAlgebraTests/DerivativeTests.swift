import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Positive definite, and not nearly singular.
private func definite(_ x: Tensor<Double>) -> Tensor<Double> {
  x.matmul(x, transposingB: true) + Tensor.identity(x.rows) * 0.7
}

/// With eigenvalues in the right half of the plane, for functions with a cut.
private func rightward(_ x: Tensor<Double>) -> Tensor<Double> { x * 0.5 + Tensor.identity(x.rows) * 2 }

/// A square matrix far from singular.
private func invertible(_ x: Tensor<Double>) -> Tensor<Double> { x + Tensor.identity(x.rows) * 2.5 }

@Suite struct DerivativeTests {
  static let solvers: [DerivativeCase] =
    [
      DerivativeCase("Cholesky", [4, 4]) { [try CholeskyDecomposition(of: definite($0[0])).upper] },
      DerivativeCase("Cholesky, lower and product", [4, 4]) {
        let cholesky = try CholeskyDecomposition(of: definite($0[0]))
        return [cholesky.lower, cholesky.reconstructed()]
      },
      DerivativeCase("Cholesky, solve vector", [4, 4], [4]) {
        [try CholeskyDecomposition(of: definite($0[0])).solve($0[1])]
      },
      DerivativeCase("Cholesky, solve matrix", [4, 4], [4, 3]) {
        [try CholeskyDecomposition(of: definite($0[0])).solve($0[1])]
      },
      DerivativeCase("Cholesky, logarithm and inverse", [4, 4]) {
        let cholesky = try CholeskyDecomposition(of: definite($0[0]))
        return [cholesky.logDeterminantTensor, cholesky.inverse()]
      },
      DerivativeCase("solve vector", [4, 4], [4]) { [try invertible($0[0]).solve($0[1])] },
      DerivativeCase("solve matrix", [4, 4], [4, 2]) { [try invertible($0[0]).solve($0[1])] },
      DerivativeCase("solve twice", [4, 4], [4]) {
        let lu = try LUDecomposition(of: invertible($0[0]))
        return [try lu.solve(lu.solve($0[1]) * $0[1])]
      },
      DerivativeCase("L and U", [4, 4]) {
        let lu = try LUDecomposition(of: $0[0] + Tensor<Double>.identity(4).reversed(axis: 0) * 2)
        return [lu.lower, lu.upper, lu.reconstructed()]
      },
      DerivativeCase("inverse", [4, 4]) { [try invertible($0[0]).inverse()] },
      DerivativeCase("determinant", [4, 4]) { [try $0[0].determinantTensor()] },
      DerivativeCase("log determinant", [4, 4]) { [try invertible($0[0]).logDeterminantTensor()] },
      DerivativeCase("least squares, tall", [6, 3], [6]) {
        let result = try $0[0].leastSquares($0[1])
        return [result.solution, result.residualNorms]
      },
      DerivativeCase("least squares, tall, matrix", [6, 3], [6, 2]) {
        [try $0[0].leastSquares($0[1], method: .qr).solution]
      },
      DerivativeCase("least squares, wide", [3, 5], [3]) {
        [try $0[0].leastSquares($0[1], method: .singularValues).solution]
      },
      DerivativeCase("least squares, wide, matrix", [3, 5], [3, 2]) { [try $0[0].leastSquares($0[1]).solution] },
      DerivativeCase("pseudo-inverse, tall", [5, 3]) { [try $0[0].pseudoInverse()] },
      DerivativeCase("pseudo-inverse, wide", [3, 5]) { [try $0[0].pseudoInverse()] },
      DerivativeCase("pseudo-inverse, square", [3, 3]) { [try invertible($0[0]).pseudoInverse()] },
    ]
    + [false, true].flatMap { transposing in
      [false, true].flatMap { unit in
        [Triangle.lower, .upper].map { triangle in
          DerivativeCase("triangular \(triangle) \(transposing) \(unit)", [4, 4], [4], [4, 3]) { x in
            try [x[1], x[2]].map {
              try invertible(x[0]).solveTriangular($0, triangle, transposing: transposing, unitDiagonal: unit)
            }
          }
        }
      }
    }

  static let decompositions: [DerivativeCase] = [
    DerivativeCase("QR, tall", [6, 3]) {
      let qr = try QRDecomposition(of: $0[0])
      return [qr.orthogonal, qr.upper]
    },
    DerivativeCase("QR, square", [4, 4]) { [try QRDecomposition(of: invertible($0[0])).orthogonal] },
    DerivativeCase("QR, wide", [3, 5]) {
      let qr = try QRDecomposition(of: $0[0])
      return [qr.orthogonal, qr.upper]
    },
    DerivativeCase("pivoted QR", [5, 4]) {
      let qr = try PivotedQRDecomposition(of: $0[0])
      return [qr.orthogonal, qr.upper, qr.reconstructed()]
    },
    DerivativeCase("SVD, tall", at: spread(6, 3)) {
      let svd = try SingularValueDecomposition(of: $0[0])
      return [svd.left, svd.values, svd.right]
    },
    DerivativeCase("SVD, wide", at: spread(3, 6)) {
      let svd = try SingularValueDecomposition(of: $0[0])
      return [svd.left, svd.values, svd.right]
    },
    DerivativeCase("SVD, square", at: spread(4, 4)) {
      let svd = try SingularValueDecomposition(of: $0[0], basis: .full)
      return [svd.left, svd.right]
    },
    DerivativeCase("SVD, truncated", at: spread(5, 4)) {
      [try SingularValueDecomposition(of: $0[0]).reconstructed(rank: 2)]
    },
    DerivativeCase("singular values", at: spread(5, 3)) { [try $0[0].singularValues()] },
    DerivativeCase("symmetric eigenvalues", at: spread(4, 4)) { [try $0[0].symmetrized.symmetricEigenvalues()] },
    DerivativeCase("symmetric eigenvectors", at: separated(4)) {
      let eigen = try SymmetricEigendecomposition(of: $0[0].symmetrized)
      return [eigen.values, eigen.vectors]
    },
    DerivativeCase("function of eigenvalues", at: separated(4)) {
      let eigen = try SymmetricEigendecomposition(of: $0[0].symmetrized)
      return [eigen.applying { $0.exp() }, eigen.reconstructed()]
    },
    DerivativeCase("function with a parameter", at: joined(separated(4), uniform([]))) { x in
      let eigen = try SymmetricEigendecomposition(of: x[0].symmetrized)
      return [eigen.applying { ($0 * x[1]).exp() }]
    },
    DerivativeCase("generalized eigenvalues", at: joined(separated(4), uniform([4, 4]))) {
      let eigen = try GeneralizedSymmetricEigendecomposition(of: $0[0].symmetrized, metric: definite($0[1]))
      return [eigen.values, eigen.vectors]
    },
    DerivativeCase("generalized eigenvalues, metric constant", at: separated(4)) {
      let metric = Tensor<Double>([[2, 0.3, 0, 0], [0.3, 1, 0, 0.1], [0, 0, 1.5, 0], [0, 0.1, 0, 1]])
      return [try GeneralizedSymmetricEigendecomposition(of: $0[0].symmetrized, metric: metric).values]
    },
    DerivativeCase("norms", at: spread(4, 5)) { x in
      try [.frobenius, .nuclear, .spectral, .schatten(3), .one, .infinity, .maximum].map { try x[0].norm($0) }
    },
    DerivativeCase("singular value thresholding", at: spread(4, 5)) { [try $0[0].singularValueThresholded(by: 0.7)] },
  ]

  static let functions: [DerivativeCase] =
    [
      DerivativeCase("symmetric roots", [4, 4]) {
        let roots = try SymmetricRoots(of: definite($0[0]))
        return [roots.root, roots.inverseRoot]
      },
      DerivativeCase("symmetric roots of the identity", at: zeros([3, 3])) {
        let roots = try SymmetricRoots(of: $0[0].symmetrized + Tensor.identity(3))
        return [roots.root, roots.inverseRoot]
      },
      DerivativeCase("whitening", [4, 4]) {
        let whitening = try Whitening(secondMoment: definite($0[0]))
        return [whitening.whitener, whitening.unwhitener]
      },
      DerivativeCase("principal square root", [4, 4]) {
        let roots = try rightward($0[0]).principalSquareRoot()
        return [roots.root, roots.inverseRoot]
      },
      DerivativeCase("Newton–Schulz roots", [4, 4]) {
        let roots = try definite($0[0]).newtonSchulzRoots()
        return [roots.root, roots.inverseRoot]
      },
      DerivativeCase("polar factors, tall", [5, 3]) {
        let polar = try PolarDecomposition(of: $0[0])
        return [polar.factor, polar.positive]
      },
      DerivativeCase("polar factors, wide", [3, 5]) {
        let polar = try PolarDecomposition(of: $0[0])
        return [polar.factor, polar.positive]
      },
      DerivativeCase("polar factors of the identity", at: zeros([3, 3])) {
        let polar = try PolarDecomposition(of: $0[0] + Tensor.identity(3))
        return [polar.factor, polar.positive]
      },
      DerivativeCase("polar factor by iteration", [5, 3]) { [try NewtonSchulz.polarFactor(of: $0[0]).factor] },
      DerivativeCase("Newton–Schulz, convergent", [5, 3]) {
        [NewtonSchulz.convergent(steps: 6).orthogonalize($0[0])]
      },
      DerivativeCase("Newton–Schulz, Muon", [3, 5]) { [NewtonSchulz.muon.orthogonalize($0[0])] },
      DerivativeCase("exponential", [4, 4]) { [try $0[0].matrixExponential()] },
      DerivativeCase("exponential of a large norm", [4, 4]) { [try ($0[0] * 4).matrixExponential()] },
      DerivativeCase("exponentials, stacked", [2, 3, 3]) { [try $0[0].matrixExponential()] },
      DerivativeCase("exponential, larger", [12, 12]) { [try $0[0].matrixExponential()] },
      DerivativeCase("derivative of the exponential", [3, 3], [3, 3]) {
        [try MatrixFunction.exponential.derivative(at: $0[0], along: $0[1]).derivative]
      },
    ]
    + [MatrixFunction.logarithm, .squareRoot, .power(0.3), .power(3), .power(-2), .sign, .cosine, .sine].map {
      function in
      DerivativeCase("\(function)", [4, 4]) { [try function(rightward($0[0]))] }
    }

  static let equations: [DerivativeCase] = [
    DerivativeCase("Sylvester", [4, 4], [3, 3], [4, 3]) {
      [try SylvesterEquation(invertible($0[0]), invertible($0[1])).solve($0[2])]
    },
    DerivativeCase("Sylvester, right side alone", [4, 3]) { x in
      let a = Tensor<Double>([[2, 1, 0, 0], [-1, 2, 0, 1], [0, 0, 3, 1], [0, 0, 0, 1]])
      return [try SylvesterEquation(a, a[0..<3, 0..<3]).solve(x[0])]
    },
    DerivativeCase("Lyapunov", [4, 4], [4, 4]) {
      let equation = try LyapunovEquation(invertible($0[0]))
      return [try equation.solve($0[1]), try equation.solveTransposed($0[1])]
    },
    DerivativeCase("Lyapunov, symmetric", [4, 4], [4, 4]) {
      [try LyapunovEquation(invertible($0[0])).solve(definite($0[1]))]
    },
    DerivativeCase("discrete Lyapunov", [4, 4], [4, 4]) {
      [try DiscreteLyapunovEquation($0[0] * 0.3).solve($0[1])]
    },
    DerivativeCase("Kronecker product", [2, 2], [3, 3], [6], [6, 2]) {
      let product = try KroneckerProduct([invertible($0[0]), invertible($0[1])])
      return [
        product.multiply($0[2]), product.multiply($0[3], transposing: true), try product.solve($0[2]),
        try product.solve($0[3]), try product.logDeterminantTensor(), product.dense(),
      ]
    },
    DerivativeCase("Kronecker sum", [3, 3], [4, 4], [3, 4]) {
      [try SymmetricKroneckerSum(definite($0[0]), definite($0[1])).solve($0[2])]
    },
    DerivativeCase("Kronecker sum of identities", at: joined(zeros([3, 3]), uniform([3, 2]))) {
      [try SymmetricKroneckerSum($0[0].symmetrized + Tensor.identity(3), Tensor.identity(2)).solve($0[1])]
    },
    DerivativeCase("heat flow", at: joined(separated(3), separated(4), uniform([3, 4]))) {
      [try SymmetricKroneckerSum($0[0].symmetrized, $0[1].symmetrized).applying({ (-$0).exp() }, to: $0[2])]
    },
  ]

  /// A matrix whose singular values lie well apart.
  private static func spread(_ rows: Int, _ columns: Int) -> Point {
    { random in
      let count = min(rows, columns)
      return [random.matrix(rows, columns, singularValues: (0..<count).map { 2.2 - 0.45 * Double($0) })]
    }
  }

  /// A symmetric matrix whose eigenvalues lie well apart.
  private static func separated(_ size: Int) -> Point {
    { random in [random.symmetric(eigenvalues: (0..<size).map { 0.6 * Double($0) - 0.8 })] }
  }

  private typealias Point = @Sendable (inout TestGenerator) -> [Tensor<Double>]

  private static func uniform(_ shape: [Int]) -> Point { { [$0.tensor(shape)] } }

  private static func zeros(_ shape: [Int]) -> Point { { _ in [.zeros(shape)] } }

  private static func joined(_ points: Point...) -> Point { { random in points.flatMap { $0(&random) } } }

  static let all = solvers + decompositions + functions + equations

  @Test(arguments: 0..<all.count)
  func derivativesAgreeWithDifferences(index: Int) throws {
    let item = Self.all[index]
    for seed in 0..<3 as Range<UInt64> {
      let (first, second) = try item.errors(seed: seed)
      #expect(first < 2e-7, "\(item.name), seed \(seed): first derivative off by \(first)")
      #expect(second < 1e-6, "\(item.name), seed \(seed): second derivative off by \(second)")
    }
  }
}
