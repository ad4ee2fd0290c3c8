// What a forward pass needs beside its input: is it training, random numbers for dropout, a place for new statistics.

import Synchronization
public import Tensors

/// One evaluation of a network, or a row of them during training.
///
/// At inference layers use the statistics they have and drop nothing. In training they draw from `random` and note the
/// new running statistics here; the model takes them over after the step (`Module.valueAndGradient(in:)`), for a model
/// is a value and its call changes nothing.
public final class ForwardPass: Sendable {
  public let isTraining: Bool
  private let state: Mutex<State>

  private struct State {
    var random: RandomStream
    var statistics: [ObjectIdentifier: any Sendable] = [:]
  }

  /// Evaluation with what has been learned.
  public static let inference = ForwardPass(isTraining: false, random: RandomStream(seed: 0))

  /// - Parameter random: where dropout and other noise come from.
  public static func training(random: RandomStream) -> ForwardPass {
    ForwardPass(isTraining: true, random: random)
  }

  private init(isTraining: Bool, random: RandomStream) {
    self.isTraining = isTraining
    state = Mutex(State(random: random))
  }

  /// The stream of this pass as it stands: what a resumed run starts from.
  public var random: RandomStream {
    get { state.withLock { $0.random } }
    set { state.withLock { $0.random = newValue } }
  }

  /// A stream of a layer's own.
  public func randomStream() -> RandomStream { state.withLock { $0.random.split() } }

  /// Notes that `buffer` of some layer becomes `value` when the step is done.
  public func update<Scalar: RealScalar>(_ buffer: Tensor<Scalar>, to value: Tensor<Scalar>) {
    guard isTraining else { return }
    precondition(value.shape == buffer.shape, "a buffer of shape \(buffer.shape) cannot become \(value.shape)")
    let value = value.withoutDerivative
    state.withLock { $0.statistics[buffer.storageIdentity] = value }
  }

  /// What `buffer` has become in this pass so far: itself, unless it was updated.
  public func current<Scalar: RealScalar>(_ buffer: Tensor<Scalar>) -> Tensor<Scalar> {
    state.withLock { $0.statistics[buffer.storageIdentity] as? Tensor<Scalar> } ?? buffer
  }

  func forgetStatistics() { state.withLock { $0.statistics = [:] } }

  /// A pass of its own that starts from `random` and from the statistics noted so far.
  private func branch(random: RandomStream) -> ForwardPass {
    let branch = ForwardPass(isTraining: isTraining, random: random)
    let statistics = state.withLock { $0.statistics }
    branch.state.withLock { $0.statistics = statistics }
    return branch
  }

  /// `function` of a part of the network and of `inputs`, evaluated again on the way back instead of keeping its
  /// intermediate results.
  ///
  /// The second evaluation draws the same random numbers; running statistics are noted once. Gradients flow to the
  /// inputs and to the parameters of `module`. `function` must use this module, not one that it captures: a
  /// differentiated tensor that is not among its arguments traps.
  ///
  /// ```swift
  /// for block in blocks { x = pass.checkpointed(block, [x]) { block, x, pass in block(x[0], in: pass) } }
  /// ```
  ///
  /// - Complexity: one more evaluation in time; between the passes it keeps nothing but its arguments.
  public func checkpointed<Part: Module>(
    _ module: Part, _ inputs: [Tensor<Part.Scalar>],
    _ function: @escaping (Part, [Tensor<Part.Scalar>], ForwardPass) -> Tensor<Part.Scalar>
  ) -> Tensor<Part.Scalar> {
    let random = randomStream()
    let start = branch(random: random)
    let parameters = module.parameters.tensors
    let plain = module.with(parameters: parameters.map(\.withoutDerivative))
    let notesHere = Mutex(true)
    return Tensors.checkpointed(inputs + parameters) { [self] arguments in
      let pass = start.branch(random: random)
      let module = plain.with(parameters: Array(arguments[inputs.count...]))
      let value = function(module, Array(arguments[..<inputs.count]), pass)
      let isFirst = notesHere.withLock { isFirst in
        defer { isFirst = false }
        return isFirst
      }
      if isFirst { adoptStatistics(of: pass) }
      return value
    }
  }

  private func adoptStatistics(of pass: ForwardPass) {
    let noted = pass.state.withLock { $0.statistics }
    state.withLock { $0.statistics.merge(noted) { $1 } }
  }
}

extension Layer {
  /// The output, evaluated again on the way back instead of keeping the intermediate results; gradients flow to `x` and
  /// to the parameters. See `ForwardPass.checkpointed`.
  public func checkpointed(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    pass.checkpointed(self, [x]) { layer, x, pass in layer(x[0], in: pass) }
  }
}
