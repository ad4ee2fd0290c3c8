public import LinearAlgebra
import Networks
import Optimizers
public import Tensors

/// Trains a network to propose search directions, without solutions: on mixtures of Ritz vectors that favour low
/// frequencies.
///
/// - Complexity: a forward and a backward pass of the network for each of `steps` batches.
/// - Source: Kaneda et al., ICML 2023, section 5.
public struct DirectionTraining: Sendable, Hashable {
  /// m.
  public var ritzCount = 300
  /// What the coefficients of low frequencies are multiplied with.
  public var lowFrequencyBoost = 9.0
  /// θ: beside the lower half of the Ritz vectors, so many more count as low; by default a twentieth of all.
  public var boostedBeyondHalf: Int?
  public var batchSize = 10
  /// Falls linearly to zero.
  public var learningRate = 1e-3
  public var steps = 500
  public var seed: UInt64 = 1

  public init(steps: Int = 500, ritzCount: Int = 300, seed: UInt64 = 1) {
    (self.steps, self.ritzCount, self.seed) = (steps, ritzCount, seed)
  }

  /// A network that has learned, and the loss of each step.
  public struct Result: Sendable {
    public let network: DirectionNetwork<Float>
    public let losses: [Double]
  }

  /// - Throws: `InvalidArgument` for settings out of range; `CancellationError`.
  public func train(
    _ network: DirectionNetwork<Float>, on grid: GridPoisson<Float>, progress: WorkProgress = .silent
  ) throws -> Result {
    guard steps >= 1, batchSize >= 1, learningRate > 0 else {
      throw InvalidArgument(
        "training", found: "\(steps) steps of \(batchSize) at rate \(learningRate)", wanted: "positive numbers")
    }
    guard grid.extents.count == network.dimensions else {
      throw InvalidArgument(
        "grid", found: "\(grid.extents.count) axes", wanted: "\(network.dimensions), as the network has")
    }
    var random = RandomStream(seed: seed)
    let double = try GridPoisson<Double>(
      grid.extents, mask: grid.mask.map { ($0 .> 0).reshaped(grid.extents) })
    let ritz = try ritzVectors(double, count: ritzCount, random: &random, progress: progress)
    var network = network
    var optimizer = Adam<Float>(learningRate: learningRate)
    let schedule = Schedule.linear(steps: steps)
    var losses: [Double] = []
    for step in 0..<steps {
      try progress.report(step, of: steps, "training")
      let batch = Tensor<Float>(mixtures(of: ritz, random: &random))
      let images = batch.reshaped([batchSize, 1] + grid.extents)
      let (loss, gradient) = network.valueAndGradient { network in
        var directions = network(images).reshaped([batchSize, grid.count])
        if let mask = grid.mask { directions = directions * mask }
        return directionLoss(grid, directions: directions, rightSides: batch)
      }
      losses.append(Double(loss.scalar))
      optimizer.update(&network, along: gradient, rateFactor: schedule(step))
    }
    return Result(network: network, losses: losses)
  }

  /// Right sides of length one, shape [batch, cells].
  public func mixtures(of ritz: RitzVectors, random: inout RandomStream) -> Tensor<Double> {
    let count = ritz.values.count
    let boosted = count / 2 + (boostedBeyondHalf ?? count / 20)
    let factors = Tensor((0..<count).map { $0 < boosted ? lowFrequencyBoost : 1 })
    let mixed = (random.normal([batchSize, count], of: Double.self) * factors)
      .matmul(ritz.vectors, transposingB: true)
    return mixed / mixed.norm(axes: [1], keepingAxes: true)
  }
}
