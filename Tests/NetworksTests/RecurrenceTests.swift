import Networks
import Tensors
import TestSupport
import Testing

struct RecurrenceTests {
  @Test func longShortTermMemoryAgreesWithPyTorch() throws {
    let reference = try VisionReference("recurrent")
    var random = RandomStream(seed: 1)
    var model = LSTM<Double>(3, 4, layers: 2, isBidirectional: true, random: &random)
    try model.load(reference.group("lstm.before"))
    let (x, h, c) = (reference["lstm.x"], reference["lstm.h"], reference["lstm.c"])
    let (g, gh) = (reference["lstm.g"], reference["lstm.gh"])
    let output = model.run(x, hidden: h, cells: c)
    #expect(distance(output.outputs, reference["lstm.y"]) < 1e-13)
    #expect(distance(output.hidden, reference["lstm.last"]) < 1e-13)
    #expect(distance(output.cells ?? x, reference["lstm.cells"]) < 1e-13)
    func loss(_ model: LSTM<Double>, _ inputs: [Tensor<Double>]) -> Tensor<Double> {
      let output = model.run(inputs[0], hidden: inputs[1], cells: inputs[2])
      let ends = (output.hidden * gh).sum() + ((output.cells ?? gh) * gh.reversed(axis: 0)).sum()
      return (output.outputs * g).sum() + ends
    }
    let gradient = model.valueAndGradient { loss($0, [x, h, c]) }.gradient
    #expect(distance(gradient, reference.group("lstm.gradient")) < 1e-12)
    let inputs = valueAndGradients(at: [x, h, c]) { loss(model, $0) }.gradients
    #expect(distance(inputs[0], reference["lstm.dx"]) < 1e-12)
    #expect(distance(inputs[1], reference["lstm.dh"]) < 1e-12)
    #expect(distance(inputs[2], reference["lstm.dc"]) < 1e-12)
  }

  @Test func gatedUnitsAgreeWithPyTorch() throws {
    let reference = try VisionReference("recurrent")
    var random = RandomStream(seed: 2)
    var model = GRU<Double>(3, 4, layers: 2, isBidirectional: true, random: &random)
    try model.load(reference.group("gru.before"))
    let (x, h) = (reference["gru.x"], reference["gru.h"])
    let (g, gh) = (reference["gru.g"], reference["gru.gh"])
    let output = model.run(x, hidden: h)
    #expect(distance(output.outputs, reference["gru.y"]) < 1e-13)
    #expect(distance(output.hidden, reference["gru.last"]) < 1e-13)
    func loss(_ model: GRU<Double>, _ inputs: [Tensor<Double>]) -> Tensor<Double> {
      let output = model.run(inputs[0], hidden: inputs[1])
      return (output.outputs * g).sum() + (output.hidden * gh).sum()
    }
    let gradient = model.valueAndGradient { loss($0, [x, h]) }.gradient
    #expect(distance(gradient, reference.group("gru.gradient")) < 1e-12)
    let inputs = valueAndGradients(at: [x, h]) { loss(model, $0) }.gradients
    #expect(distance(inputs[0], reference["gru.dx"]) < 1e-12)
    #expect(distance(inputs[1], reference["gru.dh"]) < 1e-12)
  }

  @Test func derivativesAgreeWithDifferences() {
    var random = RandomStream(seed: 3)
    let x: Tensor<Double> = random.normal([2, 4, 3])
    let memory = LSTM<Double>(3, 5, random: &random)
    let ofMemory = derivativeError(at: x) { memory($0) }
    #expect(ofMemory.first < 1e-8 && ofMemory.second < 1e-7, "\(ofMemory)")
    let units = GRU<Double>(3, 5, hasBias: false, random: &random)
    let ofUnits = derivativeError(at: x) { units($0) }
    #expect(ofUnits.first < 1e-8 && ofUnits.second < 1e-7, "\(ofUnits)")
  }

  /// Also where there are as many times as examples, so that nothing but the order tells one axis from the other.
  @Test(arguments: [(3, 5), (4, 4), (5, 1)]) func gradientsOfEachExample(examples: Int, times: Int) {
    var random = RandomStream(seed: 7)
    let x: Tensor<Double> = random.normal([examples, times, 3])
    let weights: Tensor<Double> = random.normal([times, 8])
    func check<Model: Layer<Double>>(_ model: Model) {
      func losses(_ model: Model, _ x: Tensor<Double>) -> Tensor<Double> {
        (model(x) * weights).sin().sum(axes: [1, 2])
      }
      let found = model.perExampleGradients(examples: examples) { losses($0, x) }.gradients
      for i in 0..<examples {
        let wanted = model.valueAndGradient { losses($0, x[i..<i + 1]).sum() }.gradient
        for (a, b) in zip(found.tensors, wanted.tensors) { #expect(distance(a[i], b) < 1e-12, "example \(i)") }
      }
    }
    check(LSTM<Double>(3, 4, layers: 2, isBidirectional: true, random: &random))
    check(GRU<Double>(3, 8, layers: 2, random: &random))
  }

  @Test func theStateCarriesOver() {
    var random = RandomStream(seed: 4)
    let model = LSTM<Double>(2, 3, layers: 2, random: &random)
    let x: Tensor<Double> = random.normal([3, 7, 2])
    let whole = model.run(x)
    let first = model.run(x[.all, 0..<4])
    let second = model.run(x[.all, 4..<7], hidden: first.hidden, cells: first.cells)
    let joined = Tensor.concatenated([first.outputs, second.outputs], axis: 1)
    #expect(distance(joined, whole.outputs) < 1e-14)
    #expect(distance(second.hidden, whole.hidden) < 1e-14)
  }

  @Test func dropoutActsBetweenLayersInTraining() {
    var random = RandomStream(seed: 5)
    let model = GRU<Double>(2, 3, layers: 2, dropout: 0.5, random: &random)
    let x: Tensor<Double> = random.normal([3, 4, 2])
    let trained = model(x, in: .training(random: RandomStream(seed: 6)))
    #expect(distance(trained, model(x)) > 1e-3)
    #expect(trained == model(x, in: .training(random: RandomStream(seed: 6))))
  }
}
