import Fourier
import Tensors
import TestSupport
import Testing

@Suite struct DerivativeReferenceTests {
  typealias Function = @Sendable ([Tensor<Double>]) throws -> [Tensor<Double>]

  static let functions: [(name: String, function: Function)] = [
    (
      "fourier",
      { x in
        let y = ComplexTensor(real: x[0], imaginary: x[1]).fourierTransform(axes: [0, 2])
        return [y.real, y.imaginary]
      }
    ),
    (
      "realFourier",
      { x in
        let y = x[0].realFourierTransform(length: 7, scaling: .unitary)
        return [y.real, y.imaginary]
      }
    ),
    (
      "inverseRealFourier",
      { x in [ComplexTensor(real: x[0], imaginary: x[1]).inverseRealFourierTransform(axis: 0)] }
    ),
  ]

  @Test(arguments: 0..<functions.count)
  func derivativesAreThoseOfPyTorch(index: Int) throws {
    let (name, function) = Self.functions[index]
    let reference = try #require(try DerivativeReference.load()[name])
    let errors = try reference.errors(of: function)
    #expect(errors.value < 1e-12 && errors.first < 1e-12 && errors.second < 1e-12, "\(name): \(errors)")
  }
}
