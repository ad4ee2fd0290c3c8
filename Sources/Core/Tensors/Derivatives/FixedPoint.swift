// A fixed point as a differentiable function of the parameters of its equation.
//
// z = f(z, θ) gives dz = (I - J)⁻¹ (∂f/∂θ) dθ with J = ∂f/∂z: the way back solves one linear system with (I - J)ᵀ, by
// products alone, and knows nothing of how the fixed point was found. The solution of that system is a differentiable
// function of its right-hand side and of the parameters again, by the same argument, so that the derivatives are of any
// order.
//
// Sources: implicit function theorem; Bai, Kolter, Koltun, "Deep equilibrium models", NeurIPS 2019; Saad and Schultz,
// "GMRES", SIAM J. Sci. Stat. Comput. 1986.

/// The z with z = function(z, parameters), by iteration from `start`, differentiable with respect to the parameters.
///
/// - Parameters:
///   - function: all that it depends on differentiably must be in its arguments; a differentiated tensor that it captures
///     traps.
///   - start: where the iteration begins; the result's derivative does not depend on it.
///   - tolerance: on ‖f(z) - z‖ / ‖f(z)‖; also on the relative residual of the linear systems of the derivatives.
///   - maximumIterations: of the iteration, and of products in each linear system.
/// - Returns: f at the last iterate, and how the iteration went. Where the iteration has not converged the derivative
///   is that at the point returned; where a linear system of the derivative is not solved, the derivative is NaN.
public func fixedPoint<Scalar: RealScalar>(
  of function: @escaping (_ z: Tensor<Scalar>, _ parameters: [Tensor<Scalar>]) -> Tensor<Scalar>,
  from start: Tensor<Scalar>, parameters: [Tensor<Scalar>], tolerance: Double = 1e-8, maximumIterations: Int = 1000
) -> (value: Tensor<Scalar>, convergence: Convergence) {
  var convergence = Convergence(tolerance: tolerance, iterationLimit: maximumIterations)
  let constants = parameters.map(\.withoutDerivative)
  var value = start.withoutDerivative
  while true {
    let next = function(value, constants)
    requireConstant(next, "fixedPoint")
    precondition(
      next.shape == value.shape, "fixedPoint: the function takes shape \(value.shape) to shape \(next.shape)")
    let residual = euclideanNorm(next - value) / max(euclideanNorm(next), .leastNormalMagnitude)
    value = next
    guard convergence.continues(residual: residual) else { break }
  }
  let equation = Equation(
    function: { z, parameters, _ in z - function(z, parameters) },
    tolerance: max(tolerance, leastTolerance(Scalar.self)),
    limit: maximumIterations)
  return (equation.solution(value, parameters, []), convergence)
}

/// No linear system is solved to more digits than there are.
private func leastTolerance<Scalar: RealScalar>(_ type: Scalar.Type) -> Double { 16 * Double(Scalar.ulpOfOne) }

private func euclideanNorm<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Double {
  Double(x.sumOfSquares().scalar).squareRoot()
}

private func requireConstant<Scalar: RealScalar>(_ value: Tensor<Scalar>, _ operation: String) {
  precondition(
    !value.isDifferentiated,
    "\(operation): the function depends on a differentiated tensor that is not among its parameters; pass it as one")
}

/// F(z, θ, b) = 0 as an equation for z.
private struct Equation<Scalar: RealScalar> {
  typealias Function = (_ z: Tensor<Scalar>, _ parameters: [Tensor<Scalar>], _ sides: [Tensor<Scalar>]) -> Tensor<
    Scalar
  >
  let function: Function
  let tolerance: Double
  let limit: Int

  /// The known solution `value`, with its derivative with respect to `parameters` and `sides`.
  func solution(
    _ value: Tensor<Scalar>, _ parameters: [Tensor<Scalar>], _ sides: [Tensor<Scalar>]
  ) -> Tensor<Scalar> {
    let count = parameters.count
    guard innermostTape(of: parameters + sides) != nil else { return value }
    return customDerivatives(at: parameters + sides) { arguments in
      let parameters = Array(arguments[..<count])
      let sides = Array(arguments[count...])
      // As the enclosing transforms see it.
      let z = solution(value, parameters, sides)
      return (
        values: [z],
        pullback: { cotangents, wanted in
          guard let cotangent = cotangents[0] else { return arguments.map { _ in nil } }
          // wᵀ ∂F/∂z = cotangentᵀ, and then -wᵀ ∂F/∂(θ, b).
          let w = adjoint(of: z, arguments, count, cotangent)
          let (_, gradients) = vectorJacobianProduct(
            at: arguments, of: { function(z, Array($0[..<count]), Array($0[count...])) }, direction: { _ in -w })
          return zip(gradients, wanted).map { $1 ? $0 : nil }
        }
      )
    }[0]
  }

