// A handful of synthetic examples on which training moves weights as real data do.

public import Datasets
public import Networks
import Numerics
import Optimizers
public import Tensors

/// Synthetic examples of each class, and the step size that belongs to them.
public struct DistilledSet<Scalar: RealScalar>: Sendable {
  /// Class by class, as many of each.
  public var data: LabelledData<Scalar>
  /// The learned step size of plain gradient descent.
  public var stepSize: Double
  /// The matching loss of each iteration.
  public var history: [Double]
  /// How often training on the examples diverged and the step size was halved.
  public var divergences: Int
}

/// Dataset distillation by matching the trajectories of experts.
///
/// Each iteration starts a student at a snapshot of an expert, moved a little at random; trains it `innerSteps` steps of
/// plain gradient descent on the synthetic examples; and changes the examples and the step size by Adam so that it ends
/// where the expert was `expertEpochs` later. Half way it is compared as well.
///
/// ```swift
/// let experts = try ExpertBuffer.train(makeModel, on: data)
/// let small = try TrajectoryMatching(imagesPerClass: 5).distill(data, from: experts, makeModel)
/// let accuracies = try evaluateDistilled(small.data, stepSize: small.stepSize, makeModel, on: test)
/// ```
///
/// - Source: Shen, Yang and Lam, 2023, arXiv 2310.10541; the matching itself is of Cazenavette et al., CVPR 2022.
public struct TrajectoryMatching: Sendable, Hashable {
  public enum Start: String, Sendable, Hashable, CaseIterable {
    case random
    /// The real examples nearest to cluster centres.
    case representative
  }

  /// What the random move of a student's start is measured by.
  public enum PerturbationScale: String, Sendable, Hashable, CaseIterable {
    /// The length of all parameters together: |move| = ρ |θ|.
    case whole
    /// That of each filter, a row of a weight, and of each bias: no layer is moved out of proportion, whatever the sizes of
    /// the others (Li et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018).
    case filters
  }

  public var imagesPerClass: Int
  /// N: steps of the student.
  public var innerSteps = 20
  /// M: epochs of the expert that they stand for.
  public var expertEpochs = 3
  /// The last snapshot that a student starts from.
  public var lastStart = 5
  /// ρ: the length of the random move of the start, as a part of its own.
  public var perturbation = 0.01
  public var perturbationScale = PerturbationScale.whole
  /// The weight of the comparison half way; zero leaves it out.
  public var intermediate = 0.5
  public var start = Start.representative
  /// The most examples in a step of the student; batches hold as many of each class.
  public var batchSize = 256
  public var iterations = 250
  public var learningRate = 0.02
  public var initialStepSize = 0.1
  /// Whether examples are kept within the range of the real features.
  public var staysInRange = false
  /// Iterations without a better mean of the loss after which it ends.
  public var patience = 200
  /// Steps kept on the tape at once; see ``UnrolledTraining``. All of them unless given.
  public var segment: Int?

  public init(imagesPerClass: Int) { self.imagesPerClass = imagesPerClass }

  /// The method without this paper's additions.
  public static func plain(imagesPerClass: Int) -> TrajectoryMatching {
    var method = TrajectoryMatching(imagesPerClass: imagesPerClass)
    (method.perturbation, method.intermediate, method.start) = (0, 0, .random)
    return method
  }

