import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

struct StateTests {
  @Test func namesSayWhatIsKeptOfWhich() {
    var optimizer = Adam<Double>(usesLargestSquare: true)
    var model = Problem<Double>()
    optimizer.run(&model, steps: 0..<1)
    #expect(
      optimizer.state.tensors.names.prefix(4) == [
        "firstMoment/layer.weight", "secondMoment/layer.weight", "largestSecondMoment/layer.weight",
        "firstMoment/layer.bias",
      ])
    #expect(optimizer.state.tensors["firstMoment/layer.bias"]?.shape == [3])
  }

  /// Training some of the parameters is training a model that has no others.
  @Test func frozenParametersStayAndLeaveNoTrace() {
    var optimizer = AdamW<Double>(learningRate: 0.1)
    var model = Problem<Double>()
    let before = model
    for _ in 0..<5 {
      let gradient = model.valueAndGradient(where: { $0 != "layer.weight" }, of: { $0.loss }).gradient
      optimizer.update(&model, along: gradient)
    }
    #expect(model.layer.weight == before.layer.weight)
    #expect(model.layer.bias != before.layer.bias && model.scale != before.scale)
    #expect(!optimizer.state.tensors.names.contains { $0.hasSuffix("weight") })
  }

  /// A parameter that joins later takes the steps it would have taken from the start, and a saved state knows its count.
  @Test func parametersThatJoinLaterStartAtTheirBeginning() throws {
    var late = Adam<Double>(learningRate: 0.1)
    var early = late
    var tensors: [Tensor<Double>] = [Tensor([1, 2]), Tensor([3])]
    var model = Pair(first: tensors[0], second: tensors[1])
    let slopes = [Tensor<Double>([0.3, -0.1]), Tensor<Double>([2])]
    for _ in 0..<4 { late.update(&model, along: NamedTensors(names: ["first"], tensors: [slopes[0]])) }
    model.first = tensors[0]
    for step in 0..<3 {
      if step == 2 {
        let state = late.state
        #expect(state.step == 6 && state.tensors["updates/second"]?.scalar == 2)
        try late.restore(state)
      }
      late.update(&model, along: NamedTensors(names: ["first", "second"], tensors: slopes))
      early.update(tensors: &tensors, along: slopes)
    }
    #expect(model.second == tensors[1])
    #expect(model.first != tensors[0])
  }

  private struct Pair: Module {
    var first: Tensor<Double>
    var second: Tensor<Double>

    mutating func visit(_ visitor: Visitor<Double>) {
      visitor.parameter("first", &first)
      visitor.parameter("second", &second)
    }
  }

  @Test func statesThatDoNotFitAreRefused() throws {
    var optimizer = Adam<Double>()
    var model = Problem<Double>()
    optimizer.run(&model, steps: 0..<2)
    let good = optimizer.state
    func expectRefused(_ state: OptimizerState<Double>, _ what: Comment) {
      var copy = optimizer
      #expect(throws: InvalidArgument.self, what) { try copy.restore(state) }
      #expect(copy.state.tensors.names == good.tensors.names && copy.state.step == 2, what)
    }
    var state = good
    state.step = -1
    expectRefused(state, "negative step")
    state = good
    state.tensors.append("momentum/scale", Tensor([1]))
    expectRefused(state, "unknown slot")
    state = OptimizerState(step: 2, tensors: NamedTensors(names: ["scale"], tensors: [Tensor([1])]))
    expectRefused(state, "no slot")
    state = OptimizerState(
      step: 2, tensors: NamedTensors(names: ["firstMoment/scale"], tensors: [Tensor([1])]))
    expectRefused(state, "missing slot")
    state.tensors.append("secondMoment/scale", Tensor([1, 2]))
    expectRefused(state, "other shape")
    var muon = Muon<Double>()
    #expect(throws: InvalidArgument.self) { try muon.restore(good) }
  }

  @Test func plainTensorsMoveInPlaceAsAModelDoes() {
    var model = Problem<Double>()
    var tensors = model.parameters.tensors.map { $0.copied() }
    var first = SGD<Double>(learningRate: 0.1, momentum: 0.9)
    var second = first
    for _ in 0..<3 {
      let gradient = model.valueAndGradient { $0.loss }.gradient
      first.update(&model, along: gradient)
      let address = tensors[0].withUnsafeMutableBuffer { $0.baseAddress }
      second.update(tensors: &tensors, along: gradient.tensors)
      #expect(tensors[0].withUnsafeMutableBuffer { $0.baseAddress } == address)
    }
    #expect(zip(model.parameters.tensors, tensors).allSatisfy { $0 == $1 })
  }

  @Test func aChangedHyperParameterKeepsWhatItCan() {
    var optimizer = RMSProp<Double>()
    var model = Problem<Double>()
    optimizer.run(&model, steps: 0..<3)
    let squares = optimizer.state.tensors["secondMoment/scale"]
    optimizer.momentum = 0.5
    optimizer.learningRate = 0
    let gradient = model.valueAndGradient { $0.loss }.gradient
    optimizer.update(&model, along: gradient.map { $0 * 0 })
    let kept = optimizer.state.tensors["secondMoment/scale"]
    #expect(distance(kept ?? Tensor([0]), (squares ?? Tensor([1])) * 0.99) < 1e-15)
    #expect(optimizer.state.tensors["momentum/scale"]?.scalar == 0)
  }

  /// Large enough to be cut, on both types of scalar, and not a multiple of any vector's width.
  @Test(arguments: [100_003, 33_000]) func resultsDoNotDependOnThreads(count: Int) {
    func run<Scalar: RealScalar>(_ type: Scalar.Type) -> [Tensor<Scalar>] {
      var generator = TestGenerator(seed: 5)
      let slopes: [Tensor<Scalar>] = [generator.tensor([count]), generator.tensor([300, 200])]
      var results: [Tensor<Scalar>] = []
      let optimizers: [any Optimizer<Scalar>] = [
        Adam(usesLargestSquare: true), AdamW(), SGD(momentum: 0.9), RMSProp(momentum: 0.5, isCentered: true), Lion(),
        AdEMAMix(), Muon(),
      ]
      for var optimizer in optimizers {
        var tensors = slopes.map { $0 * 0.5 }
        for _ in 0..<3 { optimizer.update(tensors: &tensors, along: slopes) }
        results += tensors
      }
      return results
    }
    #expect(withThreads(1) { run(Float.self) } == withThreads(2) { run(Float.self) })
    #expect(withThreads(1) { run(Double.self) } == withThreads(3) { run(Double.self) })
  }

  /// The f32 kernels are those of f64 but for rounding.
  @Test func singlePrecisionFollowsDouble() {
    var generator = TestGenerator(seed: 2)
    let slopes: [[Tensor<Double>]] = (0..<10).map { _ in [generator.tensor([37]), generator.tensor([5, 7])] }
    let pairs: [(any Optimizer<Float>, any Optimizer<Double>)] = [
      (SGD(momentum: 0.9, nesterov: true, weightDecay: 0.1), SGD(momentum: 0.9, nesterov: true, weightDecay: 0.1)),
      (Adam(weightDecay: 0.1), Adam(weightDecay: 0.1)),
      (AdamW(usesLargestSquare: true), AdamW(usesLargestSquare: true)),
      (
        RMSProp(stability: 1e-3, momentum: 0.9, isCentered: true),
        RMSProp(stability: 1e-3, momentum: 0.9, isCentered: true)
      ),
      (Adagrad(), Adagrad()), (AdEMAMix(warmUp: 5), AdEMAMix(warmUp: 5)), (Muon(), Muon()),
    ]
    for var (single, double) in pairs {
      var x = [Tensor<Double>.ones([37]), Tensor<Double>.ones([5, 7])]
      var y = x.map { Tensor<Float>($0) }
      for slope in slopes {
        double.update(tensors: &x, along: slope)
        single.update(tensors: &y, along: slope.map { Tensor<Float>($0) })
      }
      for (x, y) in zip(x, y) { #expect(distance(x, Tensor<Double>(y)) < 2e-5, "\(type(of: double))") }
    }
  }
}
