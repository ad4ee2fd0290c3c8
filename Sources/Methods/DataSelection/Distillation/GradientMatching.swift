public import Datasets
public import Networks
import Optimizers
public import Tensors

/// Dataset distillation by matching gradients: the baseline that looks one step ahead where ``TrajectoryMatching`` looks
/// many.
///
/// For fresh networks, again and again: the examples of each class are changed so that the gradient of the loss on them
/// points where that on real ones does, filter by filter; then the network learns a few steps on the examples.
///
/// - Complexity: a second derivative on the synthetic and a gradient on the real examples of each class an update.
/// - Source: Zhao, Mopuri and Bilen, "Dataset condensation with gradient matching", ICLR 2021, algorithm 1.
public struct GradientMatching: Sendable, Hashable {
  public var imagesPerClass: Int
  /// Networks with new random weights.
  public var networks = 50
  /// Updates of the examples for each network.
  public var updates = 10
  /// Steps of the network on the examples after each update.
  public var networkSteps = 5
  /// The most real examples of a class in an update.
  public var realBatch = 256
  /// Of the examples, by Adam.
  public var learningRate = 0.02
  /// Of the network, by plain gradient descent, here and when it is trained on the examples later.
  public var stepSize = 0.1
  public var start = TrajectoryMatching.Start.representative

  public init(imagesPerClass: Int) { self.imagesPerClass = imagesPerClass }

  /// - Returns: the examples, with `stepSize` and the loss of each update.
  /// - Throws: `InvalidArgument` for settings out of range, classes that are too small and features that are not finite;
  ///   `CancellationError`.
  public func distill<Scalar: RealScalar, Model: Layer<Scalar>>(
    _ data: LabelledData<Scalar>, _ makeModel: (inout RandomStream) throws -> Model, seed: UInt64 = 1,
    progress: WorkProgress = .silent
  ) throws -> DistilledSet<Scalar> {
    try validate()
    try data.features.requireFinite("features")
    var random = RandomStream(seed: seed)
    let chosen =
      start == .random
      ? try randomRepresentatives(data, perClass: imagesPerClass, random: &random)
      : try kMeansRepresentatives(data, perClass: imagesPerClass, random: &random)
    var set = data.taken(Tensor<Int>(chosen))
    let labels = data.labels.scalars
    let members = (0..<data.classes).map { label in labels.indices.filter { labels[$0] == label } }
    var optimizer = Adam<Scalar>(learningRate: learningRate)
    var history: [Double] = []
    for _ in 0..<networks {
      let model = try makeModel(&random)
      var parameters = model.parameters.tensors
      for _ in 0..<updates {
        let targets = members.map { own -> [Tensor<Scalar>] in
          let drawn = random.permutation(own.count).scalars.prefix(realBatch).map { own[$0] }
          return gradient(model, parameters, data.taken(Tensor<Int>(drawn)))
        }
        let (loss, slope) = valueAndGradient(at: set.features) { features in
          var sum = Tensor(Scalar(0))
          for (label, target) in targets.enumerated() {
            let positions = Tensor<Int>(label * imagesPerClass..<(label + 1) * imagesPerClass)
            let own = gradient(
              model, parameters, features: features.gathered(positions), labels: set.labels.gathered(positions))
            sum = sum + gradientDistance(own, target)
          }
          return sum
        }
        var tensors = [set.features]
        optimizer.update(tensors: &tensors, along: [slope])
        set = set.with(features: tensors[0])
        history.append(Double(loss.scalar))
        for _ in 0..<networkSteps {
          let step = gradient(model, parameters, set)
          for i in parameters.indices { parameters[i] -= step[i] * Scalar(stepSize) }
        }
        try progress.report(history.count, of: networks * updates)
      }
    }
    return DistilledSet(data: set, stepSize: stepSize, history: history, divergences: 0)
  }

  private func gradient<Scalar: RealScalar, Model: Layer<Scalar>>(
    _ model: Model, _ parameters: [Tensor<Scalar>], _ data: LabelledData<Scalar>
  ) -> [Tensor<Scalar>] {
    gradient(model, parameters, features: data.features, labels: data.labels)
  }

  private func gradient<Scalar: RealScalar, Model: Layer<Scalar>>(
    _ model: Model, _ parameters: [Tensor<Scalar>], features: Tensor<Scalar>, labels: Tensor<Int>
  ) -> [Tensor<Scalar>] {
    valueAndGradients(at: parameters) { crossEntropy(model.with(parameters: $0)(features), labels: labels) }.gradients
  }

  private func validate() throws {
    let counts = [
      ("imagesPerClass", imagesPerClass), ("networks", networks), ("updates", updates), ("realBatch", realBatch),
    ]
    for (name, value) in counts where value < 1 {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least 1")
    }
    guard networkSteps >= 0, learningRate > 0, stepSize > 0 else {
      throw InvalidArgument(
        "networkSteps, learningRate, stepSize", found: "\(networkSteps), \(learningRate), \(stepSize)",
        wanted: "at least 0, and above 0")
    }
  }
}

/// The sum over the filters of all weights of one less the cosine of the angle between two gradients; biases do not count.
///
/// Zero for gradients of equal directions. Differentiable in `own`.
/// - Parameter other: as many tensors, of the same shapes.
public func gradientDistance<Scalar: RealScalar>(_ own: [Tensor<Scalar>], _ other: [Tensor<Scalar>]) -> Tensor<Scalar> {
  precondition(own.map(\.shape) == other.map(\.shape), "gradients of \(own.map(\.shape)) and \(other.map(\.shape))")
  var sum = Tensor(Scalar(0))
  for (a, b) in zip(own, other) where a.rank > 1 {
    let (a, b) = (a.reshaped([a.shape[0], -1]), b.reshaped([b.shape[0], -1]))
    // A rectified unit that is off has no gradient; the slope of a root at zero would be none.
    let tiny = Scalar(1e-12)
    let lengths = ((a * a).sum(axis: 1) + tiny).sqrt() * ((b * b).sum(axis: 1) + tiny).sqrt()
    sum = sum + (1 - (a * b).sum(axis: 1) / lengths).sum()
  }
  return sum
}
