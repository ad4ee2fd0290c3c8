import Datasets
import Tensors
import TestSupport
import Testing

@Suite struct ArtificialDataTests {
  @Test func mixturesHaveTheirMoments() {
    var random = RandomStream(seed: 1)
    let centers = Tensor<Double>([[0, 0], [10, -5]])
    let data = Datasets.gaussianMixture(count: 20_000, centers: centers, deviation: 2, random: &random)
    for k in 0..<2 {
      let points = data.taken(Tensor((0..<10_000).map { 2 * $0 + k })).features
      #expect(distance(points.mean(axis: 0), centers[k].dense) < 0.1)
      #expect(distance(points.standardDeviation(axis: 0), Tensor([2, 2])) < 0.06)
    }
    #expect(Datasets.gaussianMixture(count: 9, classes: 3, dimension: 5, random: &random).features.shape == [9, 5])
  }

  @Test func pointsLieOnTheirCurves() {
    var random = RandomStream(seed: 2)
    let moons = Datasets.twoMoons(count: 500, noise: 0, random: &random, as: Double.self)
    for i in 0..<500 {
      let (x, y) = (moons.features[at: i, 0], moons.features[at: i, 1])
      let isUpper = moons.labels[at: i] == 0
      let radius = isUpper ? x * x + y * y : (x - 1) * (x - 1) + (y - 0.5) * (y - 0.5)
      #expect(abs(radius - 1) < 1e-12 && (isUpper ? y >= 0 : y <= 0.5))
    }
    let circles = Datasets.circles(count: 100, ratio: 0.3, noise: 0, random: &random, as: Double.self)
    let radii = circles.features.sumOfSquares(axes: [1]).sqrt()
    #expect(distance(radii, (circles.labels .== 0).select(Tensor(1), Tensor(0.3))) < 1e-12)

    let eight = Datasets.eightGaussians(count: 800, deviation: 0.01, random: &random, as: Double.self)
    #expect(distance(eight.features.sumOfSquares(axes: [1]).sqrt(), Tensor(repeating: 2, shape: [800])) < 0.06)

    let roll = Datasets.swissRoll(count: 300, random: &random, as: Double.self)
    let angle = roll.targets.slice(axis: 1, at: 0)
    let flat = roll.features.slice(axis: 1, at: 0).squared() + roll.features.slice(axis: 1, at: 2).squared()
    #expect(distance(flat.sqrt(), angle.dense) < 1e-12)
    #expect(angle.minimum().scalar >= 1.5 * .pi && angle.maximum().scalar <= 4.5 * .pi)
  }

  @Test func checkerboardFillsHalfOfTheFields() {
    var random = RandomStream(seed: 3)
    let board = Datasets.checkerboard(count: 4_000, random: &random, as: Double.self)
    var fields: Set<[Int]> = []
    for i in 0..<board.count {
      let (x, y) = (board.features[at: i, 0], board.features[at: i, 1])
      #expect(abs(x) <= 2 && abs(y) <= 2)
      fields.insert([Int(x.rounded(.down)), Int(y.rounded(.down))])
    }
    #expect(fields.count == 8 && fields.allSatisfy { ($0[0] + $0[1]) % 2 == 0 })
  }

  @Test func answersAreRight() {
    let table = Datasets.modularAddition(modulus: 7)
    #expect(table.inputs.shape == [49, 2])
    #expect((0..<49).allSatisfy { (table.inputs[at: $0, 0] + table.inputs[at: $0, 1]) % 7 == table.results[at: $0] })

    var random = RandomStream(seed: 4)
    let parity = Datasets.parity(count: 200, bits: 10, relevant: 3, random: &random)
    for i in 0..<200 {
      let product = (0..<3).reduce(Float(1)) { $0 * parity.features[at: i, $1] }
      #expect(product == (parity.labels[at: i] == 0 ? 1 : -1))
    }

    let sparse = Datasets.sparseRegression(
      count: 40, features: 100, nonzeros: 5, noise: 0, random: &random, as: Double.self)
    #expect(sparse.coefficients.scalars.count { $0 != 0 } == 5)
    let predicted = sparse.data.features.matmul(sparse.coefficients.expanded(axis: 1))
    #expect(distance(predicted, sparse.data.targets) < 1e-12)

    let sine = Datasets.sine(count: 50, frequency: 2, random: &random, as: Double.self)
    #expect(distance((sine.features * (4 * Double.pi)).sin(), sine.targets) < 1e-12)

    // The same seed, the same teacher; its outputs are of order one.
    var (first, second) = (RandomStream(seed: 5), RandomStream(seed: 5))
    let teacher = Datasets.teacherNetwork(count: 2_000, features: 8, hidden: 64, random: &first, as: Double.self)
    let again = Datasets.teacherNetwork(count: 2_000, features: 8, hidden: 64, random: &second, as: Double.self)
    #expect(teacher.targets == again.targets)
    #expect((0.3...1.2).contains(teacher.targets.standardDeviation().scalar))
  }

  @Test func windowsAreTheStream() throws {
    let windows = try TokenWindows(Array(0..<1_000), length: 16)
    let random = RandomStream(seed: 6)
    let batch = windows.batch(at: 11, size: 32, random: random)
    #expect(batch.inputs.shape == [32, 16] && batch.targets == batch.inputs + 1)
    #expect(batch.inputs.slice(axis: 1, 1..<16).dense == (batch.inputs.slice(axis: 1, 0..<15) + 1).dense)
    #expect(windows.batch(at: 11, size: 32, random: random).inputs == batch.inputs)
    #expect(windows.batch(at: 12, size: 32, random: random).inputs != batch.inputs)
    // All places are reached, the last one too.
    let starts = Set(
      (0..<400).flatMap { windows.batch(at: $0, size: 64, random: random).inputs.slice(axis: 1, at: 0).scalars })
    #expect(starts == Set(0..<984))
    #expect(windows.consecutiveCount == 62)
    #expect(windows.consecutive(0..<62).inputs.scalars == Array(0..<992))
    #expect(throws: InvalidArgument.self) { try TokenWindows(Array(0..<16), length: 16) }
    #expect(try TokenWindows(Array(0..<17), length: 16).consecutiveCount == 1)
  }
}
