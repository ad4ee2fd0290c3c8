// Pruning: products with the inverse Fisher matrix, the choice of components, truncation of ranks.

import Compression
import Tensors

var pruningWorks: [Work] {
  [
    inverseFisherProduct(256, 1_000_000), inverseFisherSetUp(256, 100_000), slidingFisher(128, 1_000_000),
    componentGram,
    greedySelection, rankTruncation,
  ]
}

/// A product with the inverse Fisher matrix of many gradients: the gradients are read twice.
private func inverseFisherProduct(_ count: Int, _ dimension: Int) -> Work {
  let bytes = Double(2 * 4 * count * dimension)
  return Work("m-fac-product \(count) \(dimension)", bound: 0.7, floor: .bytes(bytes)) { _ in
    var random = RandomStream(seed: 1)
    let gradients: Tensor<Float> = random.normal([count, dimension])
    let x: Tensor<Float> = random.normal([dimension])
    let inverse = try InverseFisher(gradients: gradients, damping: 1e-3)
    return { keep(try inverse.apply(x)) }
  }
}

/// Everything before the first product, and the diagonal.
private func inverseFisherSetUp(_ count: Int, _ dimension: Int) -> Work {
  let flops = 2 * Double(count * count) * Double(dimension)
  return Work("m-fac-set-up \(count) \(dimension)", bound: 0.25, floor: .flopsDouble(flops)) { _ in
    var random = RandomStream(seed: 1)
    let gradients: Tensor<Float> = random.normal([count, dimension])
    return { keep(try InverseFisher(gradients: gradients, damping: 1e-3).diagonal()) }
  }
}

private final class Window {
  var inverse: SlidingInverseFisher<Float>
  init(_ inverse: SlidingInverseFisher<Float>) { self.inverse = inverse }
}

/// One step of the dynamic algorithm: the oldest gradient is replaced, and the new one multiplied.
private func slidingFisher(_ count: Int, _ dimension: Int) -> Work {
  Work("m-fac-step \(count) \(dimension)", bound: 0.67, floor: .bytes(Double(2 * 4 * count * dimension))) { _ in
    var random = RandomStream(seed: 1)
    let gradients: Tensor<Float> = random.normal([4, dimension])
    let window = Window(try SlidingInverseFisher(window: count, dimension: dimension, damping: 1e-3))
    for i in 0..<count { try window.inverse.push(gradients[i % 4]) }
    return { keep(try window.inverse.pushAndApply(gradients[0])) }
  }
}

/// 512 channels of 3 x 3 filters over 64 images of 14 x 14.
private var componentGram: Work {
  let terms = 512.0 * 9
  return Work("modhifi-gram 512 64", bound: 0.33, floor: .flopsDouble(terms * terms * 64 * 196)) { _ in
    var random = RandomStream(seed: 1)
    let filters: Tensor<Float> = random.normal([512, 512, 3, 3])
    let images: Tensor<Float> = random.normal([64, 512, 14, 14])
    return {
      var moments = try InputMoments<Float>(convolutionOf: filters.shape, .init(padding: 1))
      try moments.add(images)
      keep(try ComponentGram(weight: filters, moments: moments))
    }
  }
}

/// 64 of 512 components, each time the best beside those taken.
private var greedySelection: Work {
  Work("modhifi-greedy 512 64", bound: 0.05) { _ in
    var random = RandomStream(seed: 1)
    let contributions: Tensor<Double> = random.normal([512, 2_000])
    let gram = try ComponentGram(contributions.multipliedByOwnTranspose())
    return { keep(try selectComponents(gram, .count(64))) }
  }
}

/// Energy 0.9 of filters 512 x 512 x 3 x 3, by channels.
private var rankTruncation: Work {
  Work("trp-truncation 512 4608", bound: 0.33) { _ in
    var random = RandomStream(seed: 1)
    let weight: Tensor<Float> = random.normal([512, 512, 3, 3])
    return { keep(try RankTruncation(weight, .channel, .energy(0.9))) }
  }
}
