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

  /// `function` at `x`, evaluated again on the way back instead of keeping its intermediate results; the second
  /// evaluation draws the same random numbers.
  public func checkpointed<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ function: @escaping (Tensor<Scalar>, ForwardPass) -> Tensor<Scalar>
  ) -> Tensor<Scalar> {
    let before = randomStream()
    let isTraining = isTraining
    return customDerivative(at: x) { x in
      func evaluate(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
        function(x, ForwardPass(isTraining: isTraining, random: before))
      }
      return (
        evaluate(x),
        { g in vectorJacobianProduct(at: [x], of: { evaluate($0[0]) }, direction: { _ in g }).gradients[0] }
      )
    }
  }
}
