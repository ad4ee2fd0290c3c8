// A matrix taken apart for relaxation: sweeps that leave the residual behind without another product.

public import Tensors

/// Sweeps of over-relaxation, x ← x + (D / ω + L)⁻¹ (b - A x) with A = L + D + U, over a matrix that is kept.
///
/// With (D / ω + L) δ = r the new residual is ((1/ω - 1) D - U) δ: of a symmetric matrix, a sweep and the residual after it
/// take one pass over half the entries.
/// - Source: Khodak et al., "Learning to relax", ICLR 2024, arXiv 2310.02246, appendix.
public struct RelaxationSweep<Scalar: LinearScalar>: Sendable {
  private let splitting: TriangularSplitting<Scalar>
  public let relaxation: Double

  /// - Throws: `InvalidArgument` for a matrix that is not square and finite or a factor that is not between 0 and 2;
  ///   `DecompositionError.singular` for a zero on the diagonal.
  public init(_ matrix: SparseMatrix<Scalar>, relaxation: Double = 1) throws {
    try self.init(valid: matrix.validSquare(), relaxation: relaxation)
  }

  init(valid matrix: SparseMatrix<Scalar>, relaxation: Double) throws {
    try requireRelaxation(relaxation)
    splitting = try TriangularSplitting(matrix)
    self.relaxation = relaxation
  }

  /// One sweep: `solution` moves on, `residual` = b - A x becomes that of the new x, and `steps` what was added.
  ///
  /// - Precondition: all have shape [n], or [n, 1].
  /// - Complexity: one pass over half the entries of a symmetric matrix, at the speed of memory.
  public func sweep(solution: inout Tensor<Scalar>, residual: inout Tensor<Scalar>, steps: inout Tensor<Scalar>) {
    let count = splitting.size
    precondition(
      solution.count == count && residual.shape == solution.shape && steps.shape == solution.shape,
      "a sweep of \(count) rows over shapes \(solution.shape), \(residual.shape) and \(steps.shape)")
    solution.withUnsafeMutableBuffer { x in
      residual.withUnsafeMutableBuffer { r in
        steps.withUnsafeMutableBuffer { steps in
          splitting.sweep(
            relaxation: Scalar(relaxation), solution: x.baseAddress!, residual: r.baseAddress!,
            steps: steps.baseAddress!)
        }
      }
    }
  }
}

func requireRelaxation(_ relaxation: Double) throws {
  guard relaxation > 0, relaxation < 2 else {
    throw InvalidArgument("relaxation", found: "\(relaxation)", wanted: "above 0, below 2")
  }
}

/// A = L + D + U in memory of its own: L by rows and U by columns, which of a symmetric matrix are the same numbers.
final class TriangularSplitting<Scalar: LinearScalar>: Sendable {
  let size: Int
  let isSymmetric: Bool
  private let diagonal, inverse: Vector<Scalar>
  private let lower: Triangle
  /// The strict upper triangle by columns: column i holds the rows above i.
  private let upper: Triangle

  /// Numbers that do not change any more.
  private final class Vector<Element>: @unchecked Sendable {
    let start: UnsafeMutablePointer<Element>
    let count: Int

    init(_ values: [Element]) {
      count = values.count
      start = .allocate(capacity: max(count, 1))
      start.initialize(from: values, count: count)
    }

    deinit {
      start.deinitialize(count: count)
      start.deallocate()
    }
  }

  /// A strict triangle, as compressed rows (of L) or columns (of U).
  private struct Triangle: Sendable {
    let starts, indices: Vector<Int32>
    let values: Vector<Scalar>
  }

  /// - Parameter matrix: square.
  /// - Throws: `DecompositionError.singular` for a zero on the diagonal.
  init(_ matrix: SparseMatrix<Scalar>) throws {
    let rows = matrix.stored(by: .rows)
    let parts = rows.starts.withUnsafeBuffer { starts in
      rows.indices.withUnsafeBuffer { indices in
        rows.values.withUnsafeBuffer { Parts(rows: rows.rows, starts, indices, $0) }
      }
    }
    if let zero = parts.diagonal.firstIndex(of: 0) { throw DecompositionError.singular(pivot: zero) }
    size = rows.rows
    diagonal = Vector(parts.diagonal)
    inverse = Vector(parts.diagonal.map { 1 / $0 })
    isSymmetric = parts.lower == parts.upper
    func triangle(_ entries: Entries) -> Triangle {
      Triangle(starts: Vector(entries.starts), indices: Vector(entries.indices), values: Vector(entries.values))
    }
    lower = triangle(parts.lower)
    // Shared storage: a sweep then reads the triangle once, while it is in the caches.
    upper = isSymmetric ? lower : triangle(parts.upper)
  }

  private struct Entries: Equatable {
    var starts: [Int32]
    var indices: [Int32] = []
    var values: [Scalar] = []
  }

  /// L by rows, D, and U by columns.
  private struct Parts {
    var diagonal: [Scalar]
    var lower, upper: Entries

