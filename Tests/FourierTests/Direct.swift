// Transforms by their definition, in double precision, for the tests to compare with.

import Fourier
import Numerics
import Tensors
import TestSupport

extension ComplexTensor where Scalar: RealScalar {
  /// As doubles.
  var widened: ComplexTensor<Double> {
    ComplexTensor<Double>(
      real: Tensor(shape: shape, scalars: real.scalars.map { $0.asDouble }),
      imaginary: Tensor(shape: shape, scalars: imaginary.scalars.map { $0.asDouble }))
  }

  func exchangingAxes(_ a: Int, _ b: Int) -> ComplexTensor {
    ComplexTensor(real: real.exchangingAxes(a, b), imaginary: imaginary.exchangingAxes(a, b))
  }
}

/// The matrix of the transform of length n: exp(-2 pi i jk / n), with the angle reduced first.
func fourierMatrix(_ n: Int) -> ComplexTensor<Double> {
  let angles = (0..<n * n).map { -2 * Double.pi * Double($0 / n * ($0 % n) % n) / Double(n) }
  return ComplexTensor(
    real: Tensor(shape: [n, n], scalars: angles.map { Double.cos($0) }),
    imaginary: Tensor(shape: [n, n], scalars: angles.map { Double.sin($0) }))
}

/// The transform of each row.
func directTransform(_ x: ComplexTensor<Double>) -> ComplexTensor<Double> {
  x.matmul(fourierMatrix(x.shape[1]))
}

func rootMeanSquare(_ x: ComplexTensor<Double>) -> Double {
  let squares = x.real.sumOfSquares().scalar + x.imaginary.sumOfSquares().scalar
  return (squares / Double(max(x.real.count, 1))).squareRoot()
}

/// The root of the mean square of the difference, relative to that of the second; infinite when shapes differ.
func relativeError(_ a: ComplexTensor<Double>, _ b: ComplexTensor<Double>) -> Double {
  guard a.shape == b.shape else { return .infinity }
  let difference = rootMeanSquare(a - b)
  return difference == 0 ? 0 : difference / rootMeanSquare(b)
}

func relativeError(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
  relativeError(ComplexTensor(a), ComplexTensor(b))
}

extension TestGenerator {
  mutating func complex<Scalar: RealScalar>(_ shape: [Int], of: Scalar.Type = Scalar.self) -> ComplexTensor<Scalar> {
    ComplexTensor(real: tensor(shape), imaginary: tensor(shape))
  }
}
