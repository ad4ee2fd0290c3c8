import Diagnostics
import Tensors
import TestSupport
import Testing

@Suite struct WeibullTrajectoryTests {
  private func trajectory(_ points: [(Int, Double, Double)]) throws -> WeibullTrajectory {
    try WeibullTrajectory(name: "w", points: points.map { .init(step: $0.0, shape: $0.1, scale: $0.2) })
  }

  @Test func readings() throws {
    let path = try trajectory([(0, 1.205, 0.02), (100, 1.19, 0.03), (300, 1.18, 0.05), (900, 1.10, 0.04)])
    #expect(path.firstDeparture() == 300)  // 2.1 % off; 1.19 is 1.3 % off
    #expect(path.firstDeparture(tolerance: 0.05) == 900)
    #expect(path.firstDeparture(tolerance: 0.5) == nil)
    #expect(path.peakScale.step == 300)
    #expect(path.scaleGrowth == 2)
    #expect(path.shapeMonotonicity == -1)
    // Ranks 1 2 4 3: one minus 6 * 2 / (4 * 15).
    #expect((try #require(path.scaleMonotonicity) - 0.8).magnitude < 1e-15)
  }

  @Test func tiesAndConstants() throws {
    let path = try trajectory([(0, 1, 0.5), (1, 1, 0.5), (2, 1, 0.7), (3, 1, 0.7)])
    #expect(path.shapeMonotonicity == nil)
    // Ranks 1.5 1.5 3.5 3.5 against 1 2 3 4: 4 / sqrt(5 * 4).
    let correlation = try #require(path.scaleMonotonicity)
    #expect((correlation - 4 / 20.0.squareRoot()).magnitude < 1e-15)
    #expect(path.peakScale.step == 2)
    #expect(try trajectory([(5, 1, 1)]).scaleMonotonicity == nil)
  }

  @Test func badSeries() {
    #expect(throws: InvalidArgument.self) { try trajectory([]) }
    #expect(throws: InvalidArgument.self) { try trajectory([(1, 1, 1), (1, 1, 1)]) }
    #expect(throws: InvalidArgument.self) { try trajectory([(1, 1, 1), (0, 1, 1)]) }
    #expect(throws: InvalidArgument.self) { try trajectory([(1, 0, 1)]) }
    #expect(throws: InvalidArgument.self) { try trajectory([(1, 1, .nan)]) }
  }

  @Test func trajectoriesOfCheckpoints() throws {
    let checkpoints = try (0..<5).map { i in
      let scale = 0.02 * Double(i + 1)
      let grown = gaussian([100, 100], standardDeviation: scale, seed: 1)
      let other = gaussian([50, 50], seed: 2)
      let tensors = [(name: "a", tensor: grown)] + (i > 0 ? [(name: "b", tensor: other)] : [])
      return (step: 10 * i, report: try WeightDiagnosis().diagnose(named: tensors))
    }
    let paths = try WeibullTrajectory.perMatrix(of: checkpoints)
    #expect(paths.map(\.name) == ["a", "b"])
    #expect(paths.map(\.points.count) == [5, 4])
    #expect((paths[0].scaleGrowth - 5).magnitude < 0.01)
    #expect(paths[0].scaleMonotonicity == 1)
    #expect(throws: InvalidArgument.self) { try WeibullTrajectory.perMatrix(of: checkpoints.reversed()) }
  }

  @Test func clock() throws {
    let clock = try TrainingClock(learningRate: 2e-3, weightDecay: 0.1)
    #expect((clock.period - 5_000).magnitude < 1e-9)
    #expect((clock.cycles(after: 10_000) - 2).magnitude < 1e-12)
    #expect(clock.state(after: 5_001) == .saturated)
    #expect(clock.state(after: 4_999) == .approaching)
    #expect(clock.state(after: 1_001) == .approaching)
    #expect(clock.state(after: 999) == .transition)
    #expect(throws: InvalidArgument.self) { try TrainingClock(learningRate: 0, weightDecay: 0.1) }
    #expect(throws: InvalidArgument.self) { try TrainingClock(learningRate: 1, weightDecay: .nan) }
  }

  @Test(arguments: 0..<4) func scaleLawOfSyntheticRuns(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var runs: [TrainingRun] = []
    for learningRate in [1e-3, 2e-3, 4e-3] {
      for weightDecay in [0.05, 0.1, 0.2] {
        let clock = try TrainingClock(learningRate: learningRate, weightDecay: weightDecay)
        let noise = 1 + Double.random(in: -0.02...0.02, using: &generator)
        let scale = 0.087 * (learningRate / weightDecay).squareRoot() * noise
        runs.append(TrainingRun(clock: clock, steps: Int(2 * clock.period), terminalScale: scale))
        // A run that was stopped early, and is off the law.
        runs.append(TrainingRun(clock: clock, steps: Int(0.1 * clock.period), terminalScale: 0.001))
      }
    }
    let fit = try ScaleLaw().fit(runs)
    #expect((fit.coefficient / 0.087 - 1).magnitude < 0.02, "seed \(seed)")
    #expect(fit.correlation > 0.99, "seed \(seed)")
    #expect(fit.runsUsed == 9 && fit.runsLeftOut == 9)
    let predicted = fit.scale(learningRate: 2e-3, weightDecay: 0.1)
    #expect((predicted - fit.coefficient * 0.02.squareRoot()).magnitude < 1e-15)
    let pooled = try ScaleLaw(minimumCycles: 0).fit(runs)
    #expect(pooled.runsUsed == 18 && pooled.correlation < 0.9)
  }

  @Test func tooFewRuns() throws {
    let clock = try TrainingClock(learningRate: 1e-3, weightDecay: 0.1)
    let same = TrainingRun(clock: clock, steps: 100_000, terminalScale: 0.01)
    #expect(throws: InvalidArgument.self) { try ScaleLaw().fit([]) }
    #expect(throws: InvalidArgument.self) { try ScaleLaw().fit([same, same, same]) }
    let bad = TrainingRun(clock: clock, steps: 100_000, terminalScale: 0)
    #expect(throws: InvalidArgument.self) { try ScaleLaw().fit([same, bad]) }
  }
}
