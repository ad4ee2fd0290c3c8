import Compression
import Foundation
import SpecialFunctions
import Tensors
import TestSupport
import Testing

@Suite struct MinifloatTests {
  private static let formats: [Minifloat] =
    [.e4m3, .e5m2]
    + (0...7).compactMap { try? Minifloat(exponentBits: $0, mantissaBits: 7 - $0) }
    + [(2, 20), (3, -4), (5, 30)].compactMap { try? Minifloat(exponentBits: $0, mantissaBits: 7 - $0, bias: $1) }

  @Test func standardTablesHaveTheirPublishedValues() {
    #expect(Minifloat.e4m3.largest == 448 && Minifloat.e4m3.smallest == Float(exp2(-9.0)))
    #expect(Minifloat.e4m3.table[0x08] == Float(exp2(-6.0)) && Minifloat.e4m3.table[0x7F].isNaN)
    #expect(Minifloat.e5m2.largest == 57_344 && Minifloat.e5m2.smallest == Float(exp2(-16.0)))
    #expect(Minifloat.e5m2.table[0x7C] == .infinity && Minifloat.e5m2.table[0x3C] == 1)
    #expect(Minifloat.e4m3.table[0x38] == 1 && Minifloat.e4m3.table[0xB8] == -1)
  }

  @Test(arguments: 0..<formats.count)
  func codesAreTheNearestNumbers(index: Int) throws {
    let format = Self.formats[index]
    let magnitudes = format.magnitudes
    #expect(zip(magnitudes, magnitudes.dropFirst()).allSatisfy { $0 < $1 })
    // Every number is its own nearest; so are halves between them, to the even code, and what lies beside.
    var points = magnitudes.map { Float($0) }
    for (a, b) in zip(magnitudes, magnitudes.dropFirst()) {
      let middle = Float((a + b) / 2)
      points += [middle, middle.nextUp, middle.nextDown]
    }
    points += [format.largest * 2]
    for scale in [Float(1), 0.25, 8] {
      let x = Tensor(points.map { $0 * scale })
      let codes = try format.encode(x, scale: scale).scalars
      for (point, code) in zip(points, codes) {
        let distances = magnitudes.map { abs($0 - Double(point)) }
        let least = distances.min() ?? 0
        let nearest = distances.indices.filter { distances[$0] == least }
        #expect(nearest.count == 1 ? Int(code) == nearest[0] : nearest.contains(Int(code)) && code % 2 == 0, "\(point)")
      }
      let rounded = try format.rounded(x, scale: scale)
      #expect(try format.rounded(rounded, scale: scale).scalars == rounded.scalars)
      #expect(try format.rounded(-x, scale: scale).scalars == rounded.scalars.map { -$0 })
    }
  }

  @Test func gradientsPassStraightThrough() throws {
    let x = Tensor<Float>([0.3, -1.7, 900])
    let gradient = try gradient(at: x) { (try Minifloat.e4m3.rounded($0) * Tensor([1, 2, 3])).sum() }
    #expect(gradient.scalars == [1, 2, 3])
  }

  @Test func theBestScaleIsTheBest() throws {
    var random = RandomStream(seed: 3)
    let w = try GeneralizedGaussian(shape: 0.8, scale: 0.02).sample([20_000], from: &random, of: Float.self)
    let format = try Minifloat(exponentBits: 2, mantissaBits: 5)
    let best = try format.bestScale(for: w)
    func error(_ scale: Float) throws -> Float { try (format.rounded(w, scale: scale) - w).sumOfSquares().scalar }
    for factor in [Float(0.25), 0.5, 2, 4] { #expect(try error(best) <= error(best * factor)) }
  }

  @Test func theOptimumAgreesWithSamples() throws {
    let choice = try optimalFloat8(shape: 0.8)
    #expect(choice.format.exponentBits == 3 && abs(choice.error / 1.77e-4 - 1) < 0.03)
    #expect(try optimalFloat8(shape: 2).format.exponentBits == 2)
    var random = RandomStream(seed: 9)
    let w = try GeneralizedGaussian(shape: 0.8, standardDeviation: 1).sample([400_000], from: &random, of: Float.self)
    let error = try (choice.format.rounded(w, scale: Float(choice.scale)) - w).sumOfSquares().scalar / 400_000
    #expect(abs(Double(error) / choice.error - 1) < 0.05)
  }

  @Test func badFormatsAndNumbersAreRefused() {
    #expect(throws: InvalidArgument.self) { try Minifloat(exponentBits: 4, mantissaBits: 4) }
    #expect(throws: InvalidArgument.self) { try Minifloat(exponentBits: -1, mantissaBits: 8) }
    #expect(throws: InvalidArgument.self) { try Minifloat.e4m3.encode(Tensor([Float.nan])) }
    #expect(throws: InvalidArgument.self) { try Minifloat.e4m3.encode(Tensor([Float(1)]), scale: 3) }
  }

  // MARK: Codes of integers

  @Test(arguments: 0..<10)
  func rangeCoderRoundTrip(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let count = [0, 1, 2, 5_000][Int(seed) % 4]
    let spread = [1, 5, 300, Int(Int32.max)][Int(seed) / 3 % 4]
    var integers = (0..<count).map { _ -> Int32 in
      let value = Int.random(in: -spread...spread, using: &generator)
      return Int32(Bool.random(using: &generator) ? 0 : value)
    }
    if count > 2 { integers += [.min, .max, 0, 1, -1] }
    let bytes = RangeCoder().encode(integers)
    #expect(try RangeCoder().decode(bytes, count: integers.count) == integers, "seed \(seed)")
    if count > 1_000 {
      #expect(throws: InvalidArgument.self) {
        try RangeCoder().decode(Array(bytes.prefix(bytes.count / 2)), count: integers.count)
      }
    }
  }

  @Test func ratesBoundEachOther() throws {
    var random = RandomStream(seed: 1)
    let w = try GeneralizedGaussian(shape: 1.2, scale: 0.1).sample([200_000], from: &random, of: Float.self)
    let report = try codeLength(of: w, step: 0.03125)
    #expect(report.generalizedGaussian > report.entropy - 1e-3 && report.generalizedGaussian < report.entropy + 0.01)
    #expect(report.exponentialGolomb > report.entropy)
    #expect(report.rangeCoded > report.entropy - 1e-3 && report.rangeCoded < report.entropy + 0.06)
    let points = try gridPoints(of: w, step: 0.03125)
    #expect(abs(report.zeros - Double(points.count { $0 == 0 }) / 200_000) < 1e-12)
    #expect((-3...4).map(exponentialGolombLength) == [5, 5, 3, 1, 3, 5, 5, 7])
    #expect(throws: InvalidArgument.self) { try codeLength(of: w, step: 0) }
  }
}
