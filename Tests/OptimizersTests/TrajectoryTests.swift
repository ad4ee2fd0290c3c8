import Networks
import Optimizers
import Tensors
import Testing

/// A hundred steps beside PyTorch's, or beside the formulas of the paper where PyTorch has no such optimizer.
struct TrajectoryTests {
  private static let cases: [(name: String, optimizer: any Optimizer<Double>)] = [
    ("sgd", SGD(learningRate: 0.05)),
    ("sgd momentum", SGD(learningRate: 0.02, momentum: 0.9, dampening: 0.1, weightDecay: 0.03)),
    ("sgd nesterov", SGD(learningRate: 0.02, momentum: 0.8, nesterov: true)),
    ("sgd clipped by norm", SGD(learningRate: 0.05, momentum: 0.5)),
    ("sgd clipped by value", SGD(learningRate: 0.05)),
    ("adam", Adam(learningRate: 0.03)),
    ("adam decay", Adam(learningRate: 0.03, firstDecay: 0.8, secondDecay: 0.99, stability: 1e-6, weightDecay: 0.1)),
    ("adam amsgrad", Adam(learningRate: 0.1, secondDecay: 0.9, usesLargestSquare: true)),
    ("adamw", AdamW(learningRate: 0.05, weightDecay: 0.2)),
    ("adamw amsgrad", AdamW(learningRate: 0.05, secondDecay: 0.8, usesLargestSquare: true)),
    (
      "adamw groups",
      AdamW(
        learningRate: 0.05, weightDecay: 0.2,
        groups: [
          ParameterGroup(matching: "*.bias", weightDecay: 0),
          ParameterGroup(where: { $0 == "scale" }, learningRate: 0.002, weightDecay: 0.5),
        ])
    ),
    ("adamw cosine", AdamW(learningRate: 0.05, weightDecay: 0.2)),
    ("rmsprop", RMSProp(weightDecay: 0.05)),
    ("rmsprop centered", RMSProp(decay: 0.9, stability: 1e-2, isCentered: true)),
    ("rmsprop momentum", RMSProp(learningRate: 0.005, momentum: 0.7)),
    ("rmsprop both", RMSProp(learningRate: 0.002, decay: 0.9, stability: 1e-4, momentum: 0.7, isCentered: true)),
    ("adagrad", Adagrad(learningRate: 0.2, rateDecay: 0.01, initialSum: 0.1, weightDecay: 0.02)),
    ("lion", Lion(learningRate: 0.01, weightDecay: 0.1)),
    ("signum", Signum(learningRate: 0.01, weightDecay: 0.05)),
    ("ademamix", AdEMAMix(learningRate: 0.01, weightDecay: 0.1)),
    (
      "ademamix warm-up",
      AdEMAMix(learningRate: 0.01, secondDecay: 0.99, slowDecay: 0.999, mixture: 5, warmUp: 60, weightDecay: 0.1)
    ),
    ("muon", Muon(weightDecay: 0.1, rest: rest)),
    ("muon moonlight", Muon(nesterov: false, weightDecay: 0.1, scaling: .matchingAdam, rest: rest)),
  ]

  private static var rest: AdamW<Double> {
    AdamW(learningRate: 0.01, secondDecay: 0.95, stability: 1e-10, weightDecay: 0.05)
  }

  @Test(arguments: cases.map(\.name)) func followsTheReference(name: String) throws {
    let reference = try #require(try Reference.load().trajectories[name])
    var optimizer = try #require(Self.cases.first { $0.name == name }).optimizer
    let schedule: Schedule = name == "adamw cosine" ? .cosine(steps: 100, floor: 0.1) : .constant
    var model = Problem<Double>()
    var done = 0
    for stop in [1, 2, 10, 100] {
      optimizer.run(&model, steps: done..<stop, schedule: schedule) { gradient in
        if name == "sgd clipped by norm" { gradient.clip(toNorm: 0.7) }
        if name == "sgd clipped by value" { gradient.clip(toValue: 0.2) }
      }
      done = stop
      #expect(distance(model.numbers, try #require(reference["\(stop)"])) < 1e-9, "\(name) after \(stop) steps")
    }
  }

  @Test(arguments: cases.map(\.name)) func goesOnFromASavedState(name: String) throws {
    var optimizer = try #require(Self.cases.first { $0.name == name }).optimizer
    var fresh = optimizer
    var model = Problem<Double>()
    optimizer.run(&model, steps: 0..<7)
    var resumed = model
    try fresh.restore(optimizer.state)
    optimizer.run(&model, steps: 7..<20)
    fresh.run(&resumed, steps: 7..<20)
    #expect(model.numbers == resumed.numbers)
    #expect(optimizer.state.step == 20)
    #expect(optimizer.state.tensors.names == fresh.state.tensors.names)
    #expect(zip(optimizer.state.tensors.tensors, fresh.state.tensors.tensors).allSatisfy { $0 == $1 })
  }

  @Test(arguments: cases.map(\.name)) func changeIsWhatAnUpdateAdds(name: String) throws {
    var optimizer = try #require(Self.cases.first { $0.name == name }).optimizer
    var model = Problem<Double>()
    optimizer.run(&model, steps: 0..<3)
    var other = optimizer
    let gradient = model.valueAndGradient { $0.loss }.gradient
    let change = other.change(of: model, along: gradient, rateFactor: 0.5)
    let before = model
    optimizer.update(&model, along: gradient, rateFactor: 0.5)
    let added = zip(before.numbers, change.tensors.flatMap(\.scalars)).map { $0 + $1 }
    #expect(change.names == gradient.names)
    #expect(distance(model.numbers, added) < 1e-15)
    #expect(zip(optimizer.state.tensors.tensors, other.state.tensors.tensors).allSatisfy { $0 == $1 })
  }
}
