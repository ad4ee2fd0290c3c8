import LinearAlgebra
import Tensors

/// A = L + D + U in memory of its own: L by rows and U by columns, which for a symmetric matrix are the same arrays.
final class TriangularSplitting<Scalar: LinearScalar>: @unchecked Sendable {
  let size: Int
  let diagonal: [Scalar]
  private let inverse: [Scalar]
  let lower: Triangle
  /// The strict upper triangle by columns: column i holds the rows above i.
  let upper: Triangle
  let isSymmetric: Bool

  /// Strict triangles, as compressed rows (of L) or columns (of U).
  struct Triangle: Sendable, Equatable {
    var starts: [Int32]
    var indices: [Int32]
    var values: [Scalar]
  }

  /// - Throws: `DecompositionError.singular` for a zero on the diagonal.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  init(_ matrix: SparseMatrix<Scalar>) throws {
    let rows = matrix.stored(by: .rows)
    let size = rows.rows
    var diagonal = [Scalar](repeating: 0, count: size)
    var lower = Triangle(starts: [Int32](repeating: 0, count: size + 1), indices: [], values: [])
    var upper = lower
    rows.starts.withUnsafeBuffer { starts in
      rows.indices.withUnsafeBuffer { indices in
        rows.values.withUnsafeBuffer { values in
          lower.indices.reserveCapacity(values.count / 2)
          lower.values.reserveCapacity(values.count / 2)
          for i in 0..<size {
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
          for j in 0..<size { upper.starts[j + 1] += upper.starts[j] }
          let count = Int(upper.starts[size])
          upper.indices = [Int32](repeating: 0, count: count)
          upper.values = [Scalar](repeating: 0, count: count)
          var next = upper.starts
          for i in 0..<size {
            for k in Int(starts[i])..<Int(starts[i + 1]) where Int(indices[k]) > i {
              let place = Int(next[Int(indices[k])])
              next[Int(indices[k])] += 1
              upper.indices[place] = Int32(i)
              upper.values[place] = values[k]
            }
          }
        }
      }
    }
    if let zero = diagonal.firstIndex(of: 0) { throw DecompositionError.singular(pivot: zero) }
    inverse = diagonal.map { 1 / $0 }
    isSymmetric = lower == upper
    // Shared storage: the kernels then read the triangle once, while it is in the caches.
    (self.size, self.diagonal, self.lower, self.upper) = (size, diagonal, lower, isSymmetric ? lower : upper)
  }

  /// x += δ and r ← r - A δ, where (D / ω + L) δ = r.
  ///
  /// One pass: δ_i needs what is left of r_i after the unknowns before it, and the new residual
  /// ((1/ω - 1) D - U) δ is completed for the rows above i as soon as δ_i is known.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  func sweep(
    relaxation: Scalar, solution x: UnsafeMutablePointer<Scalar>, residual r: UnsafeMutablePointer<Scalar>,
    steps delta: UnsafeMutablePointer<Scalar>
  ) {
    let size = size
    let rest = 1 / relaxation - 1
    // Divisions would lie on the path from each unknown to the next.
    diagonal.withUnsafeBufferPointer { diagonal in
      inverse.withUnsafeBufferPointer { inverse in
        lower.starts.withUnsafeBufferPointer { lowerStarts in
          lower.indices.withUnsafeBufferPointer { lowerIndices in
            lower.values.withUnsafeBufferPointer { lowerValues in
              upper.starts.withUnsafeBufferPointer { upperStarts in
                upper.indices.withUnsafeBufferPointer { upperIndices in
                  upper.values.withUnsafeBufferPointer { upperValues in
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
                }
              }
            }
          }
        }
      }
    }
  }

  /// z = ω (2 - ω) (D + ω Lᵀ)⁻¹ D (D + ω L)⁻¹ r, for a symmetric matrix.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  func symmetricSweep(
    relaxation: Scalar, _ r: UnsafePointer<Scalar>, into z: UnsafeMutablePointer<Scalar>
  ) {
    let size = size
    let factor = relaxation * (2 - relaxation)
    diagonal.withUnsafeBufferPointer { diagonal in
      inverse.withUnsafeBufferPointer { inverse in
        lower.starts.withUnsafeBufferPointer { starts in
          lower.indices.withUnsafeBufferPointer { indices in
            lower.values.withUnsafeBufferPointer { values in
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
        }
      }
    }
  }
}
