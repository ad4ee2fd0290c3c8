import FileFormats
import Foundation
import Networks
import Optimizers
import Synchronization
import Tensors
import TestSupport
import Testing
import Training

@Suite struct ResumeTests {
  private let temporary = TemporaryFolder()

  /// Cancels at the report of these steps.
  private func cancelling(at step: Int) -> WorkProgress {
    let task = Mutex(false)
    return WorkProgress { completed, _, _ in
      guard completed >= step, !task.withLock({ $0 }) else { return }
      task.withLock { $0 = true }
      withUnsafeCurrentTask { $0?.cancel() }
    }
  }

  private func settings(_ variant: Int, _ problem: inout MoonProblem) {
    switch variant {
    case 1:
      problem.loop.accumulation = 3
      problem.loop.largestGradientNorm = 0.5
    case 2: problem.loop.averageDecay = 0.95
    case 3:
      problem.loop.patience = 3
      problem.loop.evaluationInterval = 4
    case 4: problem.loop.isTrainable = { $0.hasSuffix("weight") }
    default: break
    }
  }

  /// Interrupted after some steps, by a cancellation, and resumed in a new process' stead: the same bits, the same log.
  @Test(arguments: 0..<5) func aResumedRunEndsAsAnUninterruptedOne(variant: Int) async throws {
    var whole = try MoonProblem(steps: 60)
    settings(variant, &whole)
    let wholeFolder = try TrainingFolder(temporary.file("whole-\(variant)"))
    let record = try whole.run(in: wholeFolder)

    let path = temporary.file("parts-\(variant)")
    for stop in [1, 6, 23, 24, 41] where stop < record.steps {
      let ended = Task.detached { [self] () -> Bool in
        var part = try MoonProblem(steps: 60)
        settings(variant, &part)
        do {
          try part.run(in: TrainingFolder(path), progress: cancelling(at: stop))
          return false
        } catch is CancellationError { return true }
      }
      #expect(try await ended.value, "variant \(variant), step \(stop)")
    }
    var last = try MoonProblem(steps: 60)
    settings(variant, &last)
    let resumed = try last.run(in: TrainingFolder(path, mustResume: true))
    #expect(last.network.bits == whole.network.bits, "variant \(variant)")
    func withoutTime(_ log: [TrainingLogEntry]) -> [TrainingLogEntry] {
      log.map {
        var entry = $0
        entry.seconds = 0
        return entry
      }
    }
    #expect(withoutTime(resumed.log) == withoutTime(record.log), "variant \(variant)")
    #expect(try withoutTime(TrainingFolder(path).readLog()) == withoutTime(record.log), "variant \(variant)")
    #expect(resumed.best == record.best && resumed.stoppedEarly == record.stoppedEarly)

    // A run that has ended stays as it is.
    var again = try MoonProblem(steps: 60)
    settings(variant, &again)
    try again.run(in: TrainingFolder(path))
    #expect(again.network.bits == whole.network.bits)
  }

  /// Work that was lost with a process is done again in the same way: an older checkpoint with a longer log.
  @Test func anOlderCheckpointLeadsToTheSameEnd() throws {
    var whole = try MoonProblem(steps: 33)
    let record = try whole.run(in: TrainingFolder(temporary.file("a")))
    let path = temporary.file("b")
    var part = try MoonProblem(steps: 33)
    part.loop.steps = 20
    try part.run(in: TrainingFolder(path))
    let checkpoint = try Data(contentsOf: URL(fileURLWithPath: "\(path)/checkpoint.safetensors"))
    var longer = try MoonProblem(steps: 33)
    longer.loop.steps = 29
    try longer.run(in: TrainingFolder(path))
    try checkpoint.write(to: URL(fileURLWithPath: "\(path)/checkpoint.safetensors"))
    // And a line that was cut off.
    let log = "\(path)/log.jsonl"
    let text = try String(contentsOfFile: log, encoding: .utf8)
    try (text + "{\"step\":3").write(toFile: log, atomically: false, encoding: .utf8)
    var last = try MoonProblem(steps: 33)
    let resumed = try last.run(in: TrainingFolder(path))
    // The parts of 20 steps had an evaluation at their own end, so only the weights are compared.
    #expect(last.network.bits == whole.network.bits)
    #expect(resumed.steps == record.steps)
  }

