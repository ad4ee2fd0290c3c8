import Datasets
import FileFormats
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing
import Training

@Suite struct TrainingLoopTests {
  @Test func aNetworkLearnsTwoMoons() throws {
    var problem = try MoonProblem(steps: 400)
    let record = try problem.run()
    let test = problem.parts.test
    let evaluation = Evaluation.ofClassifier(on: test) { problem.network($0.features) }
    #expect(try #require(evaluation.accuracy) >= 0.95, "\(evaluation)")
    #expect(record.steps == 400 && !record.stoppedEarly)
    #expect(record.log.map(\.step) == (1...400).filter { $0 % 4 == 0 || $0 % 7 == 0 })
    #expect(record.log.filter { $0.validation != nil }.map(\.step) == (1...400).filter { $0 % 7 == 0 || $0 == 400 })
    #expect(try #require(record.log.last).loss < 0.5 * record.log[0].loss)
  }

  @Test func aRunIsAFunctionOfItsSeed() throws {
    var (first, second, other) = (try MoonProblem(steps: 30), try MoonProblem(steps: 30), try MoonProblem(steps: 30))
    other.loop.seed = 4
    try first.run()
    try second.run()
    try other.run()
    #expect(first.network.bits == second.network.bits)
    #expect(first.network.bits != other.network.bits)
  }

  /// Averaging the gradients of the two halves of a batch is the gradient of the batch.
  @Test func accumulationIsALargerBatch() throws {
    let data = Datasets.iris()
    var (whole, halves) = (TestNetwork(4, 8, 3), TestNetwork(4, 8, 3))
    whole.mean = .zeros([8])
    func positions(_ batch: Int, _ size: Int) -> Tensor<Int> {
      Tensor((0..<size).map { (batch * size + $0) * 7 % 150 })
    }
    func train(_ model: inout TestNetwork, accumulation: Int, size: Int) throws {
      var loop = TrainingLoop(steps: 6)
      loop.accumulation = accumulation
      var optimizer = SGD<Float>(learningRate: 0.1)
      try loop.run(&model, optimizer: &optimizer) { model, moment in
        let batch = data.taken(positions(moment.batch, size))
        // At inference, so that no statistic of a batch plays a part.
        return crossEntropy(model(batch.features, in: .inference), labels: batch.labels)
      }
    }
    try train(&whole, accumulation: 1, size: 20)
    try train(&halves, accumulation: 2, size: 10)
    #expect(distance(whole.first.weight, halves.first.weight) < 1e-6)
    #expect(distance(whole.first.weight, TestNetwork(4, 8, 3).first.weight) > 1e-2)
  }

  @Test func onlyTrainableParametersMove() throws {
    var problem = try MoonProblem(steps: 10)
    problem.loop.isTrainable = { $0.hasPrefix("second") }
    let before = problem.network
    try problem.run()
    #expect(problem.network.first.weight == before.first.weight)
    #expect(problem.network.second.weight != before.second.weight)
  }

  @Test func clippingBoundsTheStep() throws {
    var problem = try MoonProblem(steps: 1)
    problem.loop.largestGradientNorm = 1e-3
    problem.loop.schedule = .constant
    let before = problem.network
    var optimizer = SGD<Float>(learningRate: 1)
    let parts = problem.parts
    try problem.loop.run(&problem.network, optimizer: &optimizer) { model, moment in
      crossEntropy(model(parts.train.features, in: moment.pass), labels: parts.train.labels)
    }
    let after = problem.network.parameters
    let moved = NamedTensors(
      names: after.names, tensors: zip(after.tensors, before.parameters.tensors).map { $0 - $1 })
    #expect(abs(moved.norm - 1e-3) < 2e-5)
  }

  @Test func patienceStopsAndGivesTheBest() throws {
    var problem = try MoonProblem(steps: 2_000)
    problem.loop.evaluationInterval = 10
    problem.loop.patience = 4
    let record = try problem.run()
    let best = try #require(record.best)
    #expect(record.stoppedEarly && record.steps < 2_000 && record.steps == best.step + 40)
    let again = Evaluation.ofClassifier(on: problem.parts.validation) { problem.network($0.features) }
    #expect(again == best.evaluation)
  }

  @Test func averagedWeightsAreBetweenTheOthers() throws {
    var (plain, averaged) = (try MoonProblem(steps: 60), try MoonProblem(steps: 60))
    averaged.loop.averageDecay = 0.9
    plain.loop.schedule = .constant
    averaged.loop.schedule = .constant
    try plain.run()
    try averaged.run()
    #expect(plain.network.bits != averaged.network.bits)
    let evaluation = Evaluation.ofClassifier(on: averaged.parts.test) { averaged.network($0.features) }
    #expect(try #require(evaluation.accuracy) > 0.8)
  }

