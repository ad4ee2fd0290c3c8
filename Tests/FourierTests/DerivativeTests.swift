import Fourier
import Tensors
import TestSupport
import Testing

/// Both parts.
private func parts(_ x: ComplexTensor<Double>) -> [Tensor<Double>] { [x.real, x.imaginary] }

private func complex(_ x: [Tensor<Double>]) -> ComplexTensor<Double> { ComplexTensor(real: x[0], imaginary: x[1]) }

@Suite struct DerivativeTests {
  static let complexTransforms: [DerivativeCase] = [FourierScaling.inverse, .unitary, .forward].flatMap { scaling in
    [
      DerivativeCase("along the last axis, \(scaling)", [2, 6], [2, 6]) {
        parts(complex($0).fourierTransform(scaling: scaling))
      },
      DerivativeCase("inverse, along the first axis, \(scaling)", [5, 2], [5, 2]) {
        parts(complex($0).inverseFourierTransform(axis: 0, scaling: scaling))
      },
      DerivativeCase("along two of three axes, \(scaling)", [3, 4, 2], [3, 4, 2]) {
        parts(complex($0).fourierTransform(axes: [0, 2], scaling: scaling))
          + parts(complex($0).inverseFourierTransform(axes: [0, 1, 2], scaling: scaling))
      },
      DerivativeCase("longer and shorter, \(scaling)", [3, 4], [3, 4]) {
        parts(complex($0).fourierTransform(axis: 0, length: 5, scaling: scaling))
          + parts(complex($0).fourierTransform(length: 3, scaling: scaling))
      },
    ]
  }

  static let realTransforms: [DerivativeCase] = [FourierScaling.inverse, .unitary, .forward].flatMap { scaling in
    (1...7).flatMap { n in
      [
        DerivativeCase("real, \(n) elements, \(scaling)", [2, n]) {
          parts($0[0].realFourierTransform(scaling: scaling))
        },
        DerivativeCase("inverse real, \(n) elements, \(scaling)", [n / 2 + 1, 3], [n / 2 + 1, 3]) {
          [complex($0).inverseRealFourierTransform(axis: 0, length: n, scaling: scaling)]
        },
      ]
    } + [
      DerivativeCase("real along several axes, \(scaling)", [3, 4, 5]) {
        parts($0[0].realFourierTransform(axes: [0, 2, 1], scaling: scaling))
      },
      DerivativeCase("inverse real along several axes, \(scaling)", [3, 4, 3], [3, 4, 3]) {
        [complex($0).inverseRealFourierTransform(axes: [0, 1, 2], length: 5, scaling: scaling)]
      },
      DerivativeCase("power spectrum, \(scaling)", [8]) {
        let spectrum = $0[0].realFourierTransform(length: 9, scaling: scaling)
        return [spectrum.real.squared() + spectrum.imaginary.squared()]
      },
    ]
  }

  static let trigonometric: [DerivativeCase] = TrigonometricType.allCases.flatMap { type in
    [TrigonometricScaling.plain, .orthonormal].flatMap { scaling in
      [4, 5].map { n in
        DerivativeCase("cosine and sine \(type), \(scaling), \(n)", [2, n], [n, 2]) { x in
          [
            x[0].cosineTransform(type, scaling: scaling).exp(), x[0].sineTransform(type, scaling: scaling),
            x[1].inverseCosineTransform(type, axis: 0, scaling: scaling),
            x[1].inverseSineTransform(type, axis: 0, scaling: scaling).exp(),
          ]
        }
      }
    }
  }

  static let convolutions: [DerivativeCase] = [ConvolutionExtent.full, .same, .valid].flatMap { extent in
    [
      DerivativeCase("vectors, \(extent)", [7], [3]) {
        [$0[0].convolved(with: $0[1], extent), $0[1].convolved(with: $0[0], extent)]
      },
      DerivativeCase("long vectors, \(extent)", [50], [40]) { [$0[0].convolved(with: $0[1], extent)] },
      DerivativeCase("matrices, \(extent)", [4, 5], [2, 3]) {
        [$0[0].convolved(with: $0[1], extent), $0[0].correlated(with: $0[1], extent)]
      },
      DerivativeCase("with itself, \(extent)", [4]) { [$0[0].convolved(with: $0[0], extent)] },
    ]
  }

  static let all = complexTransforms + realTransforms + trigonometric + convolutions

  @Test(arguments: 0..<all.count)
  func derivativesAgreeWithDifferences(index: Int) throws {
    let item = Self.all[index]
    let (first, second) = try item.errors(seed: UInt64(index))
    #expect(first < 1e-8, "\(item.name): first derivative off by \(first)")
    #expect(second < 1e-7, "\(item.name): second derivative off by \(second)")
  }

  @Test func aConstantPartNeedsNoDerivative() {
    let x = Tensor<Double>([1, -2, 3])
    let slope = gradient(at: x) { x in
      let y = ComplexTensor(x).fourierTransform()
      return (y.real.squared() + y.imaginary.squared()).sum()
    }
    // Parseval: the sum is 3 times that of the squares.
    #expect(distance(slope, x * 6) < 1e-14)
  }

  @Test func inSinglePrecisionToo() {
    let x = Tensor<Float>([0.5, -1, 2, 0.25])
    let slope = gradient(at: x) { $0.cosineTransform(scaling: .orthonormal).squared().sum() }
    #expect(distance(slope, x * 2) < 1e-6)
  }
}
