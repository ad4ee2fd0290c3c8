import Foundation
import LinearAlgebra
import Tensors

/// What Tests/Reference/dense.py wrote: values of SciPy, and of mpmath to 40 digits.
struct DenseReference: Decodable {
  typealias Matrix = [[Double]]
  struct Functions: Decodable {
    let matrix, direction, exponential, exponentialDerivative, cosine, sine: Matrix
    let positive, logarithm, squareRoot, power, logarithmDerivative: Matrix
  }
  struct Equations: Decodable {
    let a, b, c, q, inputs, r, sylvester, lyapunov, discreteLyapunov, care, dare: Matrix
  }
  struct Optimization: Decodable {
    let costs, matrix: Matrix
    let columns: [Int]
    let total, residual: Double
    let rightSide, nonNegative: [Double]
  }
  struct Decompositions: Decodable {
    let a, b, symmetric, metric: Matrix
    let generalizedSymmetric, generalizedReal, generalizedImaginary: [Double]
    let toeplitzColumn, toeplitzRow, toeplitz: [Double]
  }
  let functions: [String: Functions]
  let equations: Equations
  let optimization: Optimization
  let decompositions: Decompositions

  static func load() throws -> DenseReference {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/dense.json")
    return try JSONDecoder().decode(DenseReference.self, from: Data(contentsOf: file))
  }
}

/// The largest error relative to the largest element.
func relativeDistance<Scalar: LinearScalar>(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) -> Double {
  a.shape == b.shape ? (a - b).maximumMagnitude / max(b.maximumMagnitude, 1e-300) : .infinity
}

extension Tensor where Scalar: LinearScalar {
  var maximumMagnitude: Double { isEmpty ? 0 : Double(absolute().maximum().scalar) }
}
