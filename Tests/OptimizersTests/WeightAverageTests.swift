import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

struct WeightAverageTests {
  private struct Model: Module {
    var weight: Tensor<Double>
    var mean: Tensor<Double>

    mutating func visit(_ visitor: Visitor<Double>) {
      visitor.parameter("weight", &weight)
      visitor.buffer("mean", &mean)
    }
  }

  private static func models(_ seed: UInt64) -> [Model] {
    var generator = TestGenerator(seed: seed)
    return (0..<7).map { _ in Model(weight: generator.tensor([3, 5]), mean: generator.tensor([2])) }
  }

  @Test(arguments: 0..<4) func meanOfAllModels(seed: UInt64) {
    let models = Self.models(seed)
    var average = StochasticWeightAverage(of: models[0])
    for model in models.dropFirst() { average.update(with: model) }
    let mean = models.dropFirst().reduce(models[0].weight) { $0 + $1.weight } / 7
    #expect(distance(average.model.weight, mean) < 1e-14, "seed \(seed)")
    #expect(average.count == 7 && average.model.mean == models[6].mean)
  }

  @Test(arguments: [true, false]) func weightsFallGeometrically(warmsUp: Bool) {
    let models = Self.models(9)
    var average = ExponentialAverage(of: models[0], decay: 0.3, warmsUp: warmsUp)
    var expected = models[0].weight
    for (t, model) in models.dropFirst().enumerated() {
      average.update(with: model)
      let decay = warmsUp ? min(0.3, Double(1 + t) / Double(10 + t)) : 0.3
      expected = expected * decay + model.weight * (1 - decay)
    }
    #expect(distance(average.model.weight, expected) < 1e-14)
    #expect(average.model.mean == models[6].mean && average.updates == 6)
    var resumed = ExponentialAverage(resuming: average.model, updates: 6, decay: 0.3, warmsUp: warmsUp)
    resumed.update(with: models[0])
    average.update(with: models[0])
    #expect(resumed.model.weight == average.model.weight)
  }

  /// The average shares nothing with the model that goes on changing.
  @Test func averagesAreValues() {
    let models = Self.models(1)
    var model = models[0]
    let average = ExponentialAverage(of: model)
    model.weight *= 2
    #expect(average.model.weight == models[0].weight)
  }
}
