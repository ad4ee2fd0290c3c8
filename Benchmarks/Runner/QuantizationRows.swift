// Quantized weights with their correction, and sparse dictionaries.

import Compression
import FileFormats
import Tensors

var quantizationWorks: [Work] {
  [reconstruction, reconstructionByRandomSample, pursuit, dictionaryLearning] + quantizers
}

/// A weight of normal numbers rounded to two bits, and inputs that are strongly correlated.
private func quantizedLayer(_ size: Int, _ inputs: Inputs) throws -> (
  weight: Tensor<Double>, quantized: Tensor<Double>, statistics: ActivationMoments
) {
  let weight: Tensor<Double> = try normal([size, size], inputs)
  let quantized = try MXIntQuantizer(bits: 2).dequantized(weight)
  try writeNPY(quantized, to: "\(inputs.folder)/quantized-\(size).npy")
  // Sixteen tokens for each input, of sizes that fall as 1 / (1 + i / 16).
  let tokens: Tensor<Float> = try normal([16 * size, size], inputs, seed: 3)
  let mix: Tensor<Float> = try normal([size, size], inputs, seed: 4)
  let decay = 1 / (Tensor<Float>(Tensor<Int>(0..<size)) / 16 + 1)
  var statistics = ActivationMoments(width: size)
  try statistics.add((tokens * decay).matmul(mix) / 32)
  try writeNPY(statistics.secondMoment, to: "\(inputs.folder)/second-moment-\(size).npy")
  return (weight, quantized, statistics)
}

/// The low-rank term alone: statistics and quantized weights are given.
private var reconstruction: Work {
  // Two products and the reduction of a symmetric matrix.
  Work("qera 1024 32", bound: 0.2, floor: .flopsDouble((4 + 4.0 / 3) * 1_024 * 1_024 * 1_024)) { inputs in
    let (weight, quantized, statistics) = try quantizedLayer(1_024, inputs)
    return { keep(try QERA(rank: 32).correction(of: weight, quantizedTo: quantized, activations: statistics)) }
  }
}

private var reconstructionByRandomSample: Work {
  Work("qera-randomized 1024 32", bound: 0.2) { inputs in
    let (weight, quantized, statistics) = try quantizedLayer(1_024, inputs)
    let method = QERA(rank: 32, route: .randomized(seed: 1))
    return { keep(try method.correction(of: weight, quantizedTo: quantized, activations: statistics)) }
  }
}

/// Codes of 32 atoms of 256 for 1,024 signals, the inner products included.
private var pursuit: Work {
  Work("batch-omp f64 1024 256 32", bound: 0.33, floor: .flopsDouble(2 * 1_024 * 256 * (256 + 16 * 32))) { inputs in
    let signals: Tensor<Double> = try normal([1_024, 256], inputs)
    let atoms: Tensor<Double> = try normal([256, 256], inputs, seed: 2)
    let dictionary = atoms / atoms.norm(axis: 1, keepingAxis: true)
    return { keep(try OrthogonalMatchingPursuit(sparsity: 32).encode(signals, over: dictionary)) }
  }
}

/// 1,024 signals that are sparse over a hidden dictionary, learned until the error is no larger than scikit-learn's.
private var dictionaryLearning: Work {
  .judged("dictionary-learning f64 1024 256 32", bound: 0.2) { inputs in
    let hidden: Tensor<Double> = try normal([256, 256], inputs, seed: 2)
    let codes: Tensor<Double> = try normal([1_024, 256], inputs, seed: 5)
    let noise: Tensor<Double> = try normal([1_024, 256], inputs)
    // Every eighth coefficient or so is kept.
    let isLarge = codes.absolute() .> 1.534
    let sparse = isLarge.select(codes, .zeros(codes.shape))
    let signals = sparse.matmul(hidden) / 16 + noise * 0.05
    try writeNPY(signals, to: "\(inputs.folder)/sparse-signals-1024.npy")
    let method = KSVD(atoms: 256, sparsity: 32, sweeps: 10, tolerance: 0)
    return PreparedWork(run: { keep(try method.fit(signals)) }) {
      let learned = try method.fit(signals)
      let missed = learned.codes.matmul(learned.dictionary) - signals
      return (missed.frobeniusNorm() / signals.frobeniusNorm())
    }
  }
}

private var quantizers: [Work] {
  [
    Work("quantize-nf4 1024", bound: 1.0) { inputs in
      let weight: Tensor<Float> = try normal([1_024, 1_024], inputs)
      return { keep(try NormalFloatQuantizer(bits: 4).quantized(weight).dequantized) }
    },
    Work("quantize-mxint4 1024", bound: 1.0) { inputs in
      let weight: Tensor<Float> = try normal([1_024, 1_024], inputs)
      return { keep(try MXIntQuantizer(bits: 4).quantized(weight).dequantized) }
    },
  ]
}
