import Numerics
import SpecialFunctions
import Tensors
import TestSupport
import Testing

struct VonMisesFisherTests {
  /// Dimension, mean resultant length, concentration and log-normaliser, by 60-digit arithmetic.
  @Test(
    arguments: [
      (2_048, 0.3, 675.110428185074, 4792.420806446812), (2_048, 0.9, 9696.81305226317, -2128.692791319845),
      (8_192, 0.3, 2700.60490818625, 24856.93453996488), (8_192, 0.9, 38799.9709280819, -2837.328969394414),
      (32_768, 0.3, 10802.5829237902, 122151.8542335497), (32_768, 0.9, 155212.602502302, 11364.99114531445),
    ] as [(Int, Double, Double, Double)])
  func likelihoodEquationsAreSolved(dimension: Int, length: Double, concentration: Double, logNormalizer: Double) {
    let found = VonMisesFisherFitting().concentration(dimension: dimension, meanResultantLength: length)
    #expect(abs(found.concentration / concentration - 1) < 1e-12)
    #expect(abs(Double.besselRatio(Double(dimension) / 2 - 1, found.concentration) - length) < 1e-12)
    let constant = VonMisesFisher.logNormalizer(dimension: dimension, concentration: found.concentration)
    #expect(abs(constant / logNormalizer - 1) < 1e-12)
  }

  @Test(arguments: [0, 0.01, 0.7, 5, 40] as [Double]) func densitiesIntegrateToOne(concentration: Double) {
    // On the circle by the trapezoidal rule, exact for periodic functions; on the sphere in closed form along the axis.
    let count = 400
    let angles = (0..<count).map { 2 * Double.pi * Double($0) / Double(count) }
    let circle = Tensor(angles.map { [Double.cos($0), Double.sin($0)] })
    guard let planar = try? VonMisesFisher(meanDirection: Tensor([1, 0]), concentration: concentration) else {
      Issue.record("a valid law was refused")
      return
    }
    let mass = planar.logProbability(circle).exp().sum().scalar * 2 * .pi / Double(count)
    #expect(abs(mass - 1) < 1e-13)
    let constant = VonMisesFisher.logNormalizer(dimension: 3, concentration: concentration)
    let expected =
      concentration == 0
      ? -Double.log(4 * .pi)
      : Double.log(concentration / (2 * .pi)) - concentration - Double.log(-Double.expMinusOne(-2 * concentration))
    #expect(abs(constant - expected) < 1e-13 * max(1, abs(expected)))
  }

  @Test(arguments: 0..<3) func samplesAreFittedBack(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    for (dimension, concentration) in [(2, 3.0), (3, 0.5), (10, 40), (200, 90)] {
      let direction: Tensor<Double> = random.sphere([dimension])
      let law = try VonMisesFisher(meanDirection: direction, concentration: concentration)
      let x = law.sample(20_000, from: &random)
      #expect((x.sumOfSquares(axes: [1]) - 1).largestMagnitude < 1e-12)
      let fit = try VonMisesFisherFitting().fit(x)
      #expect(fit.convergence.isConverged)
      #expect(abs(fit.distribution.concentration / concentration - 1) < 0.06, "seed \(seed), p \(dimension)")
      #expect(fit.distribution.meanDirection.dot(direction).scalar > 0.99, "seed \(seed), p \(dimension)")
      // The mean log-density estimates minus the entropy; and the fit is the most likely law.
      let mean = law.logProbability(x).mean().scalar
      #expect(abs(mean + law.entropy) < 0.05 * max(1, abs(law.entropy)), "seed \(seed), p \(dimension)")
      #expect(fit.distribution.logProbability(x).mean().scalar >= mean)
    }
  }

  @Test func degenerateDataIsRefused() {
    let fitting = VonMisesFisherFitting()
    #expect(throws: InvalidArgument.self) { try fitting.fit(Tensor([[1, 0], [1, 0]])) }
    #expect(throws: InvalidArgument.self) { try fitting.fit(Tensor([[1, 0], [-1, 0]])) }
    #expect(throws: InvalidArgument.self) { try fitting.fit(Tensor([[1, 0], [0, 0]])) }
    #expect(throws: InvalidArgument.self) { try fitting.fit(Tensor([[1, .nan], [0, 1]])) }
    #expect(throws: InvalidArgument.self) { try fitting.fit(Tensor([[1.0], [1]])) }
    #expect(throws: InvalidArgument.self) { try VonMisesFisher(meanDirection: Tensor([1, 1]), concentration: 1) }
    #expect(throws: InvalidArgument.self) { try VonMisesFisher(meanDirection: Tensor([1, 0]), concentration: -1) }
  }

  /// One less the component along the mean is then about p / 2k, and the sampler must neither stop nor lose it.
  @Test(arguments: [1e3, 1e9, 1e18, 1e300]) func concentratedSamplesStayNearTheMean(concentration: Double) throws {
    let mean = Tensor<Double>([0, 0, 1])
    var random = RandomStream(seed: 3)
    let samples = try VonMisesFisher(meanDirection: mean, concentration: concentration).sample(2_000, from: &random)
    #expect((samples.sumOfSquares(axes: [1]) - 1).largestMagnitude < 1e-12)
    // k times the squared distance across the mean is a sum of two squares of standard normal numbers.
    let across = samples.slice(axis: 1, 0..<2).sumOfSquares(axes: [1]).mean().scalar
    #expect(abs(across * concentration - 2) < 0.2, "\(across * concentration)")
  }
}
