// A linear layer with its bias and activation in one pass over the product.

import CVectorKernels
import Tensors

/// activation(x Wᵀ + b) on the last axis of x.
func affine<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ layer: Linear<Scalar>, activation: Activation = .identity
) -> Tensor<Scalar> {
  let isPlain = !x.isDifferentiated && !layer.form.isDifferentiated && layer.bias?.isDifferentiated != true
  let kernel = activation.kernel
  guard isPlain, layer.tap == nil, let bias = layer.bias, kernel != nil || activation == .identity else {
    return activation(layer(x))
  }
  var result = layer.form.product(x)
  let width = layer.outputs
  result.withUnsafeMutableBuffer { buffer in
    guard let start = buffer.baseAddress, width > 0 else { return }
    withPointers([bias]) { p in
      parallelRanges(buffer.count / width, grain: max(1, (1 << 12) / width)) { rows in
        apus_add_bias(
          Scalar.precision, p[0], kernel != nil, kernel?.function ?? APUS_SILU, kernel?.parameter ?? 0,
          start + rows.lowerBound * width, rows.count, width)
      }
    }
  }
  return result
}
