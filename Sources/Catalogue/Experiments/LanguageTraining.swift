public import Datasets
public import Networks
public import Optimizers
public import Tensors

/// Training of a model of text on random windows, with the places where a method may take part.
///
/// ```swift
/// let training = LanguageTraining(steps: 300, random: RandomStream(seed: 1))
/// training.run(&model, optimizer: &optimizer, on: character.train) { model, tokens, pass in model(tokens, in: pass) }
/// ```
public struct LanguageTraining: Sendable {
  public var steps: Int
  public var batchSize: Int
  public var schedule: Schedule
  /// The places of the windows, and dropout.
  public var random: RandomStream

  public init(steps: Int, batchSize: Int = 16, schedule: Schedule = .constant, random: RandomStream) {
    (self.steps, self.batchSize, self.schedule, self.random) = (steps, batchSize, schedule, random)
  }

  /// Trains `model` by the cross-entropy of its scores for the next token.
  ///
  /// - Parameters:
  ///   - isTrainable: which parameters are learned, by name.
  ///   - beforeForward: may change the model before the pass of a step, which is counted from zero.
  ///   - afterGradient: sees the gradient of a step before it is used.
  ///   - afterStep: sees the model after the optimizer changed it.
  ///   - scores: of the model for tokens [batch, length]: shape [batch, length, vocabulary].
  /// - Returns: the loss of every step.
  @discardableResult
  public func run<Model: Module<Float>, Method: Optimizer<Float>>(
    _ model: inout Model, optimizer: inout Method, on windows: TokenWindows,
    where isTrainable: (String) -> Bool = { _ in true },
    beforeForward: (Int, inout Model) throws -> Void = { _, _ in },
    afterGradient: (Int, NamedTensors<Float>) throws -> Void = { _, _ in },
    afterStep: (Int, Model) throws -> Void = { _, _ in },
    scores: (Model, Tensor<Int>, ForwardPass) -> Tensor<Float>
  ) rethrows -> [Double] {
    let pass = ForwardPass.training(random: random.child(UInt64(steps)))
    var losses: [Double] = []
    for step in 0..<steps {
      let batch = windows.batch(at: step, size: batchSize, random: random)
      try beforeForward(step, &model)
      let (loss, gradient) = model.valueAndGradient(in: pass, where: isTrainable) { model, pass in
        crossEntropy(scores(model, batch.inputs, pass), labels: batch.targets)
      }
      try afterGradient(step, gradient)
      optimizer.update(&model, along: gradient, rateFactor: schedule(step))
      try afterStep(step, model)
      losses.append(Double(loss.scalar))
    }
    return losses
  }
}