  /// The w with wᵀ ∂F/∂z = cotangentᵀ, as a differentiable function of all it depends on.
  private func adjoint(
    of z: Tensor<Scalar>, _ arguments: [Tensor<Scalar>], _ count: Int, _ cotangent: Tensor<Scalar>
  ) -> Tensor<Scalar> {
    func applied(_ w: Tensor<Scalar>, _ z: Tensor<Scalar>, _ arguments: [Tensor<Scalar>]) -> Tensor<Scalar> {
      let rest = arguments
      return vectorJacobianProduct(
        at: [z], of: { function($0[0], Array(rest[..<count]), Array(rest[count...])) }, direction: { _ in w }
      ).gradients[0]
    }
    let plainZ = z.withoutDerivative
    let plain = arguments.map(\.withoutDerivative)
    let w = solvedByKrylov(cotangent.withoutDerivative, tolerance: tolerance, limit: limit) { w in
      applied(w, plainZ, plain)
    }
    guard z.isDifferentiated || cotangent.isDifferentiated || arguments.contains(where: \.isDifferentiated) else {
      return w
    }
    let linear = Equation(
      function: { w, parameters, sides in applied(w, parameters[0], Array(parameters.dropFirst())) - sides[0] },
      tolerance: tolerance, limit: limit)
    return linear.solution(w, [z] + arguments, [cotangent])
  }
}

/// The x with `product(x)` = b, by restarted GMRES; NaN when it is not found within `limit` products.
private func solvedByKrylov<Scalar: RealScalar>(
  _ b: Tensor<Scalar>, tolerance: Double, limit: Int, _ product: (Tensor<Scalar>) -> Tensor<Scalar>
) -> Tensor<Scalar> {
  let size = euclideanNorm(b)
  guard size > 0 else { return b }
  let restart = 40
  var x = Tensor<Scalar>.zeros(b.shape)
  var residual = b
  var products = 0
  while products < limit {
    let start = euclideanNorm(residual)
    guard start.isFinite else { break }
    if start <= tolerance * size { return x }
    var basis = [residual / Scalar(start)]
    // The upper triangle after rotations, and the rotated right-hand side.
    var columns: [[Double]] = []
    var rotations: [(cosine: Double, sine: Double)] = []
    var side = [start]
    while columns.count < restart && products < limit && abs(side[columns.count]) > tolerance * size {
      var next = product(basis[columns.count])
      products += 1
      var column: [Double] = []
      // Twice, for the basis to stay orthogonal.
      for pass in 0..<2 {
        for (i, direction) in basis.enumerated() {
          let share = Double((direction * next).sum().scalar)
          next -= direction * Scalar(share)
          if pass == 0 { column.append(share) } else { column[i] += share }
        }
      }
      let length = euclideanNorm(next)
      for (i, rotation) in rotations.enumerated() {
        let (a, b) = (column[i], column[i + 1])
        column[i] = rotation.cosine * a + rotation.sine * b
        column[i + 1] = rotation.cosine * b - rotation.sine * a
      }
      let last = column.count - 1
      let radius = (column[last] * column[last] + length * length).squareRoot()
      guard radius > 0, radius.isFinite else { break }
      let rotation = (cosine: column[last] / radius, sine: length / radius)
      rotations.append(rotation)
      column[last] = radius
      columns.append(column)
      side.append(-rotation.sine * side[last])
      side[last] *= rotation.cosine
      guard length > 0 else { break }
      basis.append(next / Scalar(length))
    }
    guard !columns.isEmpty else { break }
    var weights = Array(side.prefix(columns.count))
    for i in columns.indices.reversed() {
      for j in (i + 1)..<max(columns.count, i + 1) { weights[i] -= columns[j][i] * weights[j] }
      weights[i] /= columns[i][i]
    }
    for (weight, direction) in zip(weights, basis) { x += direction * Scalar(weight) }
    residual = b - product(x)
    products += 1
  }
  return euclideanNorm(residual) <= 10 * tolerance * size ? x : Tensor(repeating: .nan, shape: b.shape)
}
