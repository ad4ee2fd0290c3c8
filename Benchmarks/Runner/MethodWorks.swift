// The methods, beside the authors' code or a plain implementation of the same formulas.

import Compression
import Diagnostics
import FileFormats
import Foundation
import Jobs
import SpecialFunctions
import Tensors

var methodWorks: [Work] { [weibull, weLore, concatenatedSVD, logBessel("i"), logBessel("k")] }

/// Sixteen million weights in sixty matrices: histograms and fits.
private var weibull: Work {
  Work("weibull 60 512", bound: 0.12, floor: .bytes(4 * 60 * 512 * 512)) { inputs in
    let weights: Tensor<Float> = try normal([60, 512, 512], inputs)
    let matrices = weights.split(count: 60).map { $0.reshaped([512, 512]).copied() }
    let fitting = WeibullFitting(jackknifeBlocks: 0)
    return { for matrix in matrices { keep(try fitting.fit(matrix)) } }
  }
}

/// Spectra of 28 matrices, and one threshold for all.
private var weLore: Work {
  // The reduction to bidiagonal form.
  Work("welore 28 1024", bound: 0.67, floor: .flopsSingle(28 * 8 / 3 * 1_024 * 1_024 * 1_024)) { inputs in
    let weights: Tensor<Float> = try normal([28, 1_024, 1_024], inputs)
    let matrices = (0..<28).map { (name: "\($0)", matrix: weights[$0].copied()) }
    return { keep(try SpectrumSurvey(named: matrices).allocateRanks(.parameters(0.5))) }
  }
}

/// Greedy clustering of 400 blocks in 40 groups by the incremental estimate.
private var concatenatedSVD: Work {
  Work("concat-svd 400 256 16", bound: 0.5) { inputs in
    // 40 bases of 16 directions, ten blocks of each, and noise.
    let bases: Tensor<Float> = try normal([40, 256, 16], inputs)
    let mixes: Tensor<Float> = try normal([400, 16, 16], inputs)
    let noise: Tensor<Float> = try normal([400, 256, 16], inputs, seed: 2)
    let blocks = (0..<400).map { i in
      Tensor<Double>(bases[i % 40].matmul(mixes[i]) / 16 + noise[i] * Float(0.03))
    }
    return { keep(try CompressionClustering(tolerance: 0.15, rank: 16).fit(blocks)) }
  }
}

/// Orders and arguments over the eight decades in which SciPy's scaled functions neither vanish nor overflow at three of
/// four points; beyond, there is no peer.
private func logBessel(_ kind: String) -> Work {
  Work("log-bessel \(kind) 1000000 1e-3...1e5", bound: 0.05, floor: .bytes(24e6)) { inputs in
    let exponents: Tensor<Double> = try normal([2, 1_000_000], inputs)
    let values = (exponents.maximum(Tensor(-2)).minimum(Tensor(2)) * 4.6 + 2.3).exp()
    let (orders, x) = (values[0].copied(), values[1].copied())
    return { keep(kind == "i" ? logBesselI(order: orders, x) : logBesselK(order: orders, x)) }
  }
}

/// Work on the sample checkpoint.
func checkpointWorks(_ path: String) -> [Work] {
  let compress = Work("compress-checkpoint \(path)", bound: 0.5) { inputs in
    let job = CheckpointCompressionJob(method: "svd", compressor: TruncatedSVD(), budget: .keepingParameters(0.5))
    return { keep(try job.run(FactoredCheckpoint(path), to: "\(inputs.folder)/compressed.safetensors")) }
  }
  return [readCheckpoint(path), compress]
}