  @Test func theLastGoodCheckpointStays() throws {
    let folder = try TrainingFolder(temporary.file("nan"))
    var problem = try MoonProblem(steps: 60)
    problem.badBatch = 37
    let error = #expect(throws: NonFiniteTraining.self) { try problem.run(in: folder) }
    #expect(error?.step == 38 && error?.place == .gradient(of: "first.weight") && error?.lastCheckpoint == 35)
    #expect(error?.description.contains("step 38") == true && error?.description.contains("first.weight") == true)
    let metadata = try SafetensorsFile(folder.checkpointPath).metadata
    #expect(metadata["apus.training"]?.contains("\"step\":35") == true)
    // Without the fault the same folder goes on to the end.
    var whole = try MoonProblem(steps: 60)
    try whole.run()
    problem = try MoonProblem(steps: 60)
    try problem.run(in: folder)
    #expect(problem.network.bits == whole.network.bits)
  }

  @Test func anUpdateThatBreaksAWeightIsNamed() throws {
    let folder = try TrainingFolder(temporary.file("overflow"))
    var problem = try MoonProblem(steps: 60)
    // The rate of one step is beyond every number.
    problem.loop.schedule = .exponential(factor: 1e6)
    problem.loop.checkpointInterval = 1
    let error = #expect(throws: NonFiniteTraining.self) { try problem.run(in: folder) }
    let step = try #require(error?.lastCheckpoint)
    let file = try SafetensorsFile(folder.checkpointPath)
    for entry in file.entries { #expect(try file.tensor(named: entry.name, as: Float.self).isFinite, "\(entry.name)") }
    #expect(error.map { $0.step > step } == true)
    switch error?.place {
    case .weight(let name), .gradient(of: let name): #expect(problem.network.parameters[name] != nil, "\(name)")
    case let place: Issue.record("\(String(describing: place))")
    }
  }

  @Test func unusableFoldersAreErrors() throws {
    #expect(throws: ResumeError.self) { try TrainingFolder(temporary.file("none"), mustResume: true) }
    let path = temporary.file("run")
    var problem = try MoonProblem(steps: 10)
    try problem.run(in: TrainingFolder(path))
    let checkpoint = "\(path)/checkpoint.safetensors"
    let good = try Data(contentsOf: URL(fileURLWithPath: checkpoint))

    func resume(_ change: (inout MoonProblem) -> Void = { _ in }) throws {
      var problem = try MoonProblem(steps: 12)
      change(&problem)
      let before = problem.network.bits
      do {
        try problem.run(in: TrainingFolder(path))
      } catch {
        #expect(problem.network.bits == before)
        throw error
      }
    }
    func expect(_ isRight: (ResumeError) -> Bool, _ change: (inout MoonProblem) -> Void = { _ in }) {
      let error = #expect(throws: ResumeError.self) { try resume(change) }
      #expect(error.map(isRight) == true, "\(String(describing: error))")
    }
    expect {
      if case .otherModel = $0 { true } else { false }
    } _: {
      $0.network = TestNetwork(2, 17, 2)
    }
    expect {
      if case .otherSetting(_, "seed", "3", "4") = $0 { true } else { false }
    } _: {
      $0.loop.seed = 4
    }
    expect {
      if case .otherSetting = $0 { true } else { false }
    } _: {
      $0.loop.averageDecay = 0.5
    }

    try good.prefix(good.count / 2).write(to: URL(fileURLWithPath: checkpoint))
    expect { if case .unreadable = $0 { true } else { false } }
    try Data("nothing of the kind".utf8).write(to: URL(fileURLWithPath: checkpoint))
    expect { if case .unreadable = $0 { true } else { false } }
    try problem.network.save(to: checkpoint)
    expect { if case .unreadable = $0 { true } else { false } }
    try problem.network.save(to: checkpoint, metadata: ["apus.training": "{}"])
    expect { if case .unreadable = $0 { true } else { false } }

    try good.write(to: URL(fileURLWithPath: checkpoint))
    try resume()
    try Data().write(to: URL(fileURLWithPath: temporary.file("file")))
    #expect(throws: FileError.self) { try TrainingFolder(temporary.file("file")) }
  }

  /// Random damage to a checkpoint, the header above all, and some that does not come by chance: typed errors only.
  @Test(arguments: 0..<4) func damagedCheckpointsAreRefused(seed: UInt64) throws {
    let path = temporary.file("damage-\(seed)")
    var problem = try MoonProblem(steps: 6)
    problem.loop.isTrainable = { $0.hasPrefix("first") }
    try problem.run(in: TrainingFolder(path))
    problem.loop.isTrainable = { _ in true }
    problem.loop.steps = 8
    problem.loop.averageDecay = nil
    let checkpoint = URL(fileURLWithPath: "\(path)/checkpoint.safetensors")
    let good = Array(try Data(contentsOf: checkpoint))
    let headerEnd = 8 + good.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = String(decoding: good[8..<headerEnd], as: UTF8.self)

    func resume(_ bytes: [UInt8]) throws -> Bool {
      try Data(bytes).write(to: checkpoint)
      var copy = problem
      do {
        try copy.run(in: TrainingFolder(path))
        return true
      } catch is ResumeError {
        return false
      } catch is NonFiniteTraining {
        return false
      }
    }
    func withHeader(_ text: String) -> [UInt8] {
      let bytes = Array(text.utf8)
      return (0..<8).map { UInt8(bytes.count >> (8 * $0) & 255) } + bytes + good[headerEnd...]
    }
    let changes = [
      ("\\\"step\\\":6", "\\\"step\\\":-6"), ("\\\"step\\\":6", "\\\"step\\\":9223372036854775807"),
      ("\\\"optimizerSteps\\\":6", "\\\"optimizerSteps\\\":-1"), ("\\\"lossCount\\\":0", "\\\"lossCount\\\":-5"),
      ("optimizer/firstMoment/first.weight", "optimizer/"), ("optimizer/firstMoment/first.weight", "optimizer//"),
      ("optimizer/firstMoment/first.weight", "optimizer/firstMoment"),
    ]
    for (old, new) in changes {
      #expect(header.contains(old), "\(old)")
      #expect(try !resume(withHeader(header.replacingOccurrences(of: old, with: new))), "\(new)")
    }
    var generator = TestGenerator(seed: seed)
    var refused = 0
    for _ in 0..<40 {
      let text = damaged(Array(header.utf8), using: &generator)
      let length = (0..<8).map { UInt8(text.count >> (8 * $0) & 255) }
      if try !resume(length + text + good[headerEnd...]) { refused += 1 }
      if try !resume(damaged(good, using: &generator)) { refused += 1 }
    }
    #expect(refused > 20)
    #expect(try resume(good))
  }

  /// A parameter that was not part of every step has its own count, which may be anything in a damaged file.
  @Test(arguments: [Float.nan, .infinity, -1, 1.5, 1e30]) func countsThatAreNoneAreRefused(count: Float) throws {
    var optimizer = AdamW<Float>()
    let slots =
      ["firstMoment/a", "secondMoment/a"].map { ($0, Tensor<Float>.zeros([2])) } + [("updates/a", Tensor(count))]
    let state = OptimizerState(
      step: 3, tensors: NamedTensors(names: slots.map(\.0), tensors: slots.map(\.1)))
    #expect(throws: InvalidArgument.self) { try optimizer.restore(state) }
    for name in ["", "/", "firstMoment", "firstMoment/", "other/a"] {
      let wrong = OptimizerState(step: 3, tensors: NamedTensors(names: [name], tensors: [Tensor<Float>.zeros([2])]))
      #expect(throws: InvalidArgument.self, "\(name)") { try optimizer.restore(wrong) }
    }
  }

  /// A checkpoint of another optimizer has other slots.
  @Test func anotherOptimizerIsRefused() throws {
    let path = temporary.file("optimizers")
    var problem = try MoonProblem(steps: 5)
    try problem.run(in: TrainingFolder(path))
    var network = problem.network
    var optimizer = SGD<Float>(learningRate: 0.1, momentum: 0.9)
    var loop = TrainingLoop(steps: 8)
    loop.seed = 3
    #expect(throws: ResumeError.self) {
      try loop.run(&network, optimizer: &optimizer, folder: TrainingFolder(path)) { model, _ in model.first.weight.sum()
      }
    }
  }
}
