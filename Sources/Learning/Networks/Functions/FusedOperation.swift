// Operations with a fused kernel. Each also has a plain definition in tensor operations, to which it returns where a
// second derivative is taken: kernels work on raw buffers, which no tape sees.

import CVectorKernels
import Tensors

/// What a kernel returns: the value, and how a change of it falls back on the arguments.
struct FusedResult<Scalar: RealScalar> {
  var value: Tensor<Scalar>
  /// One derivative for each argument that is wanted; nil for the others.
  var pullback: (_ g: Tensor<Scalar>, _ wanted: [Bool]) -> [Tensor<Scalar>?]
}

/// `kernel` at `arguments`, differentiable to any order.
///
/// - Parameters:
///   - kernel: the fused computation on plain numbers; it keeps what the way back needs only when `keeping`.
///   - perExample: for an operation with parameters: what falls on those that are wanted from each example, which lie on
///     the first axis of `g`, along a new first axis.
///   - definition: the same function in differentiable tensor operations.
func fusedOperation<Scalar: RealScalar>(
  at arguments: [Tensor<Scalar>],
  kernel: @escaping (_ arguments: [Tensor<Scalar>], _ keeping: Bool) -> FusedResult<Scalar>,
  perExample: ((_ arguments: [Tensor<Scalar>], _ g: Tensor<Scalar>, _ wanted: [Bool]) -> [Tensor<Scalar>?])? = nil,
  definition: @escaping ([Tensor<Scalar>]) -> Tensor<Scalar>
) -> Tensor<Scalar> {
  guard arguments.contains(where: \.isDifferentiated) else { return kernel(arguments, false).value }
  // Kernels sum over the examples, unless they say what falls on each.
  if perExample == nil, arguments.contains(where: \.isPerExampleParameter) { return definition(arguments) }
  func rule(_ arguments: [Tensor<Scalar>]) -> (values: [Tensor<Scalar>], pullback: Pullback<Scalar, Scalar>) {
    func recomputed(_ g: Tensor<Scalar>) -> [Tensor<Scalar>?] {
      vectorJacobianProduct(at: arguments, of: definition, direction: { _ in g }).gradients
    }
    if arguments.contains(where: \.isDifferentiated) {
      return ([definition(arguments)], { cotangents, _ in cotangents[0].map(recomputed) ?? [] })
    }
    let result = kernel(arguments, true)
    return (
      [result.value],
      { cotangents, wanted in
        guard let g = cotangents[0] else { return [] }
        return g.isDifferentiated ? recomputed(g) : result.pullback(g, wanted)
      }
    )
  }
  guard let perExample else { return customDerivatives(at: arguments, rule)[0] }
  return customDerivatives(
    at: arguments,
    perExample: { arguments in
      let (values, pullback) = rule(arguments)
      return (
        values, pullback, { cotangents, wanted in cotangents[0].map { perExample(arguments, $0, wanted) } ?? [] }
      )
    })[0]
}

extension RealScalar {
  /// This type as the kernels name it.
  static var precision: apus_precision { Self.self == Float.self ? APUS_F32 : APUS_F64 }
}

/// Calls `body` with the addresses of the elements of all tensors, each laid out in row-major order.
func withPointers<Scalar: TensorScalar, Result>(
  _ tensors: [Tensor<Scalar>], _ body: ([UnsafePointer<Scalar>]) -> Result
) -> Result {
  func open(_ found: [UnsafePointer<Scalar>]) -> Result {
    guard found.count < tensors.count else { return body(found) }
    return tensors[found.count].withUnsafeBuffer { buffer in
      guard let start = buffer.baseAddress else { preconditionFailure("a tensor without memory") }
      return open(found + [start])
    }
  }
  return open([])
}

/// A tensor whose elements `body` writes at the address it is given.
func written<Scalar: TensorScalar>(
  _ shape: [Int], _ body: (UnsafeMutablePointer<Scalar>) -> Void
) -> Tensor<Scalar> {
  Tensor(uninitializedShape: shape) { buffer in
    guard let start = buffer.baseAddress else { preconditionFailure("a tensor without memory") }
    body(start)
  }
}