  /// - Parameter makeModel: gives the kind of network that the experts are.
  /// - Throws: `InvalidArgument` for settings that do not fit the data or the experts, and where experts hardly move
  ///   after a start; `CancellationError`.
  /// - Complexity: about four evaluations and gradients a step of the student.
  public func distill<Scalar: RealScalar, Model: Layer<Scalar>>(
    _ data: LabelledData<Scalar>, from experts: ExpertBuffer<Scalar>,
    _ makeModel: (inout RandomStream) throws -> Model, seed: UInt64 = 1, progress: WorkProgress = .silent
  ) throws -> DistilledSet<Scalar> {
    try validate(experts)
    try data.features.requireFinite("features")
    var random = RandomStream(seed: seed)
    let model = try makeModel(&random)
    let chosen =
      start == .random
      ? try randomRepresentatives(data, perClass: imagesPerClass, random: &random)
      : try kMeansRepresentatives(data, perClass: imagesPerClass, random: &random)
    var set = data.taken(Tensor<Int>(chosen))
    let limits = data.features.minimum().scalar...data.features.maximum().scalar
    var logStep = Double.log(initialStepSize)
    var optimizer = Adam<Scalar>(learningRate: learningRate)
    var history: [Double] = []
    var divergences = 0
    var best = (mean: Double.infinity, iteration: 0)
    let unrolled = UnrolledTraining<Scalar>(steps: innerSteps, segment: segment ?? innerSteps)
    for iteration in 0..<iterations {
      let expert = experts.snapshots[Int.random(in: 0..<experts.snapshots.count, using: &random)]
      let first = Int.random(in: 0...lastStart, using: &random)
      let scale = squaredDistance(expert[first], expert[first + expertEpochs])
      guard scale > 1e-12 else {
        throw InvalidArgument(
          "lastStart", found: "\(lastStart), but an expert no longer moves after snapshot \(first)",
          wanted: "a smaller one")
      }
      let batches = ClassBatches(labels: set.labels, classes: data.classes, size: batchSize, random: &random)
      let labels = set.labels
      func result(_ features: Tensor<Scalar>, _ logStep: Double) -> UnrolledTraining<Scalar>.Result {
        var random = random
        return unrolled.differentiate(
          from: perturbed(expert[first], &random), inputs: features, logStep: logStep,
          matches: matches(expert, first), scale: scale
        ) { parameters, inputs, step in
          let student = model.with(parameters: parameters)
          guard let positions = batches.positions(at: step) else {
            return crossEntropy(student(inputs), labels: labels)
          }
          return crossEntropy(student(inputs.gathered(positions)), labels: labels.gathered(positions))
        }
      }
      var step = result(set.features, logStep)
      while !(step.loss.isFinite && step.gradient.isFinite && step.stepGradient.isFinite) {
        divergences += 1
        guard divergences <= 100 else {
          throw InvalidArgument(
            "initialStepSize", found: "\(initialStepSize), at which students diverge", wanted: "a smaller one")
        }
        logStep -= Double.log(2)
        step = result(set.features, logStep)
      }
      _ = random.split()
      random = random.child(UInt64(iteration))
      var tensors = [set.features, Tensor(Scalar(logStep))]
      optimizer.update(tensors: &tensors, along: [step.gradient, Tensor(Scalar(step.stepGradient))])
      logStep = Double(tensors[1].scalar)
      set = set.with(features: staysInRange ? tensors[0].clamped(to: limits) : tensors[0])
      history.append(step.loss)
      try progress.report(iteration + 1, of: iterations)
      let mean = history.suffix(50).reduce(0, +) / Double(min(history.count, 50))
      if mean < best.mean { best = (mean, iteration) }
      if iteration - best.iteration >= patience { break }
    }
    return DistilledSet(data: set, stepSize: .exp(logStep), history: history, divergences: divergences)
  }

  private func validate<Scalar: RealScalar>(_ experts: ExpertBuffer<Scalar>) throws {
    let counts = [
      ("imagesPerClass", imagesPerClass), ("innerSteps", innerSteps), ("expertEpochs", expertEpochs),
      ("batchSize", batchSize), ("iterations", iterations), ("segment", segment ?? 1), ("patience", patience),
    ]
    for (name, value) in counts where value < 1 {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least 1")
    }
    guard !experts.snapshots.isEmpty, lastStart >= 0, lastStart + expertEpochs <= experts.epochs else {
      throw InvalidArgument(
        "lastStart and expertEpochs", found: "\(lastStart) and \(expertEpochs) for experts of \(experts.epochs) epochs",
        wanted: "not more than \(experts.epochs) together")
    }
    guard perturbation >= 0, intermediate >= 0, learningRate > 0, initialStepSize > 0 else {
      throw InvalidArgument(
        "perturbation, intermediate, learningRate, initialStepSize",
        found: "\(perturbation), \(intermediate), \(learningRate), \(initialStepSize)",
        wanted: "at least 0, 0, and above 0, 0")
    }
  }

  private func matches<Scalar: RealScalar>(
    _ expert: [[Tensor<Scalar>]], _ first: Int
  ) -> [TrajectoryMatch<Scalar>] {
    let last = TrajectoryMatch(step: innerSteps, target: expert[first + expertEpochs], weight: 1)
    guard intermediate > 0, innerSteps >= 2, expertEpochs >= 2 else { return [last] }
    return [
      TrajectoryMatch(step: innerSteps / 2, target: expert[first + expertEpochs / 2], weight: intermediate), last,
    ]
  }

