/// `function` at `inputs`, evaluated again on the way back instead of keeping its intermediate results.
///
/// A chain of n steps, checkpointed in √n groups, needs the memory of 2√n steps for one more evaluation in time. All
/// that `function` depends on differentiably must be among `inputs`; a differentiated tensor that it captures instead
/// traps. It must compute the same both times: random numbers belong in front of it.
///
/// Derivatives of any order. Source: Chen et al., "Training deep nets with sublinear memory cost", arXiv:1604.06174.
public func checkpointed<Scalar: RealScalar>(
  _ inputs: [Tensor<Scalar>], _ function: @escaping ([Tensor<Scalar>]) -> Tensor<Scalar>
) -> Tensor<Scalar> {
  customDerivatives(at: inputs) { inputs in
    (
      values: [function(inputs)],
      pullback: { cotangents, wanted in
        // What is constant to this transform is constant to the repetition.
        let places = inputs.indices.filter { wanted[$0] }
        let (_, gradients) = vectorJacobianProduct(
          at: places.map { inputs[$0] },
          of: { active in
            var all = inputs
            for (place, tensor) in zip(places, active) { all[place] = tensor }
            return function(all)
          }, direction: { cotangents[0] ?? .zeros($0.shape) })
        var result = [Tensor<Scalar>?](repeating: nil, count: inputs.count)
        for (place, gradient) in zip(places, gradients) { result[place] = gradient }
        return result
      }
    )
  }[0]
}

/// `function` at `x`, evaluated again on the way back instead of keeping its intermediate results.
public func checkpointed<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ function: @escaping (Tensor<Scalar>) -> Tensor<Scalar>
) -> Tensor<Scalar> {
  checkpointed([x]) { function($0[0]) }
}
