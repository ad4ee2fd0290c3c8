// Compression that knows its data, beside the same formulas in PyTorch.

import Compression
import FileFormats
import Tensors

var compressionRows: [Work] { [saesSolve, saesSearch, fisherSVD] }

/// Moments of 8,192 tokens with inputs that drifted a little from a reference.
private func moments(_ width: Int, _ inputs: Inputs) throws -> ActivationMoments {
  let x: Tensor<Float> = try normal([8_192, width], inputs)
  let drift: Tensor<Float> = try normal([8_192, width], inputs, seed: 2)
  var moments = ActivationMoments(width: width)
  try moments.add(x, reference: x + drift * Float(0.1))
  return moments
}

/// The closed form at one beta, from the moments.
private var saesSolve: Work {
  Work("saes-solve 1024 256", bound: 0.83) { inputs in
    let weight: Tensor<Float> = try normal([1_024, 1_024], inputs, seed: 3)
    let moments = try moments(1_024, inputs)
    return { keep(try CumulativeTarget(weight: weight, moments: moments).factors(rank: 256, beta: 0.5)) }
  }
}

/// The best of 33 betas and the factors there.
private var saesSearch: Work {
  Work("saes-search 1024 256", bound: 0.5) { inputs in
    let weight: Tensor<Float> = try normal([1_024, 1_024], inputs, seed: 3)
    let moments = try moments(1_024, inputs)
    return {
      let target = try CumulativeTarget(weight: weight, moments: moments)
      let beta = try target.search(rank: 256).beta
      keep(try target.factors(rank: 256, beta: beta))
    }
  }
}

/// Weighted factors of a matrix of 1,024 by 1,024 at rank 128.
private var fisherSVD: Work {
  Work("fwsvd 1024 128", bound: 0.33) { inputs in
    let weight: Tensor<Float> = try normal([1_024, 1_024], inputs)
    let gradient: Tensor<Float> = try normal([1_024, 1_024], inputs, seed: 2)
    let fisher = try FisherMoments(examples: 1, squares: Tensor<Double>(gradient * gradient))
    return { keep(try fisherWeightedSVD(weight, fisher: fisher, rank: 128)) }
  }
}

/// Whitened low rank of every block matrix of an encoder at half the numbers, from moments of 2,048 tokens.
func encoderCompressionRow(_ path: String) -> Work {
  Work("closed-form-encoder \(path)", bound: 0.5) { inputs in
    let checkpoint = try Checkpoint(path)
    let names = checkpoint.entries.map(\.name).filter { $0.contains("encoder.layer.") && $0.hasSuffix(".weight") }
    let weights = try names.map { try checkpoint.tensor(named: $0, as: Float.self) }.filter { $0.rank == 2 }
    let moments = try Dictionary(grouping: weights, by: \.columns).mapValues { group in
      let x: Tensor<Float> = try normal([2_048, group[0].columns], inputs)
      var moments = ActivationMoments(width: group[0].columns)
      try moments.add(x)
      return moments
    }
    // A layer for each thread, as compressors of networks have it.
    return {
      keep(
        try parallelMap(weights.count) { i in
          let weight = weights[i]
          guard let rank = try lowRank(keeping: 0.5, of: weight.shape), let own = moments[weight.columns] else {
            throw PeerError(message: "no rank for \(weight.shape)")
          }
          return try CumulativeTarget(weight: weight, moments: own).factors(rank: rank, beta: 0)
        })
    }
  }
}