  /// θ + ρ |θ| g / |g| for random normal g, with the lengths of everything or of each filter.
  private func perturbed<Scalar: RealScalar>(
    _ parameters: [Tensor<Scalar>], _ random: inout RandomStream
  ) -> [Tensor<Scalar>] {
    guard perturbation > 0 else { return parameters }
    let noise = parameters.map { random.normal($0.shape, of: Scalar.self) }
    if perturbationScale == .filters {
      return zip(parameters, noise).map { filterPerturbed($0, by: $1, length: Scalar(perturbation)) }
    }
    func length(_ tensors: [Tensor<Scalar>]) -> Double {
      tensors.reduce(0) { $0 + Double($1.sumOfSquares().scalar) }.squareRoot()
    }
    let factor = Scalar(perturbation * length(parameters) / length(noise))
    return zip(parameters, noise).map { $0 + $1 * factor }
  }
}

/// Each row of a weight moved along its row of noise by a part of its own length; a tensor of one axis as a whole.
private func filterPerturbed<Scalar: RealScalar>(
  _ parameter: Tensor<Scalar>, by noise: Tensor<Scalar>, length: Scalar
) -> Tensor<Scalar> {
  let rows = parameter.rank > 1 ? parameter.shape[0] : 1
  let (own, drawn) = (parameter.reshaped([rows, -1]), noise.reshaped([rows, -1]))
  let lengths = own.sumOfSquares(axes: [1], keepingAxes: true).sqrt()
  let drawnLengths = drawn.sumOfSquares(axes: [1], keepingAxes: true).sqrt().maximum(.leastNormalMagnitude)
  return (own + drawn * (lengths / drawnLengths * length)).reshaped(parameter.shape)
}

/// Batches that hold as many examples of each class; all examples where they fit into one.
private struct ClassBatches {
  private var order: [[Int]] = []
  private var perClass: Int

  init(labels: Tensor<Int>, classes: Int, size: Int, random: inout RandomStream) {
    perClass = max(1, size / max(classes, 1))
    let count = labels.count / max(classes, 1)
    guard perClass < count else {
      perClass = 0
      return
    }
    order = (0..<classes).map { label in random.permutation(count).scalars.map { label * count + $0 } }
  }

  /// Nil for all.
  func positions(at step: Int) -> Tensor<Int>? {
    guard perClass > 0 else { return nil }
    return Tensor<Int>(
      order.flatMap { members in (0..<perClass).map { members[(step * perClass + $0) % members.count] } })
  }
}

/// The accuracies of fresh networks that learned from few examples alone, by plain gradient descent on all of them.
///
/// - Parameters:
///   - stepSize: of every step.
///   - makeModel: any kind of network, also another one than the experts were.
/// - Throws: `InvalidArgument` for fewer than one step or run, or a step size that is not above zero.
public func evaluateDistilled<Scalar: RealScalar, Model: Layer<Scalar>>(
  _ examples: LabelledData<Scalar>, stepSize: Double, _ makeModel: (inout RandomStream) throws -> Model,
  on test: LabelledData<Scalar>, steps: Int = 150, runs: Int = 5, seed: UInt64 = 1
) throws -> [Double] {
  guard steps >= 1, runs >= 1 else {
    throw InvalidArgument("steps and runs", found: "\(steps) and \(runs)", wanted: "at least 1")
  }
  guard stepSize > 0, stepSize.isFinite else {
    throw InvalidArgument("stepSize", found: "\(stepSize)", wanted: "a finite number above 0")
  }
  let root = RandomStream(seed: seed)
  return try (0..<runs).map { run in
    var random = root.child(UInt64(run))
    let model = try makeModel(&random)
    var parameters = model.parameters.tensors
    for _ in 0..<steps {
      let gradients = valueAndGradients(at: parameters) {
        crossEntropy(model.with(parameters: $0)(examples.features), labels: examples.labels)
      }.gradients
      for i in parameters.indices { parameters[i] -= gradients[i] * Scalar(stepSize) }
    }
    let scores = model.with(parameters: parameters)(test.features)
    return Double((scores.argmax(axis: 1) .== test.labels).trueCount) / Double(test.count)
  }
}