  /// What is returned is the average of what the same steps without averaging pass through.
  @Test func averagedWeightsAreTheMovingAverage() throws {
    let data = Datasets.iris()
    func train(_ decay: Double?, _ observe: (Tensor<Float>) -> Void) throws -> Tensor<Float> {
      var (model, optimizer) = (TestNetwork(4, 8, 3), SGD<Float>(learningRate: 0.1))
      var loop = TrainingLoop(steps: 20)
      loop.averageDecay = decay
      try loop.run(&model, optimizer: &optimizer) { model, _ in
        observe(model.first.weight.withoutDerivative)
        return crossEntropy(model(data.features, in: .inference), labels: data.labels)
      }
      return model.first.weight
    }
    var path: [Tensor<Float>] = []
    let last = try train(nil) { path.append($0) }
    path.append(last)
    #expect(path.count == 21)
    let averaged = try train(0.9) { _ in }
    var wanted = path[0]
    for (update, weight) in path.dropFirst().enumerated() {
      let kept = Float(min(0.9, Double(1 + update) / Double(10 + update)))
      wanted = wanted * kept + weight * (1 - kept)
    }
    #expect(distance(averaged, wanted) < 1e-5 && distance(averaged, path[20]) > 1e-3)
  }

  /// An evaluation that is no number ends the run, and names itself; the checkpoint before it stays.
  @Test func anEvaluationThatIsNoNumberStopsTheRun() throws {
    let temporary = TemporaryFolder()
    let folder = try TrainingFolder(temporary.file("run"))
    let data = Datasets.iris()
    var (model, optimizer) = (TestNetwork(4, 8, 3), SGD<Float>(learningRate: 0.1))
    let before = model.bits
    var loop = TrainingLoop(steps: 20)
    (loop.evaluationInterval, loop.checkpointInterval) = (8, 5)
    var evaluations = 0
    let error = #expect(throws: NonFiniteTraining.self) {
      try loop.run(
        &model, optimizer: &optimizer, folder: folder,
        evaluate: { _ in
          evaluations += 1
          return Evaluation(loss: evaluations == 2 ? .infinity : 1)
        },
        loss: { model, _ in crossEntropy(model(data.features, in: .inference), labels: data.labels) })
    }
    #expect(error?.place == .evaluation && error?.step == 16 && error?.loss == .infinity && error?.lastCheckpoint == 15)
    #expect(model.bits == before && folder.readLog().last?.step == 10)
  }

  @Test func evaluationsAreMeans() throws {
    var random = RandomStream(seed: 1)
    let data = Datasets.iris()
    let scores: Tensor<Float> = random.normal([150, 3])
    for size in [1, 7, 150, 400] {
      var start = 0
      let evaluation = Evaluation.ofClassifier(on: data, batchSize: size) { batch in
        defer { start += batch.count }
        return scores.slice(axis: 0, start..<start + batch.count)
      }
      let loss = Double(crossEntropy(scores, labels: data.labels).scalar)
      #expect(abs(evaluation.loss - loss) < 1e-6, "size \(size)")
      let right = (scores.argmax(axis: 1) .== data.labels).scalars.count { $0 }
      #expect(evaluation.accuracy == Double(right) / 150)
    }
    let sine = Datasets.sine(count: 20, random: &random)
    let error = Evaluation.ofRegression(on: sine, batchSize: 6) { $0.targets + 0.5 }
    #expect(abs(error.loss - 0.25) < 1e-6 && error.accuracy == nil)
    let windows = try TokenWindows((0..<101).map { $0 % 5 }, length: 10)
    let language = Evaluation.ofLanguageModel(on: windows, count: 99, batchSize: 3) { tokens in
      Tensor<Float>.zeros(tokens.shape + [5])
    }
    #expect(abs(language.loss - Double.log(5)) < 1e-6)
  }

  @Test func settingsAreChecked() throws {
    func expectRefusal(_ change: (inout TrainingLoop) -> Void) throws {
      var problem = try MoonProblem(steps: 3)
      change(&problem.loop)
      #expect(throws: InvalidArgument.self) { try problem.run() }
    }
    try expectRefusal { $0.steps = -1 }
    try expectRefusal { $0.accumulation = 0 }
    try expectRefusal { $0.evaluationInterval = 0 }
    try expectRefusal { $0.checkpointInterval = 0 }
    try expectRefusal { $0.patience = 0 }
    try expectRefusal { $0.averageDecay = 1 }
    try expectRefusal { $0.largestGradientNorm = .nan }
  }
}
