public import Numerics

/// Complex numbers in the shape of a tensor, as a tensor of real and one of imaginary parts.
///
/// The parts stay apart because real kernels then work on them at full speed.
public struct ComplexTensor<Scalar: RealScalar>: Sendable, Equatable {
  public var real: Tensor<Scalar>
  public var imaginary: Tensor<Scalar>

  public init(real: Tensor<Scalar>, imaginary: Tensor<Scalar>) {
    precondition(
      real.shape == imaginary.shape, "real and imaginary parts of shapes \(real.shape) and \(imaginary.shape)")
    (self.real, self.imaginary) = (real, imaginary)
  }

  /// Real numbers as complex ones.
  public init(_ real: Tensor<Scalar>) { self.init(real: real, imaginary: .zeros(real.shape)) }

  /// A vector.
  public init(_ numbers: [Complex<Scalar>]) {
    self.init(real: Tensor(numbers.map(\.real)), imaginary: Tensor(numbers.map(\.imaginary)))
  }

  public var shape: [Int] { real.shape }

  /// The element at a position of a vector.
  public subscript(at index: Int) -> Complex<Scalar> { Complex(real[at: index], imaginary[at: index]) }
  /// The element at a position of a matrix.
  public subscript(at row: Int, column: Int) -> Complex<Scalar> {
    Complex(real[at: row, column], imaginary[at: row, column])
  }

  public var conjugate: ComplexTensor { ComplexTensor(real: real, imaginary: -imaginary) }
  public var transposed: ComplexTensor { ComplexTensor(real: real.transposed, imaginary: imaginary.transposed) }
  /// Absolute values, without overflow.
  public var magnitude: Tensor<Scalar> { real.hypot(imaginary) }

  public static func + (a: ComplexTensor, b: ComplexTensor) -> ComplexTensor {
    ComplexTensor(real: a.real + b.real, imaginary: a.imaginary + b.imaginary)
  }

  public static func - (a: ComplexTensor, b: ComplexTensor) -> ComplexTensor {
    ComplexTensor(real: a.real - b.real, imaginary: a.imaginary - b.imaginary)
  }

  /// The element-wise product.
  public static func * (a: ComplexTensor, b: ComplexTensor) -> ComplexTensor {
    ComplexTensor(
      real: a.real * b.real - a.imaginary * b.imaginary, imaginary: a.real * b.imaginary + a.imaginary * b.real)
  }

  /// The matrix product, without conjugation.
  public func matmul(_ other: ComplexTensor) -> ComplexTensor {
    ComplexTensor(
      real: real.matmul(other.real) - imaginary.matmul(other.imaginary),
      imaginary: real.matmul(other.imaginary) + imaginary.matmul(other.real))
  }
}
