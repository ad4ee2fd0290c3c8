// Choosing examples, weights and subspaces, beside PyTorch and NumPy as a user would write the same.

import Compression
import DataSelection
import Datasets
import LinearAlgebra
import Networks
import Optimizers
import Tensors

var selectionWorks: [Work] {
  [
    gradientNorms("gradient-norms-cnn 5000", bound: 0.5, [5_000, 1, 28, 28]) { LeNet(random: &$0) },
    gradientNorms("gradient-norms-mlp 4000", bound: 0.2, [4_000, 784]) { MLP([784, 128, 64, 10], random: &$0) },
    fastfood, randomMask, sparseStep, subnetworks,
  ]
}

/// The norm of every example's gradient, the whole data set.
private func gradientNorms<Model: Layer<Float>>(
  _ name: String, bound: Double, _ shape: [Int], _ makeModel: @escaping (inout RandomStream) -> Model
) -> Work {
  Work(name, bound: bound) { _ in
    var random = RandomStream(seed: 1)
    let data = LabelledData<Float>(
      features: random.normal(shape), labels: random.integers([shape[0]], in: 0..<10),
      classNames: (0..<10).map { "\($0)" })
    let model = makeModel(&random)
    return { keep(model.importanceScores(of: data, .grand)) }
  }
}

/// A random subspace of a million parameters, there and back.
private var fastfood: Work {
  // Two reads and writes of the long vector each way.
  Work("fastfood 20 1000", bound: 0.1, floor: .bytes(4 * 4 * 1_048_576)) { _ in
    var random = RandomStream(seed: 1)
    let map = try Fastfood<Float>(rows: 1 << 20, columns: 1_000, random: &random)
    let z: Tensor<Float> = random.normal([1_000])
    return { keep(map.applyTransposed(map.apply(z))) }
  }
}

/// Exactly a tenth of ten million weights.
private var randomMask: Work {
  Work("random-mask 10000000", bound: nil) { _ in
    { keep(try SparseMask(shapes: [(name: "w", shape: [2_500, 4_000])], densities: [0.1], seed: 1)) }
  }
}

/// A training step of a perceptron of which one weight in twenty exists.
private var sparseStep: Work {
  Work("train-sparse-mlp 128", bound: 0.67) { _ in
    var random = RandomStream(seed: 1)
    let widths = [784, 1_024, 1_024, 1_024, 10]
    let mask = try SparseMask(of: MLP<Float>(widths, random: &random), density: 0.05, rule: .uniform, seed: 1)
    var layers: [any Layer<Float>] = []
    for (i, part) in mask.parts.enumerated() {
      if i > 0 { layers.append(Mapping { $0.relu() }) }
      let dense = Linear<Float>(widths[i], widths[i + 1], random: &random)
      layers.append(try SparseLinear(dense, isKept: part.isKept))
    }
    let x: Tensor<Float> = random.normal([128, 784])
    let labels = random.integers([128], in: 0..<10)
    let run = SparseRun(Sequential(layers))
    return { run.step(x, labels) }
  }
}

private final class SparseRun {
  var model: Sequential<Float>
  var optimizer = Adam<Float>()

  init(_ model: Sequential<Float>) { self.model = model }

  func step(_ x: Tensor<Float>, _ labels: Tensor<Int>) {
    optimizer.update(&model, along: model.valueAndGradient { crossEntropy($0(x), labels: labels) }.gradient)
  }
}

/// Losses of random sub-networks on a thousand examples, their choice included.
private var subnetworks: Work {
  Work("subnetwork-losses 2000", bound: 0.2) { _ in
    var random = RandomStream(seed: 1)
    let parent = MLP<Float>([784, 256, 256, 10], random: &random)
    let x: Tensor<Float> = random.normal([1_000, 784])
    let labels = random.integers([1_000], in: 0..<10)
    return {
      let loss = try SubnetworkLoss(parent: parent, x: x, labels: labels)
      keep(
        try RandomArchitectureSearch(budget: 2_000).run(
          seed: 1, sample: { try NodeMask(randomOf: [256, 256], sparsity: 0.9, random: &$0) },
          evaluate: { mask, _ in try loss(mask) }))
    }
  }
}
