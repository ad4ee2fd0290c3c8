// Averages of a model over its training: often better than its last state, and never noisier.

import CVectorKernels
public import Networks
import Tensors

/// An exponential moving average of a model.
///
/// ```swift
/// var average = ExponentialAverage(of: model, decay: 0.999)
/// // after each step:
/// average.update(with: model)
/// ```
///
/// - Source: Polyak and Juditsky, SIAM J. Control and Optimization 30, 1992, for averaging; the warm-up as in
///   TensorFlow's moving averages.
public struct ExponentialAverage<Model: Module>: Sendable {
  /// The average; buffers are those of the model last seen.
  public private(set) var model: Model
  /// How much of the average is kept in an update.
  public var decay: Double
  /// Whether early updates keep less: (1 + t) / (10 + t) at most in update t, counted from zero.
  public var warmsUp: Bool
  /// Models averaged after the first.
  public private(set) var updates = 0

  public init(of model: Model, decay: Double = 0.999, warmsUp: Bool = true) {
    self.model = model
    self.decay = decay
    self.warmsUp = warmsUp
  }

  /// Goes on from a saved average.
  public init(resuming model: Model, updates: Int, decay: Double = 0.999, warmsUp: Bool = true) {
    self.init(of: model, decay: decay, warmsUp: warmsUp)
    self.updates = updates
  }

  public mutating func update(with newer: Model) {
    let limit = Double(1 + updates) / Double(10 + updates)
    model.moveAverage(towards: newer, share: 1 - (warmsUp ? min(decay, limit) : decay))
    updates += 1
  }
}

/// The plain mean of models along a training at a constant or cyclic learning rate.
///
/// - Source: Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018, algorithm 1.
public struct StochasticWeightAverage<Model: Module>: Sendable {
  /// The mean; buffers are those of the model last seen, so statistics of normalisations are to be gathered anew.
  public private(set) var model: Model
  /// Models in the mean.
  public private(set) var count: Int

  public init(of model: Model) { self.init(resuming: model, count: 1) }

  /// Goes on from a saved mean of `count` models.
  public init(resuming model: Model, count: Int) {
    self.model = model
    self.count = count
  }

  public mutating func update(with newer: Model) {
    count += 1
    model.moveAverage(towards: newer, share: 1 / Double(count))
  }
}

extension Module {
  /// Moves every parameter by a share of the way to another model's, in place, and takes over its buffers.
  fileprivate mutating func moveAverage(towards newer: Self, share: Double) {
    var other = newer
    var sources: [Tensor<Scalar>] = []
    other.forEachTensor { _, _, tensor in sources.append(tensor) }
    var rule = apus_rule(APUS_RULE_DESCENT, rate: -share)
    rule.kept = 1 - share
    var next = 0
    forEachTensor { name, role, tensor in
      let source = sources[next]
      next += 1
      guard role == .parameter else {
        tensor = source
        return
      }
      let shape = tensor.shape
      precondition(source.shape == shape, "\(name) has shape \(shape) in the average, but now \(source.shape)")
      var none: [Tensor<Scalar>] = []
      tensor.withUnsafeMutableBuffer { buffer in
        rule.apply(shape, UnsafePointer(buffer.baseAddress), source, &none, to: buffer.baseAddress)
      }
    }
  }
}