    @specialized(where Scalar == Float)
    @specialized(where Scalar == Double)
    init(
      rows count: Int, _ starts: UnsafeBufferPointer<Int32>, _ indices: UnsafeBufferPointer<Int32>,
      _ values: UnsafeBufferPointer<Scalar>
    ) {
      var diagonal = [Scalar](repeating: 0, count: count)
      var lower = Entries(starts: [Int32](repeating: 0, count: count + 1))
      var upper = lower
      lower.indices.reserveCapacity(values.count / 2)
      lower.values.reserveCapacity(values.count / 2)
      for i in 0..<count {
        for k in Int(starts[i])..<Int(starts[i + 1]) {
          let j = Int(indices[k])
          if j < i {
            lower.indices.append(indices[k])
            lower.values.append(values[k])
          } else if j == i {
            diagonal[i] = values[k]
          } else {
            upper.starts[j + 1] += 1
          }
        }
        lower.starts[i + 1] = Int32(lower.indices.count)
      }
      for j in 0..<count { upper.starts[j + 1] += upper.starts[j] }
      upper.indices = [Int32](repeating: 0, count: Int(upper.starts[count]))
      upper.values = [Scalar](repeating: 0, count: Int(upper.starts[count]))
      var next = upper.starts
      for i in 0..<count {
        for k in Int(starts[i])..<Int(starts[i + 1]) where Int(indices[k]) > i {
          let place = Int(next[Int(indices[k])])
          next[Int(indices[k])] += 1
          upper.indices[place] = Int32(i)
          upper.values[place] = values[k]
        }
      }
      (self.diagonal, self.lower, self.upper) = (diagonal, lower, upper)
    }
  }

  /// x += δ and r ← r - A δ, where (D / ω + L) δ = r.
  ///
  /// One pass: δ_i needs what is left of r_i after the unknowns before it, and the new residual is completed for the rows
  /// above i as soon as δ_i is known.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  func sweep(
    relaxation: Scalar, solution x: UnsafeMutablePointer<Scalar>, residual r: UnsafeMutablePointer<Scalar>,
    steps delta: UnsafeMutablePointer<Scalar>
  ) {
    let (size, rest) = (size, 1 / relaxation - 1)
    // Divisions would lie on the path from each unknown to the next.
    let (diagonal, inverse) = (diagonal.start, inverse.start)
    let (lowerStarts, lowerIndices, lowerValues) = (lower.starts.start, lower.indices.start, lower.values.start)
    let (upperStarts, upperIndices, upperValues) = (upper.starts.start, upper.indices.start, upper.values.start)
    for i in 0..<size {
      var left = r[i]
      var k = Int(lowerStarts[i])
      let lowerEnd = Int(lowerStarts[i &+ 1])
      while k < lowerEnd {
        left -= lowerValues[k] * delta[Int(lowerIndices[k])]
        k &+= 1
      }
      let step = left * (relaxation * inverse[i])
      delta[i] = step
      x[i] += step
      r[i] = rest * diagonal[i] * step
      k = Int(upperStarts[i])
      let upperEnd = Int(upperStarts[i &+ 1])
      while k < upperEnd {
        r[Int(upperIndices[k])] -= upperValues[k] * step
        k &+= 1
      }
    }
  }

  /// ω (2 - ω) (D + ω Lᵀ)⁻¹ D (D + ω L)⁻¹ r, for a symmetric matrix and r of shape [n].
  func symmetricSweep(relaxation: Scalar, _ r: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(r.shape == [size], "a sweep of \(size) rows over shape \(r.shape)")
    return Tensor(uninitializedShape: [size]) { z in
      r.withUnsafeBuffer { symmetricSweep(relaxation: relaxation, $0.baseAddress!, into: z.baseAddress!) }
    }
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private func symmetricSweep(
    relaxation: Scalar, _ r: UnsafePointer<Scalar>, into z: UnsafeMutablePointer<Scalar>
  ) {
    let (size, factor) = (size, relaxation * (2 - relaxation))
    let (diagonal, inverse) = (diagonal.start, inverse.start)
    let (starts, indices, values) = (lower.starts.start, lower.indices.start, lower.values.start)
    for i in 0..<size {
      var left: Scalar = 0
      var k = Int(starts[i])
      let end = Int(starts[i &+ 1])
      while k < end {
        left += values[k] * z[Int(indices[k])]
        k &+= 1
      }
      z[i] = (r[i] - relaxation * left) * inverse[i]
    }
    for i in 0..<size { z[i] *= factor * diagonal[i] }
    var i = size &- 1
    while i >= 0 {
      let value = z[i] * inverse[i]
      z[i] = value
      let scaled = relaxation * value
      var k = Int(starts[i])
      let end = Int(starts[i &+ 1])
      while k < end {
        z[Int(indices[k])] -= values[k] * scaled
        k &+= 1
      }
      i &-= 1
    }
  }
}
