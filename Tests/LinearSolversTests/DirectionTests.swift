import LinearAlgebra
import LinearSolvers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct DirectionTests {
  private let grid: GridPoisson<Double>
  private let matrix: SparseMatrix<Double>

  init() throws {
    grid = try GridPoisson([12, 12])
    matrix = try grid.matrix()
  }

  @Test(arguments: [[9], [6, 7], [4, 3, 5]])
  func stencilsAreTheirMatrices(extents: [Int]) throws {
    var generator = TestGenerator(seed: 1)
    for masked in [false, true] {
      let count = extents.reduce(1, *)
      let mask = masked ? Tensor(shape: extents, scalars: (0..<count).map { $0 % 5 != 2 }) : nil
      let grid = try GridPoisson<Double>(extents, mask: mask)
      let matrix = try grid.matrix()
      let x: Tensor<Double> = generator.tensor([count, 3])
      #expect(distance(try grid.apply(x), matrix.matmul(x)) < 1e-13)
      #expect(matrix.isSymmetric())
      _ = try CholeskyDecomposition(of: matrix.dense)
      // Differentiation of differentiation takes the stencil apart: the same numbers.
      let rows = x.transposed.dense
      let twice = valueAndGradients(at: [rows]) { x in
        valueAndGradients(at: [x[0]]) { (grid.applied(toRows: $0[0]) * $0[0]).sum() }.gradients[0].sum()
      }.gradients[0]
      let wanted = grid.applied(toRows: .ones([3, count])) * 2
      #expect(distance(twice, wanted) < 1e-12)
    }
    let single = try GridPoisson<Float>(extents)
    let y = try single.apply(.ones([single.count]))
    #expect(distance(y, try single.matrix().matmul(.ones([single.count]))) < 1e-5)
  }

  @Test func anExactModelNeedsOneIteration() throws {
    let factor = try CholeskyDecomposition(of: matrix.dense)
    let b = RandomStream(seed: 1).normalVector(144)
    let found = try DeepConjugateDirections().solve(grid, b, model: FunctionDirection { try factor.solve($0) * -7 })
    #expect(found.solution.isConverged && found.solution.iterations == 1 && found.fallbacks == 0)
  }

  @Test(arguments: [1, 2, Int.max])
  func theResidualItselfGivesConjugateGradients(memory: Int) throws {
    let b = RandomStream(seed: 2).normalVector(144)
    var iterates: [Tensor<Double>] = []
    _ = try ConjugateGradients(tolerance: 1e-14, iterationLimit: 20).solve(matrix, b) { iterates.append($0) }
    for count in 1...20 {
      let method = DeepConjugateDirections(memory: memory, tolerance: 1e-14, iterationLimit: count)
      let found = try method.solve(grid, b, model: FunctionDirection { $0 })
      #expect(relativeDistance(found.solution.solution, iterates[count - 1]) < 1e-8, "\(count)")
    }
  }

  @Test(arguments: 0..<3)
  func anyModelReducesTheError(seed: UInt64) throws {
    let exact = RandomStream(seed: 3 + seed).normalVector(144)
    let b = try grid.apply(exact)
    var random = RandomStream(seed: seed)
    let network = try NetworkDirection(DirectionNetwork<Float>(random: &random), on: grid)
    var method = DeepConjugateDirections(memory: .max, tolerance: 1e-8, iterationLimit: 144)
    let found = try method.solve(grid, b, model: network)
    #expect(found.solution.isConverged && found.solution.residual <= 1.1e-8, "seed \(seed)")
    #expect(found.energyDecreases.allSatisfy { $0 >= 0 } && found.conjugacyDefect < 1e-10)
    // What the steps took off is what the error had.
    let total = energy(matrix, exact, exact)
    let taken = found.energyDecreases.reduce(0, +)
    #expect(abs(taken - total) < 1e-8 * total)
    method.memory = 2
    method.iterationLimit = 30
    let short = try method.solve(grid, b, model: network)
    #expect(short.conjugacyDefect < 1e-10)
    var left: [Double] = []
    for count in [1, 5, 10, 30] {
      method.iterationLimit = count
      let x = try method.solve(grid, b, model: network).solution.solution
      left.append(energy(matrix, x - exact, x - exact))
    }
    for (before, after) in zip(left, left.dropFirst()) { #expect(after <= before) }
    // Scaling b scales x.
    let scaled = try method.solve(grid, b * 64, model: network).solution.solution
    #expect(relativeDistance(scaled, short.solution.solution * 64) < 1e-6)
  }

  @Test func uselessModelsFallBack() throws {
    let b = RandomStream(seed: 5).normalVector(144)
    let models: [FunctionDirection] = [
      FunctionDirection { $0 * .nan }, FunctionDirection { _ in .zeros([3]) }, FunctionDirection { $0 * 0 },
    ]
    let gradient = try ConjugateGradients(tolerance: 1e-6).solve(matrix, b).convergence.iterations
    for model in models {
      let found = try DeepConjugateDirections().solve(grid, b, model: model)
      #expect(found.solution.isConverged && found.fallbacks == found.solution.iterations)
      #expect(abs(found.solution.iterations - gradient) <= 2)
    }
    // Always the same direction: new ones come from the residual.
    let constant = try DeepConjugateDirections().solve(grid, b, model: FunctionDirection { _ in .ones([144]) })
    #expect(constant.solution.isConverged)
  }

  @Test func theLossIgnoresScale() throws {
    var generator = TestGenerator(seed: 6)
    let f: Tensor<Double> = generator.tensor([3, 144])
    let b: Tensor<Double> = generator.tensor([3, 144])
    let loss = directionLoss(grid, directions: f, rightSides: b).scalar
    let scaled = directionLoss(grid, directions: f * -3.7, rightSides: b).scalar
    #expect(abs(scaled - loss) < 1e-10 * loss)
    #expect(loss >= 0)
    let exact = try CholeskyDecomposition(of: matrix.dense).solve(b.transposed.dense).transposed.dense
    #expect(directionLoss(grid, directions: exact * 5, rightSides: b).scalar < 1e-20)
    let gradient = valueAndGradients(at: [f]) { directionLoss(grid, directions: $0[0], rightSides: b) }.gradients[0]
    for place in stride(from: 0, to: 432, by: 29) {
      func value(_ change: Double) -> Double {
        var moved = f.copied()
        moved.withUnsafeMutableBuffer { $0[place] += change }
        return directionLoss(grid, directions: moved, rightSides: b).scalar
      }
      let difference = (value(1e-5) - value(-1e-5)) / 2e-5
      #expect(abs(difference - gradient.flattened[at: place]) < 1e-5 * max(1, abs(difference)))
    }
  }

  @Test func gradientsReachTheNetwork() throws {
    var random = RandomStream(seed: 7)
    let small = try GridPoisson<Double>([6, 5])
    let network = DirectionNetwork<Double>(filters: 3, trunkBlocks: 1, random: &random)
    let b: Tensor<Double> = random.normal([2, 30])
    func loss(_ network: DirectionNetwork<Double>) -> Tensor<Double> {
      directionLoss(small, directions: network(b.reshaped([2, 1, 6, 5])).reshaped([2, 30]), rightSides: b)
    }
    let (_, gradient) = network.valueAndGradient { loss($0) }
    var places = 0
    for (name, tensor) in zip(gradient.names, gradient.tensors) {
      func value(_ change: Double) -> Double {
        var moved = network
        moved.forEachParameter { own, parameter in
          if own == name { parameter = parameter.copied() }
          if own == name { parameter.withUnsafeMutableBuffer { $0[0] += change } }
        }
        return loss(moved).scalar
      }
      let difference = (value(1e-6) - value(-1e-6)) / 2e-6
      #expect(abs(difference - tensor.flattened[at: 0]) < 1e-5 * max(1, abs(difference)), "\(name)")
      places += 1
    }
    #expect(places == 24)
  }

  // MARK: Sparse matrices

  @Test func gridsAreRecognized() throws {
    for extents in [[8, 12], [7, 5], [4, 5, 6]] {
      let layout = try #require(GridLayout(recognizing: SparseMatrix<Double>.gridLaplacian(extents)))
      #expect(layout.extents == extents && layout.mask == nil && layout.cells == nil)
    }
    // Nine points, and a hole of prescribed cells.
    let nine = (0..<42).map { i in
      (0..<42).map { j in
        let apart = max(abs(i / 7 - j / 7), abs(i % 7 - j % 7))
        return apart == 0 ? 8.0 : apart == 1 ? -1 : 0
      }
    }
    #expect(GridLayout(recognizing: try SparseMatrix(Tensor(nine)))?.extents == [6, 7])
    let inside = Tensor(shape: [5, 9], scalars: (0..<45).map { ![21, 22, 31].contains($0) })
    let holed = try #require(GridLayout(recognizing: try GridPoisson<Double>([5, 9], mask: inside).matrix()))
    #expect(holed.extents == [5, 9] && holed.mask == inside)
    // Bands, general graphs, wrapped lines and diagonals are no grids.
    var generator = TestGenerator(seed: 12)
    let band = SparseMatrix<Double>.gridLaplacian([40]) + SparseMatrix.identity(40)
    let wrapped = SparseMatrix<Double>.gridLaplacian([4, 5]).dense
    var torus = wrapped.copied()
    for (i, j) in [(4, 5), (9, 10)] { (torus[at: i, j], torus[at: j, i]) = (-1, -1) }
    for matrix in [
      band, try band.matmul(band), try randomDefinite(36, extraEdges: 50, &generator), try SparseMatrix(torus),
      SparseMatrix.identity(16),
    ] { #expect(GridLayout(recognizing: matrix) == nil) }
    // As many unknowns as the domain has cells.
    let cells = try GridLayout([5, 9], mask: inside, unknowns: 42)
    #expect(cells.unknownCount == 42 && cells.cells?.count == 42)
    #expect(throws: InvalidArgument.self) { try GridLayout([5, 9], mask: inside, unknowns: 44) }
    #expect(throws: InvalidArgument.self) { try GridLayout([5, 9], unknowns: 44) }
    #expect(throws: InvalidArgument.self) { try GridLayout([45]) }
    #expect(throws: InvalidArgument.self) { try GridLayout([9, 5], mask: inside) }
  }

  @Test func sparseMatricesOfGridsAreSolved() throws {
    var random = RandomStream(seed: 13)
    let network = DirectionNetwork<Float>(filters: 4, trunkBlocks: 1, random: &random)
    let method = DeepConjugateDirections(memory: .max, tolerance: 1e-9)
    let inside = Tensor(shape: [6, 9], scalars: (0..<54).map { ![21, 22, 31].contains($0) })
    let whole = try GridPoisson<Double>([6, 9], mask: inside).matrix()
    let exact: Tensor<Double> = random.normal([54])
    // Rows of their own may have any scale.
    let scaling = inside.flattened.select(Tensor<Double>.ones([54]), Tensor(repeating: 1e6, shape: [54]))
    let scaled = whole.scalingRows(by: scaling)
    let found = try method.solve(scaled, scaled.matmul(exact), network: network)
    #expect(found.solution.isConverged && relativeDistance(found.solution.solution, exact) < 1e-6)
    // The cells of the domain alone.
    let places = inside.flattened.trueIndices
    let reduced = try SparseMatrix(whole.dense.gathered(places).transposed.dense.gathered(places))
    let layout = try GridLayout([6, 9], mask: inside, unknowns: 51)
    let part = exact.gathered(places)
    let small = try method.solve(reduced, reduced.matmul(part), network: network, layout: layout)
    #expect(small.solution.isConverged && relativeDistance(small.solution.solution, part) < 1e-6)
    #expect(throws: InvalidArgument.self) { try method.solve(reduced, reduced.matmul(part), network: network) }
    // Singular: a flow without prescribed pressure.
    let laplacian = SparseMatrix<Double>.gridLaplacian([6, 9])
    let neumann = laplacian - SparseMatrix(diagonal: laplacian.matmul(.ones([54])))
    let centred = exact - exact.mean().scalar
    let flow = try method.solve(neumann, neumann.matmul(centred), network: network)
    #expect(flow.solution.isConverged)
    let pressure = flow.solution.solution - flow.solution.solution.mean().scalar
    #expect(relativeDistance(pressure, centred) < 1e-6)
    // Zero, indefinite and asymmetric.
    #expect(try method.solve(whole, .zeros([54]), network: network).solution.iterations == 0)
    #expect(try method.solve(-laplacian, .ones([54]), network: network).solution.stop == .notPositiveDefinite)
    #expect(throws: InvalidArgument.self) { try method.solve(whole.triangle(.lower), .ones([54]), network: network) }
    let solid = DirectionNetwork<Float>(dimensions: 3, filters: 4, trunkBlocks: 1, random: &random)
    #expect(throws: InvalidArgument.self) { try method.solve(whole, .ones([54]), network: solid) }
    let cube = SparseMatrix<Double>.gridLaplacian([4, 4, 4])
    #expect(try method.solve(cube, .ones([64]), network: solid).solution.isConverged)
  }

  @Test func weightsTellTheNetwork() throws {
    var random = RandomStream(seed: 14)
    let network = DirectionNetwork<Float>(dimensions: 3, filters: 5, trunkBlocks: 2, random: &random)
    let named = Dictionary(uniqueKeysWithValues: network.stateDictionary.map { ("weights." + $0, $1) })
    let again = try DirectionNetwork(weights: named)
    let x: Tensor<Float> = random.normal([1, 1, 4, 5, 6])
    #expect(again.dimensions == 3 && again.filters == 5 && again(x) == network(x))
    #expect(throws: InvalidArgument.self) { try DirectionNetwork<Float>(weights: ["weight": .ones([3])]) }
    #expect(throws: (any Error).self) {
      try DirectionNetwork<Float>(weights: named.filter { !$0.key.contains("before.2") })
    }
  }

  @Test func lowFrequenciesAreBoosted() throws {
    var random = RandomStream(seed: 15)
    let ritz = try ritzVectors(grid, count: 40, random: &random)
    let count = ritz.values.count
    func energies(_ training: DirectionTraining) -> (low: Double, high: Double) {
      var random = RandomStream(seed: 16)
      let parts = training.mixtures(of: ritz, random: &random).matmul(ritz.vectors).squared().mean(axis: 0)
      let edge = count / 2 + (training.boostedBeyondHalf ?? count / 20)
      return (parts[..<edge].mean().scalar, parts[edge...].mean().scalar)
    }
    var training = DirectionTraining()
    training.batchSize = 400
    // Coefficients nine times as large: eighty-one times the energy, of vectors of length one.
    let boosted = energies(training)
    #expect((60..<110).contains(boosted.low / boosted.high))
    training.lowFrequencyBoost = 1
    let even = energies(training)
    #expect((0.8..<1.25).contains(even.low / even.high))
    training.lowFrequencyBoost = 3
    training.boostedBeyondHalf = 5
    let wider = energies(training)
    #expect((6..<13).contains(wider.low / wider.high))
    let mixed = training.mixtures(of: ritz, random: &random)
    #expect(distance(mixed.squared().sum(axis: 1), .ones([400])) < 1e-12)
  }

  @Test(arguments: 0..<6)
  func errorBoundsHold(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let matrix = try randomDefinite(200, extraEdges: 300, &generator)
    let exact: Tensor<Double> = generator.tensor([200])
    let b = matrix.matmul(exact)
    for tolerance in [1e-2, 1e-6, 1e-12] {
      let found = try ConjugateGradients(tolerance: tolerance).solve(matrix, b)
      let bound = try #require(try largestErrorBound(matrix, solution: found.solution, rightSide: b))
      let error = distance(found.solution, exact)
      #expect(error <= bound && bound < 1e4 * error + 1e-9, "seed \(seed): \(error) \(bound)")
    }
    // No proof without the signs, without definiteness, or of what is not symmetric.
    #expect(try largestErrorBound(SparseMatrix(matrix.dense.absolute()), solution: exact, rightSide: b) == nil)
    let shifted = matrix - SparseMatrix.identity(200) * 0.8
    #expect(try largestErrorBound(shifted, solution: exact, rightSide: b) == nil)
    #expect(try largestErrorBound(matrix.triangle(.lower), solution: exact, rightSide: b) == nil)
    #expect(throws: InvalidArgument.self) { try largestErrorBound(matrix, solution: exact, rightSide: .ones([3])) }
  }

  @Test func ritzVectorsAreOrthonormal() throws {
    var random = RandomStream(seed: 8)
    let found = try ritzVectors(grid, count: 60, random: &random)
    let gram = found.vectors.multipliedByOwnTranspose(transposing: true)
    #expect(distance(gram, .identity(found.values.count)) < 1e-10)
    let projected = found.vectors.matmul(try grid.apply(found.vectors), transposingA: true)
    let diagonal = SparseMatrix(diagonal: found.values).dense
    #expect(distance(projected, diagonal) < 1e-8)
    // Eigenvalues of a square grid coincide in pairs, so that the space ends before its dimension.
    let whole = try ritzVectors(grid, count: 144, random: &random)
    #expect(whole.values.count < 144 && whole.values[at: 0] > 0)
  }

  @Test func aFewStepsLearn() throws {
    var random = RandomStream(seed: 9)
    var training = DirectionTraining(steps: 150, ritzCount: 60)
    training.batchSize = 4
    let single = try GridPoisson<Float>([12, 12])
    let network = DirectionNetwork<Float>(filters: 8, trunkBlocks: 1, random: &random)
    let found = try training.train(network, on: single)
    #expect(found.losses.count == 150)
    let first = found.losses.prefix(5).reduce(0, +)
    let last = found.losses.suffix(5).reduce(0, +)
    #expect(last < 0.7 * first)
    let folder = TemporaryFolder()
    try found.network.save(to: folder.file("weights.safetensors"))
    #expect(throws: InvalidArgument.self) {
      try training.train(DirectionNetwork<Float>(dimensions: 3, random: &random), on: single)
    }
  }

  @Test func singularOperatorsAndBadInput() throws {
    let b = RandomStream(seed: 10).normalVector(144)
    let identity = FunctionDirection { $0 }
    #expect(try DeepConjugateDirections().solve(grid, .zeros([144]), model: identity).solution.iterations == 0)
    // Differences without edges: singular, with the constants as null space.
    let ring = FunctionOperator<Double>(symmetric: 20) { x in
      x * 2 - Tensor.concatenated([x[1...], x[..<1]]) - Tensor.concatenated([x[19...], x[..<19]])
    }
    var singular = DeepConjugateDirections()
    singular.removesConstants = true
    let load = RandomStream(seed: 11).normalVector(20)
    let found = try singular.solve(ring, load, model: identity)
    #expect(found.solution.isConverged)
    // Not definite: said so, with the iteration.
    let indefinite = try DeepConjugateDirections().solve(-matrix.dense, b, model: identity)
    #expect(indefinite.solution.stop == .notPositiveDefinite && indefinite.solution.iterations == 0)
    #expect(throws: InvalidArgument.self) {
      try DeepConjugateDirections(tolerance: 0).solve(grid, b, model: identity)
    }
    #expect(throws: InvalidArgument.self) { try DeepConjugateDirections().solve(grid, b[..<5], model: identity) }
    #expect(throws: InvalidArgument.self) { try DeepConjugateDirections().solve(grid, b * .nan, model: identity) }
    #expect(throws: InvalidArgument.self) {
      try GridPoisson<Double>([3, 3], mask: Tensor(shape: [3, 3], scalars: [Bool](repeating: false, count: 9)))
    }
    #expect(throws: InvalidArgument.self) { try GridPoisson<Double>([0, 3]) }
    let capped = try DeepConjugateDirections(iterationLimit: 2).solve(grid, b, model: identity)
    #expect(!capped.solution.isConverged && capped.solution.iterations == 2)
  }
}
