// Nearest points of convex sets.

public import Tensors

/// Euclidean projections: the nearest point of a set. All act along the last axis, on each row by itself, but for the
/// nuclear norm's, which takes a matrix as a whole.
extension Tensor where Scalar: LinearScalar {
  /// The nearest point with non-negative entries that sum to `total`, for each row.
  ///
  /// - Throws: `InvalidArgument` unless this has a last axis that is not empty and finite numbers, and `total` is positive.
  /// - Complexity: O(n) time a row for nearly all data.
  /// - Source: Condat, "Fast projection onto the simplex and the l1 ball", Math. Program. 158 (2016).
  public func projectedOntoSimplex(total: Scalar = 1) throws -> Tensor {
    try requireRows(radius: total, "total")
    return mapRows { row, result, n in
      let threshold = simplexThreshold(row, count: n, total: total)
      for i in 0..<n { result[i] = Swift.max(row[i] - threshold, 0) }
    }
  }

  /// The nearest point with absolute entries that sum to at most `radius`, for each row.
  ///
  /// - Throws: as ``projectedOntoSimplex(total:)``.
  /// - Complexity: O(n) time a row for nearly all data.
  /// - Source: Duchi, Shalev-Shwartz, Singer and Chandra, ICML 2008.
  public func projectedOntoL1Ball(radius: Scalar = 1) throws -> Tensor {
    try requireRows(radius: radius, "radius")
    return mapRows { row, result, n in
      for i in 0..<n { result[i] = row[i].magnitude }
      let sum = Scalar.reduce(.sum, result, stride: 1, count: n)
      guard sum > radius else {
        result.update(from: row, count: n)
        return
      }
      let threshold = simplexThreshold(result, count: n, total: radius)
      softThreshold(row, threshold, result, count: n)
    }
  }

  /// The nearest point of length at most `radius`, for each row.
  ///
  /// - Throws: as ``projectedOntoSimplex(total:)``.
  public func projectedOntoL2Ball(radius: Scalar = 1) throws -> Tensor {
    try requireRows(radius: radius, "radius")
    return mapRows { row, result, n in
      let largest = Swift.max(
        Scalar.reduce(.largest, row, stride: 1, count: n), -Scalar.reduce(.smallest, row, stride: 1, count: n))
      var scale: Scalar = 1
      if largest > 0 {
        // Relative to the largest entry: no overflow.
        var sum: Scalar = 0
        for i in 0..<n {
          let part = row[i] / largest
          sum += part * part
        }
        let relative = radius / largest / .sqrt(sum)
        if relative < 1 { scale = relative }
      }
      for i in 0..<n { result[i] = row[i] * scale }
    }
  }

  /// The nearest point between the bounds, entry by entry; bounds broadcast.
  ///
  /// - Throws: `InvalidArgument` when a lower bound exceeds an upper one.
  public func projectedOntoBox(lower: Tensor, upper: Tensor) throws -> Tensor {
    guard !(lower .> upper).any else {
      throw InvalidArgument("lower", found: "a bound above the upper one", wanted: "lower <= upper")
    }
    return maximum(lower).minimum(upper)
  }

  /// The nearest matrix in the Frobenius norm whose singular values sum to at most `radius`.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers and the radius positive.
  /// - Complexity: that of the singular value decomposition.
  public func projectedOntoNuclearNormBall(radius: Scalar = 1) throws -> Tensor {
    guard radius > 0, radius.isFinite else {
      throw InvalidArgument("radius", found: "\(radius)", wanted: "a positive number")
    }
    let svd = try SingularValueDecomposition(of: self)
    guard !isEmpty, svd.values.sum().scalar > radius else { return self }
    let values = try svd.values.projectedOntoSimplex(total: radius)
    return (svd.left * values).matmul(svd.right, transposingB: true)
  }

  private func requireRows(radius: Scalar, _ name: String) throws {
    requireConstant()
    guard rank > 0, shape[rank - 1] > 0 else {
      throw InvalidArgument("x", found: "shape \(shape)", wanted: "a last axis that is not empty")
    }
    guard radius > 0, radius.isFinite else {
      throw InvalidArgument(name, found: "\(radius)", wanted: "a positive number")
    }
    try requireFinite("x")
  }

  /// Applies a function of a row along the last axis.
  private func mapRows(
    _ body: (UnsafePointer<Scalar>, UnsafeMutablePointer<Scalar>, Int) -> Void
  ) -> Tensor {
    let n = shape[rank - 1]
    let count = self.count / n
    return Tensor(uninitializedShape: shape) { result in
      guard count > 0 else { return }
      withUnsafeBuffer { x in
        let (x, result) = (x.baseAddress!, result.baseAddress!)
        parallelRanges(count, grain: Swift.max(1, 2048 / n)) { rows in
          for i in rows { body(x + i * n, result + i * n, n) }
        }
      }
    }
  }
}

/// The number t with sum of max(x - t, 0) = total.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func simplexThreshold<Scalar: LinearScalar>(_ x: UnsafePointer<Scalar>, count n: Int, total: Scalar) -> Scalar {
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: 2 * n) { buffer in
    let active = buffer.baseAddress!
    let waiting = active + n
    var activeCount = 1
    var waitingCount = 0
    active[0] = x[0]
    var threshold = x[0] - total
    for i in 1..<Swift.max(n, 1) where x[i] > threshold {
      threshold += (x[i] - threshold) / Scalar(activeCount + 1)
      if threshold > x[i] - total {
        active[activeCount] = x[i]
        activeCount += 1
      } else {
        // The new entry alone outweighs all of them; they wait.
        (waiting + waitingCount).update(from: active, count: activeCount)
        waitingCount += activeCount
        active[0] = x[i]
        activeCount = 1
        threshold = x[i] - total
      }
    }
    for i in 0..<waitingCount where waiting[i] > threshold {
      active[activeCount] = waiting[i]
      activeCount += 1
      threshold += (waiting[i] - threshold) / Scalar(activeCount)
    }
    while true {
      var kept = 0
      var sum: Scalar = 0
      for i in 0..<activeCount where active[i] > threshold {
        active[kept] = active[i]
        sum += active[i]
        kept += 1
      }
      guard kept > 0 else { return threshold }
      let isDone = kept == activeCount
      activeCount = kept
      // Afresh from the sum: the updates above have collected rounding.
      threshold = (sum - total) / Scalar(kept)
      if isDone { return threshold }
    }
  }
}

/// sign(x) max(|x| - threshold, 0).
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func softThreshold<Scalar: LinearScalar>(
  _ x: UnsafePointer<Scalar>, _ threshold: Scalar, _ result: UnsafeMutablePointer<Scalar>, count: Int
) {
  for i in 0..<count { result[i] = max(x[i] - threshold, 0) + min(x[i] + threshold, 0) }
}
