import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct LanczosTests {
  @Test(arguments: 0..<3 as Range<UInt64>) func eigenpairs(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var random = RandomStream(seed: seed)
    let size = 120
    let a: Tensor<Double> = (generator.tensor([size, size]) as Tensor<Double>).symmetrized
    let exact = try a.symmetricEigenvalues().scalars
    let byMagnitude = exact.sorted { $0.magnitude > $1.magnitude }
    for (wanted, expected) in [
      (Lanczos.Wanted.largest, Array(exact.reversed().prefix(6))), (.smallest, Array(exact.prefix(6))),
      (.largestMagnitude, Array(byMagnitude.prefix(6))),
    ] {
      let found = try Lanczos(count: 6, wanted: wanted).eigenpairs(size: size, random: &random) { a.matmul($0) }
      #expect(found.convergence.isConverged && found.convergence.iterations > 1)
      #expect(distance(found.values, Tensor(expected)) < 1e-11, "\(wanted)")
      let defect = a.matmul(found.vectors) - found.vectors * found.values
      let lengths = defect.sumOfSquares(axes: [0]).sqrt()
      #expect(lengths.largestMagnitude < 1e-8 && distance(lengths, found.residuals) < 1e-8, "\(wanted)")
      #expect(orthogonalityDefect(found.vectors) < 1e-12)
    }
    let convenient = try a.largestEigenpairs(4, random: &random)
    #expect(distance(convenient.values, Tensor(Array(exact.reversed().prefix(4)))) < 1e-11)
  }

  @Test(arguments: 0..<3 as Range<UInt64>) func singularTriplets(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var random = RandomStream(seed: seed)
    for shape in [[100, 60], [60, 100], [80, 80], [300, 25], [12, 9], [9, 12], [1, 5], [5, 1]] {
      let a: Tensor<Double> = generator.tensor(shape)
      let count = min(5, shape.min()!)
      let exact = try SingularValueDecomposition(of: a).truncated(rank: count)
      let found = try a.largestSingularTriplets(count, random: &random)
      #expect(found.convergence.isConverged, "\(shape)")
      #expect(distance(found.decomposition.values, exact.values) < 1e-11, "\(shape)")
      #expect(distance(found.decomposition.right, exact.right) < 1e-6, "\(shape), standard signs")
      #expect(distance(found.decomposition.left, exact.left) < 1e-6, "\(shape)")
      #expect(orthogonalityDefect(found.decomposition.left) < 1e-12, "\(shape)")
    }
  }

  @Test func smallAndRepeatedSpectra() throws {
    var random = RandomStream(seed: 5)
    var generator = TestGenerator(seed: 5)
    // An invariant subspace is found at once: directions outside it must still be searched.
    let identity = try Lanczos(count: 3).eigenpairs(size: 50, random: &random) { (x: Tensor<Double>) in x }
    #expect(distance(identity.values, .ones([3])) < 1e-14 && orthogonalityDefect(identity.vectors) < 1e-12)
    let zero = try Tensor<Double>.zeros([6, 4]).largestSingularTriplets(2, random: &random)
    #expect(zero.decomposition.values == .zeros([2]) && orthogonalityDefect(zero.decomposition.left) < 1e-12)
    let a: Tensor<Double> = generator.symmetric(eigenvalues: [5, 5, 5, 1, 1, 0, 0, 0, -2])
    let repeated = try a.largestEigenpairs(4, random: &random)
    #expect(distance(repeated.values, Tensor([5, 5, 5, 1])) < 1e-12)
    let low: Tensor<Double> = generator.matrix(50, 40, singularValues: [3, 2])
    let triplets = try low.largestSingularTriplets(3, random: &random)
    #expect(distance(triplets.decomposition.values, Tensor([3, 2, 0])) < 1e-12)
    let single = try Tensor<Double>([[7]]).largestEigenpairs(1, random: &random)
    #expect(single.values == Tensor([7]) && single.vectors == Tensor([[1]]))
  }

  @Test func singlePrecision() throws {
    var generator = TestGenerator(seed: 6)
    var random = RandomStream(seed: 6)
    let a = generator.matrix(90, 70, singularValues: geometric(70, to: 1e-3), of: Float.self)
    let found = try a.largestSingularTriplets(5, tolerance: 1e-5, random: &random)
    #expect(found.convergence.isConverged)
    #expect(
      distance(found.decomposition.values, Tensor<Float>(Tensor(Array(geometric(70, to: 1e-3).prefix(5))))) < 1e-5)
  }

  @Test func unfinishedWorkSaysSo() throws {
    var generator = TestGenerator(seed: 7)
    var random = RandomStream(seed: 7)
    let a: Tensor<Double> = (generator.tensor([200, 200]) as Tensor<Double>).symmetrized
    let solver = Lanczos(count: 5, basisSize: 7, restartLimit: 2)
    let found = try solver.eigenpairs(size: 200, random: &random) { a.matmul($0) }
    #expect(
      !found.convergence.isConverged && found.convergence.iterations == 2 && found.residuals.largestMagnitude > 1e-6)
  }

  @Test func sameSeedSameNumbers() throws {
    var generator = TestGenerator(seed: 7)
    let a: Tensor<Double> = generator.tensor([70, 90])
    var first = RandomStream(seed: 1)
    var second = RandomStream(seed: 1)
    let x = try a.largestSingularTriplets(3, random: &first)
    let y = try a.largestSingularTriplets(3, random: &second)
    #expect(x.decomposition.left == y.decomposition.left && x.decomposition.right == y.decomposition.right)
  }

  @Test func badInput() {
    var random = RandomStream(seed: 1)
    let a = Tensor<Double>.identity(4)
    for count in [0, 5] {
      #expect(throws: InvalidArgument.self) { try a.largestEigenpairs(count, random: &random) }
    }
    for solver in [
      Lanczos(count: 2, tolerance: -1), Lanczos(count: 2, basisSize: 2), Lanczos(count: 2, restartLimit: 0),
    ] {
      #expect(throws: InvalidArgument.self) { try solver.eigenpairs(size: 4, random: &random) { a.matmul($0) } }
    }
    #expect(throws: InvalidArgument.self) {
      try Lanczos(count: 1).eigenpairs(size: 4, random: &random) { (x: Tensor<Double>) in x[0..<2] }
    }
    #expect(throws: InvalidArgument.self) {
      try Lanczos(count: 1).eigenpairs(size: 4, random: &random) { (x: Tensor<Double>) in x / 0 }
    }
  }
}
