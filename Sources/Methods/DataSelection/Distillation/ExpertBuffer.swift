// Trajectories of networks that learn from real data: what distilled data are to reproduce.

public import Datasets
public import Networks
import Numerics
public import Tensors

/// How experts are kept smooth, so that successive snapshots are easy to imitate.
public struct ExpertSmoothness: Sendable, Hashable {
  /// The loss of an example counts at most this; beyond it has no gradient.
  public var clip: Double?
  /// The weight of the mean over examples of |∂ loss / ∂ x|².
  public var gradientPenalty: Double

  public init(clip: Double? = 3, gradientPenalty: Double = 0.1) {
    (self.clip, self.gradientPenalty) = (clip, gradientPenalty)
  }

  /// Neither: the experts of plain trajectory matching.
  public static let none = ExpertSmoothness(clip: nil, gradientPenalty: 0)
}

/// Snapshots of several networks, taken at the start and after each epoch of plain gradient descent.
public struct ExpertBuffer<Scalar: RealScalar>: Sendable {
  /// `snapshots[expert][epoch]`: the parameters in the order of the model's visit.
  public let snapshots: [[[Tensor<Scalar>]]]

  public init(snapshots: [[[Tensor<Scalar>]]]) { self.snapshots = snapshots }

  public var epochs: Int { (snapshots.first?.count ?? 1) - 1 }

  /// The mean over the experts of |θ_{t+1} - θ_t|, for each epoch t.
  public var stepNorms: [Double] {
    (0..<epochs).map { t in
      let norms = snapshots.map { expert in squaredDistance(expert[t + 1], expert[t]).squareRoot() }
      return norms.reduce(0, +) / Double(max(norms.count, 1))
    }
  }

  /// Trains the experts.
  ///
  /// - Parameters:
  ///   - makeModel: a network with new random weights.
  ///   - count: how many experts.
  ///   - learningRate: of plain gradient descent on batches of `batchSize`.
  /// - Throws: `InvalidArgument` for settings out of range and features that are not finite; `CancellationError`.
  /// - Complexity: with a gradient penalty each step takes a second derivative, about three times the plain one.
  public static func train<Model: Layer<Scalar>>(
    _ makeModel: (inout RandomStream) throws -> Model, on data: LabelledData<Scalar>, epochs: Int = 15, count: Int = 4,
    learningRate: Double = 0.1, batchSize: Int = 64, smoothness: ExpertSmoothness = ExpertSmoothness(),
    seed: UInt64 = 1, progress: WorkProgress = .silent
  ) throws -> ExpertBuffer {
    for (name, value) in [("epochs", epochs), ("count", count), ("batchSize", batchSize)] where value < 1 {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least 1")
    }
    guard learningRate > 0, learningRate.isFinite else {
      throw InvalidArgument("learningRate", found: "\(learningRate)", wanted: "a finite number above 0")
    }
    guard smoothness.gradientPenalty >= 0, smoothness.clip.map({ $0 > 0 }) ?? true else {
      throw InvalidArgument("smoothness", found: "\(smoothness)", wanted: "a penalty of at least 0 and a clip above 0")
    }
    guard data.count > 0 else { throw InvalidArgument("data", found: "no examples", wanted: "at least one") }
    try data.features.requireFinite("features")
    let root = RandomStream(seed: seed)
    var snapshots: [[[Tensor<Scalar>]]] = []
    for expert in 0..<count {
      var random = root.child(UInt64(expert))
      let model = try makeModel(&random)
      var parameters = model.parameters.tensors
      var batches = Batches(count: data.count, size: batchSize, random: random.split())
      var path = [parameters]
      for epoch in 0..<epochs {
        for step in epoch * batches.perEpoch..<(epoch + 1) * batches.perEpoch {
          let batch = data.taken(batches.positions(at: step))
          let gradients = valueAndGradients(at: parameters) { parameters in
            expertLoss(model.with(parameters: parameters), batch.features, batch.labels, smoothness)
          }.gradients
          for i in parameters.indices { parameters[i] -= gradients[i] * Scalar(learningRate) }
        }
        path.append(parameters)
        try progress.report(expert * epochs + epoch + 1, of: count * epochs)
      }
      if let broken = parameters.first(where: { !$0.isFinite }) {
        throw InvalidArgument(
          "learningRate", found: "\(learningRate), at which an expert's weights of shape \(broken.shape) diverge",
          wanted: "a smaller one")
      }
      snapshots.append(path)
    }
    return ExpertBuffer(snapshots: snapshots)
  }
}

/// The loss that experts learn by: clipped, and with a penalty on its slope in the input. Differentiable in the model's
/// parameters.
public func expertLoss<Scalar: RealScalar, Model: Layer<Scalar>>(
  _ model: Model, _ inputs: Tensor<Scalar>, _ labels: Tensor<Int>, _ smoothness: ExpertSmoothness
) -> Tensor<Scalar> {
  func losses(_ inputs: Tensor<Scalar>) -> Tensor<Scalar> {
    let plain = crossEntropy(model(inputs), labels: labels, reduction: .none)
    return smoothness.clip.map { plain.minimum(Scalar($0)) } ?? plain
  }
  guard smoothness.gradientPenalty > 0 else { return losses(inputs).mean() }
  let (sum, slopes) = valueAndGradient(at: inputs) { losses($0).sum() }
  let count = Scalar(labels.count)
  return sum / count + slopes.sumOfSquares() * (Scalar(smoothness.gradientPenalty) / count)
}

func squaredDistance<Scalar: RealScalar>(_ a: [Tensor<Scalar>], _ b: [Tensor<Scalar>]) -> Double {
  zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1).sumOfSquares().scalar) }
}
