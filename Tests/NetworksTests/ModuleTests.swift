import FileFormats
import Networks
import Tensors
import TestSupport
import Testing

/// Two layers, dropout and a part that may be absent.
private struct Perceptron: Layer {
  var hidden: Linear<Double>
  var output: Linear<Double>
  var extra: [Linear<Double>] = []
  let dropout = Dropout<Double>(0.5)

  init(_ widths: [Int], random: inout RandomStream) {
    hidden = Linear(widths[0], widths[1], random: &random)
    output = Linear(widths[1], widths[2], hasBias: false, random: &random)
  }

  func callAsFunction(_ x: Tensor<Double>, in pass: ForwardPass) -> Tensor<Double> {
    output(dropout(hidden(x).tanh(), in: pass))
  }

  mutating func visit(_ visitor: Visitor<Double>) {
    visitor.module("hidden", &hidden)
    visitor.module("output", &output)
    visitor.modules("extra", &extra)
  }
}

/// Keeps the mean of what it sees.
private struct MeanKeeper: Layer {
  var mean = Tensor<Double>.zeros([3])
  var scale = Tensor<Double>.ones([3])

  func callAsFunction(_ x: Tensor<Double>, in pass: ForwardPass) -> Tensor<Double> {
    pass.update(mean, to: x.mean(axis: 0))
    return (x - (pass.isTraining ? x.mean(axis: 0) : mean)) * scale
  }

  mutating func visit(_ visitor: Visitor<Double>) {
    visitor.parameter("scale", &scale)
    visitor.buffer("mean", &mean)
  }
}

struct ModuleTests {
  @Test func namesFollowTheNesting() {
    var random = RandomStream(seed: 1)
    var model = Perceptron([4, 5, 2], random: &random)
    #expect(model.parameters.names == ["hidden.weight", "hidden.bias", "output.weight"])
    #expect(model.parameterCount == 4 * 5 + 5 + 10)
    model.extra = [Linear(1, 1, random: &random), Linear(1, 1, random: &random)]
    #expect(model.parameters.names.last == "extra.1.bias")
    #expect(model.summary.hasSuffix("\(4 * 5 + 5 + 10 + 4) parameters in 7 tensors"))
  }

  @Test(arguments: 0..<4) func gradientsAgreeWithDifferences(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let model = Perceptron([4, 5, 3], random: &random)
    let x: Tensor<Double> = random.normal([6, 4])
    let labels = random.integers([6], in: 0..<3)
    let (value, gradient) = model.valueAndGradient { crossEntropy($0(x), labels: labels, smoothing: 0.1) }
    #expect(value.scalar > 0)
    let direction = gradient.tensors.map { random.normal($0.shape, of: Double.self) }
    func moved(_ step: Double) -> Double {
      let other = model.with(parameters: zip(model.parameters.tensors, direction).map { $0 + $1 * step })
      return crossEntropy(other(x), labels: labels, smoothing: 0.1).scalar
    }
    let step = 1e-5
    let difference = (moved(step) - moved(-step)) / (2 * step)
    let slope = zip(gradient.tensors, direction).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    #expect(abs(slope - difference) < 1e-8, "seed \(seed)")
  }

  @Test func frozenParametersAreConstants() {
    var random = RandomStream(seed: 2)
    let model = Perceptron([4, 5, 3], random: &random)
    let x: Tensor<Double> = random.normal([6, 4])
    let all = model.valueAndGradient { $0(x).squared().sum() }.gradient
    let isOutput = { (name: String) in name.hasPrefix("output") }
    let some = model.valueAndGradient(where: isOutput) { $0(x).squared().sum() }.gradient
    #expect(some.names == ["output.weight"])
    #expect(some["output.weight"] == all["output.weight"])
  }

  @Test func statisticsAreTakenOverAfterTheStep() {
    var random = RandomStream(seed: 3)
    var layers = MeanKeeper()
    let x: Tensor<Double> = random.normal([8, 3])
    let pass = ForwardPass.training(random: random)
    let step = layers.valueAndGradient(in: pass) { model, pass in (model(x, in: pass) * x).sum() }
    #expect(step.gradient.names == ["scale"])
    #expect(distance(layers.mean, x.mean(axis: 0)) == 0)
    let before = layers.mean
    _ = layers(x * 2)
    #expect(layers.mean == before)
  }

  @Test func dropoutKeepsTheMeanAndRepeats() {
    let x = Tensor<Double>.ones([100_000])
    let drop = Dropout<Double>(0.3)
    let first = drop(x, in: .training(random: RandomStream(seed: 4)))
    #expect(first == drop(x, in: .training(random: RandomStream(seed: 4))))
    #expect(abs(first.mean().scalar - 1) < 0.01)
    #expect((first .== 0).trueCount > 29_000)
    #expect(drop(x) == x)
  }

  @Test func checkpointingDrawsTheSameNumbersAgain() {
    var random = RandomStream(seed: 5)
    let model = Perceptron([4, 50, 2], random: &random)
    let x: Tensor<Double> = random.normal([3, 4])
    func slope(_ isCheckpointed: Bool) -> Tensor<Double> {
      let pass = ForwardPass.training(random: RandomStream(seed: 6))
      return gradient(at: x) { x in
        let y =
          isCheckpointed
          ? model.checkpointed(x, in: pass)
          : model(x, in: .training(random: pass.randomStream()))
        return y.squared().sum()
      }
    }
    #expect(slope(true) == slope(false))
  }

  @Test func mismatchesAreListed() throws {
    var random = RandomStream(seed: 7)
    var model = Perceptron([4, 5, 2], random: &random)
    var state = model.stateDictionary
    state["hidden.bias"] = nil
    state["output.weight"] = .zeros([2, 4])
    state["outputs"] = .zeros([1])
    let error = #expect(throws: StateMismatch.self) { try model.load(state) }
    #expect(error?.missing == ["hidden.bias"])
    #expect(error?.unexpected == ["outputs"])
    #expect(error?.misshapen.map(\.name) == ["output.weight"])
    #expect(error?.description.contains("output.weight is [2, 4], the model's is [2, 5]") == true)
  }

  @Test func savedModelsComeBack() throws {
    var random = RandomStream(seed: 8)
    let model = Perceptron([4, 5, 2], random: &random)
    let folder = TemporaryFolder()
    let path = folder.file("model.safetensors")
    try model.save(to: path, metadata: ["kind": "perceptron"])
    var other = Perceptron([4, 5, 2], random: &random)
    let checkpoint = try Checkpoint(path)
    try other.load(from: checkpoint)
    #expect(other.stateDictionary == model.stateDictionary)
    #expect(checkpoint.metadata["kind"] == "perceptron")
  }
}
