// Generalized Gaussian laws beside SciPy; structured layers and distillation beside PyTorch.

import Compression
import DataSelection
import Foundation
import Networks
import SpecialFunctions
import Tensors

var priorWorks: [Work] {
  [
    gennormFit, gennormQuantile, deepShape, structured("lowrank", .lowRank(256)),
    structured("blockshuffle", .blockShuffle(blocks: 4)), structured("blockdense", .blockDense(rank: 512, blocks: 2)),
    distillation,
  ]
}

/// Shape and scale by maximum likelihood of ten million weights.
private var gennormFit: Work {
  Work("gennorm-fit 10000000", bound: 0.05) { inputs in
    let weights: Tensor<Double> = try normal([10_000_000], inputs)
    let fitting = GeneralizedGaussianFitting(method: .maximumLikelihood, centres: false)
    return { keep(try fitting.fit(weights)) }
  }
}

/// A million quantiles of a law of shape 0.8.
private var gennormQuantile: Work {
  Work("gennorm-ppf 1000000", bound: 0.2) { inputs in
    let levels = (try normal([1_000_000], inputs) as Tensor<Double>).normalCDF()
    let law = try GeneralizedGaussian(shape: 0.8)
    return { keep(law.quantile(levels)) }
  }
}

private var deepShape: Work {
  Work("deep-shape 4000000", bound: 0.33) { inputs in
    let weights: Tensor<Float> = try normal([4_000_000], inputs)
    let method = DeepShape(target: .shape(0.8))
    return { keep(try method.reshape(weights)) }
  }
}

/// Forward and backward of a layer from 1,024 to 4,096 at 2,048 tokens.
private func structured(_ name: String, _ structure: LinearStructure) -> Work {
  Work("structured-\(name) 1024 4096 2048", bound: name == "blockshuffle" ? 0.77 : 1) { inputs in
    let x: Tensor<Float> = try normal([2_048, 1_024], inputs)
    let towards: Tensor<Float> = try normal([2_048, 4_096], inputs)
    var random = RandomStream(seed: 1)
    let layer = try StructuredLayer<Float>(1_024, 4_096, structure: structure, random: &random)
    let names = layer.parameters.tensors
    return {
      keep(
        vectorJacobianProduct(
          at: [x] + names, of: { layer.with(parameters: Array($0[1...]))($0[0]) }, direction: { _ in towards }))
    }
  }
}

/// Twenty outer iterations: the derivative of a matching loss through twenty steps of an MLP 784-128-10, 100 images.
private var distillation: Work {
  Work("distillation 20", bound: 0.5) { inputs in
    let images: Tensor<Float> = try normal([100, 784], inputs)
    let labels = Tensor<Int>((0..<100).map { $0 / 10 })
    var random = RandomStream(seed: 1)
    let model = MLP<Float>([784, 128, 10], random: &random)
    let start = model.parameters.tensors
    let target = start.map { $0 + random.normal($0.shape) * Float(0.01) }
    let unrolled = UnrolledTraining<Float>(steps: 20, segment: 20)
    return {
      for _ in 0..<20 {
        let result = unrolled.differentiate(
          from: start, inputs: images, logStep: -2.3, matches: [TrajectoryMatch(step: 20, target: target, weight: 1)],
          scale: 1
        ) { parameters, x, _ in crossEntropy(model.with(parameters: parameters)(x), labels: labels) }
        keep(result)
      }
    }
  }
}
