// What the derivatives of decompositions are made of: triangles of square matrices, and solves without checks.

import Tensors

extension Tensor where Scalar: LinearScalar {
  /// This square matrix with zeros on the other side of the diagonal, and its diagonal times `diagonal`.
  func keeping(_ triangle: Triangle, diagonal: Scalar = 1) -> Tensor {
    self * Tensor.mask(rows, triangle, diagonal: diagonal)
  }

  /// Ones in a triangle and `diagonal` on the diagonal.
  private static func mask(_ size: Int, _ triangle: Triangle, diagonal: Scalar) -> Tensor {
    var mask = Tensor.zeros([size, size])
    let ones = Tensor.ones([size])
    mask.withUnsafeMutableBuffer { mask in
      ones.withUnsafeBuffer { ones in
        guard let mask = mask.baseAddress, let ones = ones.baseAddress else { return }
        for i in 0..<size {
          let row = mask + i * size
          switch triangle {
          case .lower: row.update(from: ones, count: i)
          case .upper: (row + i + 1).update(from: ones, count: size - i - 1)
          }
          row[i] = diagonal
        }
      }
    }
    return mask
  }

  /// a bᵀ of two vectors, or summed over the columns of two matrices.
  func outerSum(_ other: Tensor) -> Tensor { rank == 1 ? outer(other) : matmul(other, transposingB: true) }

  /// x with T x = b, or Tᵀ x = b, without checks: a zero on the diagonal gives infinities.
  ///
  /// With y = T⁻ᵀ g for a cotangent g of x, that of b is y and that of T is -y xᵀ within the triangle.
  func triangularSolution(
    _ b: Tensor, _ triangle: Triangle, transposing: Bool = false, unitDiagonal: Bool = false
  ) -> Tensor {
    guard isDifferentiated || b.isDifferentiated else {
      var x = b
      solveTriangular(&x, triangle, transposing: transposing, unitDiagonal: unitDiagonal)
      return x
    }
    return customDerivatives(at: [self, b]) { arguments in
      let t = arguments[0]
      let x = t.triangularSolution(arguments[1], triangle, transposing: transposing, unitDiagonal: unitDiagonal)
      return (
        [x],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          let y = t.triangularSolution(g, triangle, transposing: !transposing, unitDiagonal: unitDiagonal)
          guard wanted[0] else { return [nil, y] }
          let product = transposing ? x.outerSum(y) : y.outerSum(x)
          return [-product.keeping(triangle, diagonal: unitDiagonal ? 0 : 1), y]
        }
      )
    }[0]
  }

  /// X T⁻ᵀ for this X, or X T⁻¹ when `transposing`, without checks.
  func dividedFromTheRight(by t: Tensor, _ triangle: Triangle, transposing: Bool = false) -> Tensor {
    t.triangularSolution(transposed, triangle, transposing: transposing).transposed
  }
}

/// The result of `body`, or not a number where it throws: for pullbacks, which cannot, of equations that had a solution
/// on the way forward.
func orNotANumber<Scalar: LinearScalar>(_ shape: [Int], _ body: () throws -> Tensor<Scalar>) -> Tensor<Scalar> {
  (try? body()) ?? Tensor(repeating: .nan, shape: shape)
}
