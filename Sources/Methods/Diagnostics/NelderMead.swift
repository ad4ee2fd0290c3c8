import Tensors

/// The simplex method of Nelder and Mead, for a smooth function of a few variables whose derivatives are a bother.
///
/// - Source: Nelder and Mead, The Computer Journal 7 (1965); coefficients 1, 2, 1/2, 1/2.
struct NelderMead {
  var initialStep: Double
  /// The size of the simplex at which the search ends.
  var tolerance: Double
  var iterationLimit: Int

  struct Minimum {
    var point: [Double]
    var value: Double
    var convergence: Convergence
  }

  func minimize(from start: [Double], _ function: ([Double]) -> Double) -> Minimum {
    func vertex(_ point: [Double]) -> (point: [Double], value: Double) { (point, function(point)) }
    var simplex = [vertex(start)]
    for i in start.indices {
      var point = start
      point[i] += initialStep
      simplex.append(vertex(point))
    }
    simplex.sort { $0.value < $1.value }
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    while convergence.continues(residual: size(of: simplex.map(\.point))) {
      let worst = simplex.removeLast()
      let others = simplex.map(\.point)
      let center = start.indices.map { i in others.reduce(0) { $0 + $1[i] } / Double(others.count) }
      /// The point on the line from the worst vertex through the centre, at `distance` beyond it.
      func probe(_ distance: Double) -> (point: [Double], value: Double) {
        vertex(zip(center, worst.point).map { $0 + distance * ($0 - $1) })
      }
      let reflected = probe(1)
      if reflected.value < simplex[0].value {
        let expanded = probe(2)
        simplex.append(expanded.value < reflected.value ? expanded : reflected)
      } else if reflected.value < simplex[simplex.count - 1].value {
        simplex.append(reflected)
      } else {
        let contracted = probe(reflected.value < worst.value ? 0.5 : -0.5)
        if contracted.value < min(reflected.value, worst.value) {
          simplex.append(contracted)
        } else {
          let best = simplex[0]
          simplex.append(worst)
          simplex = [best] + simplex.dropFirst().map { vertex(zip($0.point, best.point).map { 0.5 * ($0 + $1) }) }
        }
      }
      simplex.sort { $0.value < $1.value }
    }
    return Minimum(point: simplex[0].point, value: simplex[0].value, convergence: convergence)
  }

  /// The largest distance of a coordinate from the best vertex's.
  private func size(of points: [[Double]]) -> Double {
    points.reduce(0) { size, point in max(size, zip(point, points[0]).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }) }
  }
}
