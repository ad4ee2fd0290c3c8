import Foundation
import SpecialFunctions
import Tensors
import TestSupport
import Testing

struct LogBesselTests {
  /// Rows of order, argument, log I, log K and the ratio, from Tests/Reference/bessel.py.
  private let rows: [[Double]]

  init() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Reference/bessel.json")
    rows = try JSONDecoder().decode([[Double]].self, from: Data(contentsOf: file))
  }

  @Test func agreesWithLongArithmetic() {
    let orders = Tensor(rows.map { $0[0] })
    let x = Tensor(rows.map { $0[1] })
    let found = [logBesselI(order: orders, x), logBesselK(order: orders, x), besselRatio(order: orders, x)]
    for (i, row) in rows.enumerated() {
      for (k, name) in ["log I", "log K"].enumerated() {
        let error = abs(found[k][at: i] - row[2 + k]) / max(1, abs(row[2 + k]))
        #expect(error < 4e-15, "\(name) of order \(row[0]) at \(row[1])")
      }
      #expect(abs(found[2][at: i] / row[4] - 1) < 8e-15, "ratio of order \(row[0]) at \(row[1])")
      let alone = Double.logBesselI(row[0], row[1])
      #expect(abs(alone - found[0][at: i]) <= 2e-15 * max(1, abs(alone)), "one element alone")
    }
  }

  /// Sixty-digit values of the paper's ranges and of the ends.
  @Test(
    arguments: [
      (true, 1000, 1000, 528.29388709365664051), (true, 16383.5, 20000, 13599.965372389488665),
      (true, 32767, 5000, -51362.722858178635426), (true, 1e6, 1, -13508665.565217864934),
      (true, 10, 0.001, -91.113437145769065996), (false, 0, 1e-5, 2.4534896797525517288),
      (false, 0.25, 1e-10, 6.5246153119415880044), (false, 1000, 10, 4295.0643388832388126),
      (false, 16383.5, 20000, -13610.81873251439367), (false, 0.01, 1e-30, 4.3155478235100612865),
      (false, 0.001, 1e-60, 4.9324010671124389773), (false, 0.001, 1e-300, 6.6163099588068663477),
    ] as [(Bool, Double, Double, Double)])
  func agreesAtTheEnds(isFirst: Bool, order: Double, x: Double, value: Double) {
    let found = isFirst ? Double.logBesselI(order, x) : Double.logBesselK(order, x)
    #expect(abs(found - value) <= 4e-15 * max(1, abs(value)))
  }

  @Test(arguments: 0..<4) func identitiesHold(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let order = (random.uniform([2_000], of: Double.self) * 8 - 3) * Double.log(10)
    let argument = (random.uniform([2_000], of: Double.self) * 8 - 3) * Double.log(10)
    let (v, x) = (order.exp(), argument.exp())
    let (i, k) = (logBesselI(order: v, x), logBesselK(order: v, x))
    #expect(i.isFinite && k.isFinite, "seed \(seed)")
    // I_v K_{v+1} + I_{v+1} K_v = 1 / x, in logarithms; DLMF 10.28.2.
    let (aboveI, aboveK) = (logBesselI(order: v + 1, x), logBesselK(order: v + 1, x))
    let first = i + aboveK
    let second = aboveI + k
    let larger = first.maximum(second)
    let defect = larger + ((first - larger).exp() + (second - larger).exp()).log() + x.log()
    let scale = i.absolute().maximum(k.absolute()).maximum(Tensor(1))
    #expect((defect / scale).largestMagnitude < 1e-14, "seed \(seed)")
    // The ratio is that of the functions, as far as their logarithms can tell.
    let ratio = besselRatio(order: v, x)
    #expect(((ratio.log() - (aboveI - i)) / scale).largestMagnitude < 1e-14, "seed \(seed)")
    #expect((ratio .> 0).all && (ratio .<= 1).all)
    // Monotone: I rises with x and falls with v, K the other way.
    #expect((logBesselI(order: v, x * 1.01) .> i).all && (aboveI .< i).all, "seed \(seed)")
    #expect((logBesselK(order: v, x * 1.01) .< k).all && (aboveK .> k).all, "seed \(seed)")
  }

  @Test func halfOrdersAreElementary() {
    for x in [0.01, 0.3, 1, 1.99, 2, 7, 24.9, 26, 80, 700, 1e5] {
      let sinhLog = x + Double.log(-Double.expMinusOne(-2 * x)) - Double.log(2)
      let i = 0.5 * Double.log(2 / (.pi * x)) + sinhLog
      let k = 0.5 * Double.log(.pi / (2 * x)) - x
      #expect(abs(Double.logBesselI(0.5, x) - i) <= 4e-15 * max(1, abs(i)), "x \(x)")
      #expect(abs(Double.logBesselK(0.5, x) - k) <= 4e-15 * max(1, abs(k)), "x \(x)")
    }
  }

  @Test func endsAreDocumented() {
    #expect(Double.logBesselI(0, 0) == 0 && Double.logBesselI(2, 0) == -.infinity)
    #expect(Double.logBesselK(0, 0) == .infinity && Double.logBesselK(3, 0) == .infinity)
    #expect(Double.logBesselI(1, .infinity) == .infinity && Double.logBesselK(1, .infinity) == -.infinity)
    #expect(Double.logBesselI(1, -1).isNaN && Double.logBesselI(-1, 1).isNaN && Double.logBesselI(.nan, 1).isNaN)
    #expect(Double.besselRatio(3, 0) == 0 && Double.besselRatio(3, .infinity) == 1)
    #expect(abs(Double.logBesselI(1, 1e200) / 1e200 - 1) < 1e-15)
    #expect(BesselRegion(order: 1, 1) == .smallArgument && BesselRegion(order: 1e4, 1) == .uniform4)
    #expect(BesselRegion(order: -1, 1) == .exceptional)
  }

  @Test(arguments: 0..<4) func derivativesAgreeWithDifferences(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let v = random.uniform([12], in: 0..<40.0)
    let x = random.uniform([12], in: 0.5..<60.0)
    for function in [logBesselI(order:_:), logBesselK(order:_:), besselRatio(order:_:)]
      as [(Tensor<Double>, Tensor<Double>) -> Tensor<Double>]
    {
      let step = 1e-4
      let slope = gradient(at: x) { function(v, $0).sum() }
      let difference = (function(v, x + step) - function(v, x - step)) / (2 * step)
      #expect((slope - difference).largestMagnitude < 1e-7, "seed \(seed)")
      let curvature = gradient(at: x) { x in gradient(at: x) { function(v, $0).sum() }.sum() }
      let slopes = [step, -step].map { shift in gradient(at: x + shift) { function(v, $0).sum() } }
      #expect((curvature - (slopes[0] - slopes[1]) / (2 * step)).largestMagnitude < 1e-6, "seed \(seed)")
    }
  }

  @Test func broadcastsAndConverts() {
    let x = Tensor<Float>([[0.5, 1], [2, 40]])
    let values = logBesselI(order: Tensor<Float>([0, 3]), x)
    #expect(values.shape == [2, 2])
    #expect(values[at: 1, 1] == Float(Double.logBesselI(3, 40)))
    #expect(logBesselK(order: 2, x)[at: 0, 1] == Float(Double.logBesselK(2, 1)))
    #expect(logBesselI(order: Tensor<Double>.zeros([0]), .zeros([0])).isEmpty)
  }
}
