import CatalogueCore
import Convolutions
import DataSelection
import Datasets
import Experiments
import Networks
import SpecialFunctions
import Tensors

/// Data distilled to a few examples a class for one kind of network, beside real examples and other methods.
struct DistillationExperiment<Model: Layer<Float>> {
  let data: Split<LabelledData<Float>>
  let makeModel: @Sendable (inout RandomStream) throws -> Model
  /// Updates of the examples.
  let iterations: Int
  /// One distillation of each kind for each.
  let seeds: [UInt64]
  /// Whether the components are also tried one by one, and gradient matching.
  let showsAblation: Bool
  let progress: WorkProgress

  /// Means over the seeds and five networks.
  struct Outcome {
    let name: String
    let accuracy: Double
    var history: [Double] = []
    var examples: Tensor<Float>?
  }

  func experts(_ smoothness: ExpertSmoothness, seed: UInt64) throws -> ExpertBuffer<Float> {
    try ExpertBuffer.train(
      makeModel, on: data.train, epochs: 12, count: 4, smoothness: smoothness, seed: seed, progress: progress)
  }

  /// At the end of the experts' training.
  func accuracy(of experts: ExpertBuffer<Float>) throws -> Double {
    var random = RandomStream(seed: 1)
    let model = try makeModel(&random)
    return mean(
      experts.snapshots.map { Experiments.accuracy(of: model.with(parameters: $0[$0.count - 1]), on: data.test) })
  }

  /// Random real examples, those near cluster centres, plain matching and all components; then the single components.
  func compare(_ count: Int, plain: ExpertBuffer<Float>, smooth: ExpertBuffer<Float>) throws -> [Outcome] {
    let basic = TrajectoryMatching.plain(imagesPerClass: count)
    let full = TrajectoryMatching(imagesPerClass: count)
    var outcomes = [
      Outcome(name: "random real", accuracy: try real(count, representative: false)),
      Outcome(name: "k-means real", accuracy: try real(count, representative: true)),
      try distilled("plain matching", basic, plain), try distilled("all components", full, smooth),
    ]
    guard showsAblation else { return outcomes }
    var representative = basic
    representative.start = .representative
    var filters = full
    filters.perturbationScale = .filters
    outcomes += [
      try distilled("plain, representative start", representative, plain),
      try distilled("plain, smooth experts", basic, smooth),
      try distilled("plain, both", representative, smooth),
      try distilled("all components, moved by filters", filters, smooth),
      try gradientMatching(count),
    ]
    return outcomes
  }

  private func distilled(
    _ name: String, _ method: TrajectoryMatching, _ experts: ExpertBuffer<Float>
  ) throws -> Outcome {
    var method = method
    method.iterations = iterations
    return try outcome(name) { seed in
      try method.distill(data.train, from: experts, makeModel, seed: seed, progress: progress)
    }
  }

  /// As many updates as matching trajectories has.
  private func gradientMatching(_ count: Int) throws -> Outcome {
    var method = GradientMatching(imagesPerClass: count)
    method.networks = max(1, iterations / method.updates)
    return try outcome("gradient matching") { seed in
      try method.distill(data.train, makeModel, seed: seed, progress: progress)
    }
  }

  private func outcome(_ name: String, _ distill: (UInt64) throws -> DistilledSet<Float>) throws -> Outcome {
    var accuracies: [Double] = []
    var last: DistilledSet<Float>?
    for seed in seeds {
      let result = try distill(seed)
      last = result
      accuracies += try evaluateDistilled(result.data, stepSize: result.stepSize, makeModel, on: data.test, seed: seed)
    }
    return Outcome(
      name: name, accuracy: mean(accuracies), history: last?.history ?? [], examples: last?.data.features)
  }

  /// Real examples with the best of three step sizes.
  private func real(_ count: Int, representative: Bool) throws -> Double {
    var random = RandomStream(seed: seeds[0])
    var means = [0.0, 0.0, 0.0]
    for _ in 0..<2 {
      let chosen =
        representative
        ? try kMeansRepresentatives(data.train, perClass: count, random: &random)
        : try randomRepresentatives(data.train, perClass: count, random: &random)
      let examples = data.train.taken(Tensor<Int>(chosen))
      for (i, rate) in [0.1, 0.3, 1.0].enumerated() {
        let accuracies = try evaluateDistilled(examples, stepSize: rate, makeModel, on: data.test)
        means[i] += mean(accuracies) / 2
      }
    }
    return means.max() ?? .nan
  }
}

/// Three convolutions of width 32 with instance normalisation and means of 2 × 2, and a linear head: for rows of 784 pixels.
struct ConvolutionalDigits: Layer {
  typealias Scalar = Float

  private var convolutions: [Convolution<Float>]
  private let norm = InstanceNorm<Float>(32)
  private let pooling = AveragePooling<Float>(2)
  private var head: Linear<Float>

  init(random: inout RandomStream) {
    convolutions = (0..<3).map { i in
      Convolution(i == 0 ? 1 : 32, 32, kernel: [3, 3], ConvolutionOptions(padding: 1), random: &random)
    }
    head = Linear(32 * 9, 10, random: &random)
  }

  func callAsFunction(_ x: Tensor<Float>, in pass: ForwardPass) -> Tensor<Float> {
    var x = x.reshaped([-1, 1, 28, 28])
    for convolution in convolutions { x = pooling(Activation.relu(norm(convolution(x, in: pass), in: pass)), in: pass) }
    return head(x.reshaped([-1, 32 * 9]), in: pass)
  }

  mutating func visit(_ visitor: Visitor<Float>) {
    visitor.modules("convolutions", &convolutions)
    visitor.module("head", &head)
  }
}
