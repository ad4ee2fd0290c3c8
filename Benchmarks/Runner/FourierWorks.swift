// Fourier transforms.

import Fourier
import Tensors

var fourierWorks: [Work] {
  let lengths = [(64, 4_096), (256, 1_024), (1_000, 256), (1_009, 256), (4_096, 64), (65_536, 4)]
  let batched = lengths.map { length, batch in
    Work("fft f64 \(length) \(batch)", bound: 1.1) { inputs in
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
  return batched + [plane, space]
}

private func complexNormal(_ shape: [Int], _ inputs: Inputs) throws -> ComplexTensor<Double> {
  ComplexTensor(real: try normal(shape, inputs), imaginary: try normal(shape, inputs, seed: 2))
}
