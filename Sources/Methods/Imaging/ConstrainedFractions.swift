public import LinearAlgebra
public import Tensors

/// Abundances for spectra that are known: min ‖y - M a‖ over a >= 0 with entries that sum to one, for every pixel.
///
/// - Parameters:
///   - data: shape [channels, pixels].
///   - endmembers: M, shape [channels, K].
///   - sumToOneWeight: the weight of the sum beside the data; by default large enough to hold it to about 1e-4.
/// - Returns: shape [K, pixels].
/// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite.
/// - Complexity: O(channels K pixels) time for the products, and O(K³) a pixel at most.
/// - Source: Heinz and Chang, IEEE Trans. Geosci. Remote Sens. 39 (2001).
public func fullyConstrainedLeastSquares<Scalar: LinearScalar>(
  _ data: Tensor<Scalar>, endmembers: Tensor<Scalar>, sumToOneWeight: Double? = nil
) throws -> Tensor<Scalar> {
  try data.requireMatrix("data")
  try endmembers.requireMatrix("endmembers")
  guard data.rows == endmembers.rows else {
    throw InvalidArgument(
      "endmembers", found: "\(endmembers.rows) channels", wanted: "\(data.rows), as the data have")
  }
  if let weight = sumToOneWeight, !(weight >= 0 && weight.isFinite) {
    throw InvalidArgument("sumToOneWeight", found: "\(weight)", wanted: "at least 0")
  }
  let gram = endmembers.multipliedByOwnTranspose(transposing: true)
  let size = gram.diagonal.mean().scalar
  let squared = sumToOneWeight.map { Scalar($0 * $0) } ?? (MemoryLayout<Scalar>.size == 4 ? 1e3 : 1e4) * size
  let moments = data.matmul(endmembers, transposingA: true) + squared
  return nonNegativeRows(gram: gram + squared, moments: moments).transposed.dense
}

/// For each row h of `moments`, the x >= 0 that minimizes xᵀ G x / 2 - hᵀ x, by active sets.
///
/// - Source: Lawson and Hanson, "Solving least squares problems", 1974, chapter 23, on normal equations (Bro and De Jong,
///   J. Chemometrics 11, 1997).
func nonNegativeRows<Scalar: LinearScalar>(gram: Tensor<Scalar>, moments: Tensor<Scalar>) -> Tensor<Scalar> {
  let size = gram.rows
  let g = Tensor<Double>(gram).dense.scalars
  let h = Tensor<Double>(moments).dense
  let solutions = Tensor<Double>(uninitializedShape: moments.shape) { result in
    h.withUnsafeBuffer { h in
      let (from, to) = (h.baseAddress!, result.baseAddress!)
      parallelRanges(moments.rows, grain: 64) { range in
        var work = ActiveSetWork(gram: g, size: size)
        for i in range { work.solve(from + i * size, into: to + i * size) }
      }
    }
  }
  return Tensor<Scalar>(solutions)
}

/// The arrays of one thread.
private struct ActiveSetWork {
  let gram: [Double]
  let size: Int
  var isFree: [Bool]
  var factor, trial: [Double]
  var members: [Int] = []

  init(gram: [Double], size: Int) {
    (self.gram, self.size) = (gram, size)
    isFree = [Bool](repeating: false, count: size)
    factor = [Double](repeating: 0, count: size * size)
    trial = [Double](repeating: 0, count: size)
    members.reserveCapacity(size)
  }

  mutating func solve(_ h: UnsafePointer<Double>, into x: UnsafeMutablePointer<Double>) {
    var tolerance = 0.0
    for k in 0..<size {
      x[k] = 0
      isFree[k] = false
      tolerance = max(tolerance, h[k].magnitude)
    }
    tolerance *= 1e-12
    for _ in 0..<3 * size {
      // The unknown at zero with the steepest descent becomes free.
      var steepest = tolerance
      var entering = -1
      for k in 0..<size where !isFree[k] {
        var slope = h[k]
        for j in 0..<size { slope -= gram[k * size + j] * x[j] }
        if slope > steepest { (steepest, entering) = (slope, k) }
      }
      guard entering >= 0 else { return }
      isFree[entering] = true
      while true {
        guard solveFree(h) else {
          isFree[entering] = false
          return
        }
        // As far as all stay positive; those that reach zero are free no more.
        var step = 1.0
        for (place, k) in members.enumerated() where trial[place] <= 0 {
          step = min(step, x[k] / (x[k] - trial[place]))
        }
        for (place, k) in members.enumerated() {
          x[k] += step * (trial[place] - x[k])
          if step < 1 && x[k] <= 1e-15 && trial[place] <= 0 {
            x[k] = 0
            isFree[k] = false
          }
        }
        if step >= 1 { break }
      }
    }
  }

  /// The unconstrained minimum over the free unknowns, by Cholesky's method; false where these depend on each other.
  private mutating func solveFree(_ h: UnsafePointer<Double>) -> Bool {
    members.removeAll(keepingCapacity: true)
    for k in 0..<size where isFree[k] { members.append(k) }
    let count = members.count
    for (i, row) in members.enumerated() {
      for j in 0...i { factor[i * size + j] = gram[row * size + members[j]] }
      trial[i] = h[row]
    }
    return factor.withUnsafeMutableBufferPointer { factor in
      trial.withUnsafeMutableBufferPointer { trial in
        guard let l = factor.baseAddress, let x = trial.baseAddress,
          SmallCholesky.factor(l, size: count, stride: size, tolerance: 1e-13)
        else { return false }
        SmallCholesky.solve(l, size: count, stride: size, x)
        return true
      }
    }
  }
}
