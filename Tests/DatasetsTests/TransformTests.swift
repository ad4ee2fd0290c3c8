import Datasets
import Tensors
import TestSupport
import Testing

@Suite struct TransformTests {
  private func images(_ seed: UInt64, _ shape: [Int] = [5, 2, 6, 8]) -> Tensor<Double> {
    var random = RandomStream(seed: seed)
    return random.uniform(shape)
  }

  @Test(arguments: 0..<6) func augmentationMovesAndMirrors(seed: UInt64) {
    let x = images(seed)
    var random = RandomStream(seed: seed)
    let y = ImageAugmentation(largestShift: 2, mirrors: true)(x, random: &random)
    #expect(y.shape == x.shape)
    for i in 0..<5 {
      let candidates = [false, true].flatMap { mirrored in
        (-2...2).flatMap { down in (-2...2).map { shifted(x[i], down, $0, mirrored) } }
      }
      #expect(candidates.contains { $0 == y[i].dense }, "seed \(seed), image \(i)")
    }
    var same = RandomStream(seed: seed)
    #expect(ImageAugmentation(largestShift: 2, mirrors: true)(x, random: &same) == y)
    #expect(ImageAugmentation()(x, random: &same) == x)
  }

  private func shifted(_ image: Tensor<Double>, _ down: Int, _ right: Int, _ mirrored: Bool) -> Tensor<Double> {
    let source = mirrored ? image.reversed(axis: 2).dense : image.dense
    let wide = source.padded([(0, 0), (2, 2), (2, 2)], with: 0)
    return wide.slice(axis: 1, 2 - down..<2 - down + 6).slice(axis: 2, 2 - right..<2 - right + 8).dense
  }

  @Test func quarterTurnsAreExact() {
    let x = images(3, [2, 1, 7, 7])
    #expect(x.imagesRotated(degrees: 0) == x)
    #expect(x.imagesRotated(degrees: 90) == x.exchangingAxes(2, 3).reversed(axis: 2).dense)
    #expect(x.imagesRotated(degrees: 90).imagesRotated(degrees: 270) == x)
    #expect(x.imagesRotated(degrees: 180) == x.imagesRotated(degrees: -180))
  }

  @Test func rotationKeepsTheCentreAndTurnsPoints() {
    var x = Tensor<Double>.zeros([1, 1, 15, 15])
    x[at: 0, 0, 7, 7] = 1
    #expect(abs(x.imagesRotated(degrees: 30)[at: 0, 0, 7, 7] - 1) < 1e-12)
    // A point to the right of the centre goes up when turned counterclockwise.
    var right = Tensor<Double>.zeros([1, 1, 15, 15])
    right[at: 0, 0, 7, 12] = 1
    let turned = right.imagesRotated(degrees: 45)
    let brightest = turned.flattened.argmax(axis: 0).scalar
    #expect(brightest / 15 < 6 && brightest % 15 > 8)
  }

  @Test func permutedPixelsComeBack() {
    let x = images(4)
    var random = RandomStream(seed: 9)
    let order = random.permutation(48)
    let inverse = order.argsort()
    #expect(x.imagePixelsPermuted(order) != x)
    #expect(x.imagePixelsPermuted(order).imagePixelsPermuted(inverse) == x)
  }

  @Test func halvedImagesAreMeans() {
    let x = images(5)
    let y = x.imagesHalved
    #expect(y.shape == [5, 2, 3, 4])
    for (i, c, r, k) in [(0, 0, 0, 0), (4, 1, 2, 3), (2, 0, 1, 2)] {
      let block = x[i, c].slice(axis: 0, 2 * r..<2 * r + 2).slice(axis: 1, 2 * k..<2 * k + 2)
      #expect(abs(block.mean().scalar - y[at: i, c, r, k]) < 1e-15)
    }
    #expect(Datasets.mnist().images.imagesHalved.shape == [5000, 1, 14, 14])
  }

  @Test func cropsArePartsOfTheImage() {
    let x = images(6, [4, 1, 5, 5])
    var random = RandomStream(seed: 2)
    let y = x.randomlyCropped(side: 3, random: &random)
    #expect(y.shape == [4, 1, 3, 3])
    for i in 0..<4 {
      let crops = (0..<3).flatMap { r in
        (0..<3).map { c in x[i].slice(axis: 1, r..<r + 3).slice(axis: 2, c..<c + 3).dense }
      }
      #expect(crops.contains(y[i].dense))
    }
  }
}
