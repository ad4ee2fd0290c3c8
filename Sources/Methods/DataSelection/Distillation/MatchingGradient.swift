// The derivative of a matching loss through many steps of training.

import Networks
public import Tensors

/// A place where the student's path is compared with the expert's.
public struct TrajectoryMatch<Scalar: RealScalar>: Sendable {
  /// After how many steps of the student.
  public var step: Int
  public var target: [Tensor<Scalar>]
  public var weight: Double

  public init(step: Int, target: [Tensor<Scalar>], weight: Double) {
    (self.step, self.target, self.weight) = (step, target, weight)
  }
}

/// Trains a student from a given start by plain gradient descent on synthetic examples, and differentiates how far it
/// ends from its targets.
///
/// θ_n = θ_{n-1} - exp(a) ∇ℓ_n(θ_{n-1}; X);    L = Σ weight · |θ_step - target|² / scale.
///
/// The steps are taken in segments. Only the parameters at the start of each are kept; on the way back a segment is run
/// again under the tape and the derivative λ of L with respect to its end pulled through. Segments of one step are the
/// exact reverse recursion λ ← λ - exp(a) H λ by Hessian-vector products; one segment is plain unrolling, the quickest
/// where memory allows it; √N steps a segment need the memory of about 2 √N. All give the same numbers.
public struct UnrolledTraining<Scalar: RealScalar>: Sendable {
  public typealias Loss = (_ parameters: [Tensor<Scalar>], _ inputs: Tensor<Scalar>, _ step: Int) -> Tensor<Scalar>

  public var steps: Int
  /// Steps in a segment.
  public var segment: Int

  public struct Result {
    public var loss: Double
    /// With respect to the inputs.
    public var gradient: Tensor<Scalar>
    /// With respect to a, the logarithm of the step size.
    public var stepGradient: Double
    /// θ_N.
    public var end: [Tensor<Scalar>]
  }

  public init(steps: Int, segment: Int) {
    precondition(steps >= 1 && segment >= 1, "\(steps) steps in segments of \(segment)")
    (self.steps, self.segment) = (steps, segment)
  }

  /// - Parameters:
  ///   - loss: of step n = 0 ..< steps, differentiable in parameters and inputs.
  ///   - scale: what all distances are divided by.
  public func differentiate(
    from start: [Tensor<Scalar>], inputs: Tensor<Scalar>, logStep: Double, matches: [TrajectoryMatch<Scalar>],
    scale: Double, loss: Loss
  ) -> Result {
    let size = Tensor(Scalar(logStep))
    let starts = Array(stride(from: 0, to: steps, by: segment))
    var kept = [start]
    for (i, first) in starts.dropLast().enumerated() {
      var parameters = kept[i]
      let rate = Scalar(Double.exp(logStep))
      for step in first..<first + segment {
        let gradients = valueAndGradients(at: parameters) { loss($0, inputs, step) }.gradients
        for k in parameters.indices { parameters[k] -= gradients[k] * rate }
      }
      kept.append(parameters)
    }
    var total = 0.0
    var end: [Tensor<Scalar>] = []
    var toInputs = Tensor<Scalar>.zeros(inputs.shape)
    var toStep = 0.0
    var lambda: [Tensor<Scalar>]?
    for (i, first) in starts.enumerated().reversed() {
      let last = min(first + segment, steps)
      let here = matches.filter { $0.step > first && $0.step <= last }
      // All parameters at the end, then at each place of a match inside.
      let count = start.count
      let (_, gradients) = vectorJacobianProduct(
        at: kept[i] + [inputs, size],
        ofAll: { arguments in
          var parameters = Array(arguments[..<count])
          let (inputs, rate) = (arguments[count], arguments[count + 1].exp())
          var results: [Tensor<Scalar>] = []
          for step in first..<last {
            let gradients = valueAndGradients(at: parameters) { loss($0, inputs, step) }.gradients
            parameters = zip(parameters, gradients).map { $0 - $1 * rate }
            if step + 1 < last, here.contains(where: { $0.step == step + 1 }) { results += parameters }
          }
          return parameters + results
        },
        directions: { values in
          var directions = values.map { Tensor<Scalar>.zeros($0.shape) }
          if let lambda { for k in 0..<count { directions[k] = lambda[k] } }
          if last == steps { end = Array(values[..<count]) }
          let inside = Set(here.map(\.step)).subtracting([last]).sorted()
          for match in here {
            let place = match.step == last ? 0 : ((inside.firstIndex(of: match.step) ?? 0) + 1) * count
            for k in 0..<count {
              let difference = values[place + k].withoutDerivative - match.target[k]
              total += match.weight / scale * Double(difference.sumOfSquares().scalar)
              directions[place + k] += difference * Scalar(2 * match.weight / scale)
            }
          }
          return directions
        })
      lambda = Array(gradients[..<count])
      toInputs += gradients[count]
      toStep += Double(gradients[count + 1].scalar)
    }
    return Result(loss: total, gradient: toInputs, stepGradient: toStep, end: end)
  }
}
