import Fourier
import Tensors
import TestSupport
import Testing

struct CosineTransformTests {
  static func transform<Scalar: FourierScalar>(
    _ x: Tensor<Scalar>, _ type: TrigonometricType, sine: Bool, inverse: Bool, axis: Int = -1,
    _ scaling: TrigonometricScaling
  ) -> Tensor<Scalar> {
    switch (sine, inverse) {
    case (false, false): x.cosineTransform(type, axis: axis, scaling: scaling)
    case (false, true): x.inverseCosineTransform(type, axis: axis, scaling: scaling)
    case (true, false): x.sineTransform(type, axis: axis, scaling: scaling)
    case (true, true): x.inverseSineTransform(type, axis: axis, scaling: scaling)
    }
  }

  @Test func scipy() throws {
    let cases = try Reference.load().trigonometric
    #expect(cases.count > 100)
    for item in cases {
      let type = TrigonometricType.allCases[item.type - 1]
      let scaling = item.orthonormal ? TrigonometricScaling.orthonormal : .plain
      let x = Tensor(item.input)
      let context = "type \(item.type), sine \(item.sine), \(scaling), length \(x.count)"
      let there = Self.transform(x, type, sine: item.sine, inverse: false, scaling)
      let back = Self.transform(x, type, sine: item.sine, inverse: true, scaling)
      #expect(distance(there, Tensor(item.output)) < 1e-14 * (1 + Tensor(item.output).largestMagnitude), "\(context)")
      #expect(distance(back, Tensor(item.inverse)) < 1e-14 * (1 + Tensor(item.inverse).largestMagnitude), "\(context)")
    }
  }

  @Test(arguments: [2, 3, 8, 15, 64, 101, 134, 1000, 4099, 8192]) func laws(length: Int) {
    var generator = TestGenerator(seed: UInt64(length))
    let x: Tensor<Double> = generator.tensor([3, length, 2])
    let single = Tensor<Float>(x)
    for type in TrigonometricType.allCases {
      for sine in [false, true] {
        for scaling in [TrigonometricScaling.plain, .orthonormal] {
          let context = "type \(type), sine \(sine), \(scaling)"
          let y = Self.transform(x, type, sine: sine, inverse: false, axis: 1, scaling)
          let back = Self.transform(y, type, sine: sine, inverse: true, axis: 1, scaling)
          #expect(relativeError(back, x) < 4e-15, "\(context)")
          if scaling == .orthonormal {
            #expect(abs(y.sumOfSquares().scalar / x.sumOfSquares().scalar - 1) < 1e-14, "\(context)")
          }
          let narrow = Self.transform(single, type, sine: sine, inverse: false, axis: 1, scaling)
          #expect(relativeError(Tensor<Double>(narrow), y) < 2e-6, "\(context)")
        }
      }
    }
  }
}
