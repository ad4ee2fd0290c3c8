// Fourier transforms. A floor is 5 n log2(n) flops, as customary, at the rate of a matrix product.

import Foundation
import Fourier
import Tensors

var fourierWorks: [Work] {
  let lengths = [(64, 4_096), (256, 1_024), (1_000, 256), (1_009, 256), (4_096, 64), (65_536, 4)]
  let batched = lengths.map { length, batch in
    let flops = 5 * Double(length * batch) * log2(Double(length))
    return Work("fft f64 \(length) \(batch)", bound: 1.1, floor: .flopsDouble(flops)) { inputs in
      let x = try complexNormal([batch, length], inputs)
      return { keep(x.fourierTransform()) }
    }
  }
  let plane = Work("rfft2 f64 256", bound: 1.1) { inputs in
    let x: Tensor<Double> = try normal([256, 256], inputs)
    return { keep(x.realFourierTransform(axes: [0, 1])) }
  }
  let space = Work("fft3 f64 64", bound: 1.1) { inputs in
    let x = try complexNormal([64, 64, 64], inputs)
    return { keep(x.fourierTransform(axes: [0, 1, 2])) }
  }
  let single = [(1_009, 256), (4_096, 64)].map { length, batch in
    let flops = 5 * Double(length * batch) * log2(Double(length))
    return Work("fft f32 \(length) \(batch)", bound: 1.1, floor: .flopsSingle(flops)) { inputs in
      let x = ComplexTensor<Float>(
        real: try normal([batch, length], inputs), imaginary: try normal([batch, length], inputs, seed: 2))
      return { keep(x.fourierTransform()) }
    }
  }
  let rows = Work("rfft f64 1024 256", bound: 1.1) { inputs in
    let x: Tensor<Double> = try normal([256, 1_024], inputs)
    return { keep(x.realFourierTransform()) }
  }
  let cosine = Work("dct f64 1024 256", bound: 1.1) { inputs in
    let x: Tensor<Double> = try normal([256, 1_024], inputs)
    return { keep(x.cosineTransform()) }
  }
  return batched + [plane, space] + single + [rows, cosine]
}

private func complexNormal(_ shape: [Int], _ inputs: Inputs) throws -> ComplexTensor<Double> {
  ComplexTensor(real: try normal(shape, inputs), imaginary: try normal(shape, inputs, seed: 2))
}
