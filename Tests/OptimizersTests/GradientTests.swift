import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

struct GradientTests {
  @Test(arguments: 0..<6) func clippingByNormScalesAllTogether(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let tensors: [Tensor<Double>] = [generator.tensor([3, 4]), generator.tensor([5]), generator.tensor([])]
    let gradient = NamedTensors(names: ["a", "b", "c"], tensors: tensors)
    var clipped = gradient
    let norm = clipped.clip(toNorm: 0.25)
    #expect(abs(norm - gradient.norm) < 1e-12, "seed \(seed)")
    #expect(abs(clipped.norm - 0.25) < 1e-6 && clipped.norm <= 0.25, "seed \(seed)")
    for (before, after) in zip(tensors, clipped.tensors) {
      #expect(distance(before * (0.25 / norm), after) < 1e-6, "seed \(seed)")
    }
    clipped = gradient
    clipped.clip(toNorm: norm * 1.1)
    #expect(zip(clipped.tensors, tensors).allSatisfy { $0 == $1 }, "seed \(seed)")
  }

  /// Squares beyond the type do not matter while the numbers are within it, and a known norm is not measured again.
  @Test func normsDoNotOverflow() {
    let large = NamedTensors<Float>(
      names: ["a", "b", "c"], tensors: [Tensor([3e30, 0]), Tensor([-4e30]), .zeros([0])])
    #expect(abs(large.norm / 5e30 - 1) < 1e-6)
    var clipped = large
    #expect(clipped.clip(toNorm: 1) == large.norm)
    #expect(abs(clipped.norm - 1) < 1e-6)
    #expect(NamedTensors<Float>(names: ["a"], tensors: [Tensor([.infinity, 1])]).norm == .infinity)
    #expect(NamedTensors<Float>(names: ["a"], tensors: [Tensor([.nan, 1e30])]).norm.isNaN)
    #expect(NamedTensors<Double>().norm == 0)
    var halved = NamedTensors<Double>(names: ["a"], tensors: [Tensor([3, 4])])
    #expect(halved.clip(toNorm: 1, from: 2) == 2)
    #expect(distance(halved.tensors[0], Tensor([1.5, 2])) < 1e-5)
  }

  @Test func clippingByValueCutsEachElement() {
    var gradient = NamedTensors<Float>(names: ["a"], tensors: [Tensor([-3, -0.5, 0, 0.5, 3])])
    gradient.clip(toValue: 1)
    #expect(gradient.tensors[0].scalars == [-1, -0.5, 0, 0.5, 1])
  }

  @Test func theFirstBadTensorIsNamed() {
    var gradient = NamedTensors<Float>(
      names: ["a", "b", "c"], tensors: [Tensor([1, 2]), Tensor([1, .nan]), Tensor([.infinity])])
    #expect(gradient.firstNonFinite == "b")
    gradient.tensors[1] = Tensor([0, 0])
    #expect(gradient.firstNonFinite == "c")
    gradient.tensors[2] = .zeros([0])
    #expect(gradient.firstNonFinite == nil)
    gradient.tensors[0] = Tensor([.nan, 1])
    gradient.clip(toNorm: 1)
    #expect(gradient.tensors[0].scalars.allSatisfy { $0.isNaN })
  }

  @Test func groupsMatchNamesAndShapes() {
    let group = ParameterGroup(matching: "layers.*.norm*", "*bias")
    for name in ["layers.0.norm.weight", "layers.12.norm1.weight", "head.bias", "bias"] {
      #expect(group.contains(name, shape: [2, 2]), "\(name)")
    }
    for name in ["layers.0.weight", "norm.weight", "bias.weight", "xlayers.0.norm"] {
      #expect(!group.contains(name, shape: [2, 2]), "\(name)")
    }
    #expect(ParameterGroup(matching: "*a*a*").contains("banana", shape: []))
    #expect(!ParameterGroup(matching: "a*a").contains("a", shape: []))
    #expect(ParameterGroup(matching: "*").contains("", shape: []))
    let vectors = ParameterGroup.vectors(weightDecay: 0)
    #expect(vectors.contains("weight", shape: [3]) && !vectors.contains("weight", shape: [3, 1]))
  }

  /// Without a gradient only the decay moves a parameter, by the group's rate and decay.
  @Test func groupsSetRateAndDecay() {
    var optimizer = Lion<Double>(
      learningRate: 0.1, weightDecay: 0.5,
      groups: [ParameterGroup(matching: "0", learningRate: 0.2), ParameterGroup(matching: "*", weightDecay: 0)])
    var tensors: [Tensor<Double>] = [Tensor([1]), Tensor([1])]
    optimizer.update(tensors: &tensors, along: [Tensor([0]), Tensor([0])], rateFactor: 0.5)
    #expect(abs(tensors[0][at: 0] - 0.95) < 1e-15 && tensors[1][at: 0] == 1)
  }
}
