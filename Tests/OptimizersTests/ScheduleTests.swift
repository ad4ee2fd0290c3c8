import Foundation
import Optimizers
import Testing

struct ScheduleTests {
  @Test func followPyTorch() throws {
    let reference = try Reference.load().schedules
    let schedules: [String: Schedule] = [
      "cosine": .cosine(steps: 39, floor: 0.1), "warm-up cosine": Schedule.cosine(steps: 32).warmedUp(over: 8),
      "step": .step(every: 7, factor: 0.3), "exponential": .exponential(factor: 0.9), "one-cycle": .oneCycle(steps: 41),
    ]
    #expect(Set(schedules.keys) == Set(reference.keys))
    for (name, schedule) in schedules {
      let wanted = try #require(reference[name])
      #expect(distance(wanted.indices.map { schedule($0) }, wanted) < 1e-12, "\(name)")
    }
  }

  @Test func endsAndPlateaus() {
    let linear = Schedule.linear(steps: 10, floor: 0.2)
    #expect(linear(0) == 1 && abs(linear(5) - 0.6) < 1e-12 && abs(linear(99) - 0.2) < 1e-12)
    #expect(abs(Schedule.cosine(steps: 10, floor: 0.2)(500) - 0.2) < 1e-12)
    // Vaswani et al.: min(s^-1/2, s · w^-3/2) in step s, counted from one, relative to the peak at s = w.
    let inverse = Schedule.inverseSquareRoot(timescale: 50).warmedUp(over: 50, from: 0)
    for step in [0, 1, 20, 49, 50, 51, 200, 5_000] {
      let s = Double(step)
      let wanted = min((50 / s).squareRoot(), s / 50)
      #expect(abs(inverse(step) - wanted) < 1e-12, "step \(step)")
    }
    let stable = Schedule.stableDecay(stable: 20, decay: 16, floor: 0.1).warmedUp(over: 4)
    #expect(stable(4) == 1 && stable(24) == 1 && abs(stable(28) - 0.55) < 1e-12 && abs(stable(400) - 0.1) < 1e-12)
    #expect(abs(Schedule.stableDecay(stable: 0, decay: 4, shape: .linear)(1) - 0.75) < 1e-12)
    let cycle = Schedule.oneCycle(steps: 100)
    #expect(abs(cycle(0) - 0.04) < 1e-12 && abs(cycle(29) - 1) < 1e-12 && cycle(1000) == cycle(99))
    #expect(Schedule.constant(12345) == 1)
  }

  @Test func areSavedAndRead() throws {
    let schedules: [Schedule] = [
      .constant, .oneCycle(steps: 7), Schedule.stableDecay(stable: 3, decay: 4, shape: .linear).warmedUp(over: 5),
    ]
    let data = try JSONEncoder().encode(schedules)
    #expect(try JSONDecoder().decode([Schedule].self, from: data) == schedules)
  }
}
