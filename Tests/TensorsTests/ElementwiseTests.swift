import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ElementwiseTests {
  @Test(arguments: 0..<200)
  func binaryOperatorsBroadcastLikeTheModel(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let a = generator.view()
    // A partner that broadcasts: some axes stretched, some leading axes missing.
    let partner = a.shape.map { Bool.random(using: &generator) ? 1 : $0 }
    let dropped = partner.dropFirst(Int.random(in: 0...partner.count, using: &generator))
    let b: Tensor<Double> = generator.tensor(Array(dropped))
    let cases: [(String, Tensor<Double>, (Double, Double) -> Double)] = [
      ("+", a + b, { $0 + $1 }), ("-", a - b, { $0 - $1 }), ("*", a * b, { $0 * $1 }), ("/", a / b, { $0 / $1 }),
      ("max", a.maximum(b), { Swift.max($0, $1) }), ("min", a.minimum(b), { Swift.min($0, $1) }),
      ("b - a", b - a, { $1 - $0 }),
    ]
    for (name, value, body) in cases {
      #expect(Model(value) == Model.broadcast(Model(a), Model(b), body), "\(name), seed \(seed)")
    }
    let less = Model.broadcast(Model(a), Model(b)) { $0 < $1 ? 1 : 0 }
    #expect(Model(Tensor<Double>(a .< b)) == less, "seed \(seed)")
    #expect(Model((a .< b).select(a, b)) == Model.broadcast(Model(a), Model(b), Swift.min), "seed \(seed)")
  }

  @Test(arguments: [1, 7, 4_095, 4_096, 4_097, 70_000])
  func inPlaceOperatorsEqualTheirPlainForms(count: Int) {
    var generator = TestGenerator(seed: UInt64(count))
    let a: Tensor<Float> = generator.tensor([count])
    let b: Tensor<Float> = generator.tensor([count])
    var x = a
    x += b
    #expect(x == a + b)
    x *= 3
    #expect(x == (a + b) * 3)
    x -= x
    #expect(x == .zeros([count]))
    x = a
    x /= b[0]
    #expect(x == a / b[0])
  }

  @Test func scalarsStandOnEitherSide() {
    let x = Tensor<Double>([1, 2, 4])
    #expect((1 - x).scalars == [0, -1, -3])
    #expect((8 / x).scalars == [8, 4, 2])
    #expect((2 * x + 1).scalars == [3, 5, 9])
    #expect((-x).scalars == [-1, -2, -4])
  }

  /// Every function against the C library in extended precision, over several magnitudes and special values.
  @Test func functionsAgreeWithTheCLibrary() {
    var points: [Double] = [0, -0.0, 1, -1, 0.5, 2, 1e-8, 1e-300, .infinity, -.infinity, .nan, 700, -700, 30, 1e6]
    var generator = TestGenerator(seed: 3)
    for exponent in -12...2 {
      for _ in 0..<50 { points.append(Double.random(in: -1..<1, using: &generator) * pow(10, Double(exponent))) }
    }
    let x = Tensor<Double>(points)
    typealias Function = (name: String, ours: Tensor<Double>, theirs: (Double) -> Double)
    let functions: [Function] = [
      ("exp", x.exp(), exp), ("exp2", x.exp2(), exp2), ("expm1", x.expMinusOne(), expm1), ("log", x.log(), log),
      ("log2", x.log2(), log2), ("log10", x.log10(), log10), ("log1p", x.logOnePlus(), log1p), ("sin", x.sin(), sin),
      ("cos", x.cos(), cos), ("tan", x.tan(), tan), ("asin", x.asin(), asin), ("acos", x.acos(), acos),
      ("atan", x.atan(), atan), ("sinh", x.sinh(), sinh), ("cosh", x.cosh(), cosh), ("tanh", x.tanh(), tanh),
      ("asinh", x.asinh(), asinh), ("acosh", x.acosh(), acosh), ("atanh", x.atanh(), atanh), ("erf", x.erf(), erf),
      ("erfc", x.erfc(), erfc), ("sqrt", x.sqrt(), { $0.squareRoot() }), ("cbrt", x.cbrt(), cbrt),
      ("sigmoid", x.sigmoid(), { 1 / (1 + exp(-$0)) }), ("relu", x.relu(), { $0 < 0 ? 0 : $0 }),
      ("softplus", x.softplus(), { $0 > 30 ? $0 + log1p(exp(-$0)) : log1p(exp($0)) }),
      ("floor", x.floor(), floor), ("ceil", x.ceil(), ceil), ("trunc", x.truncated(), trunc),
      ("round", x.rounded(), rint), ("abs", x.absolute(), abs),
    ]
    for (name, ours, theirs) in functions {
      for (point, value) in zip(points, ours.scalars) {
        let wanted = theirs(point)
        if wanted.isNaN {
          #expect(value.isNaN, "\(name)(\(point)) = \(value)")
        } else {
          let error = value == wanted ? 0 : abs(value - wanted) / max(abs(wanted), .leastNormalMagnitude)
          #expect(error <= 4e-15, "\(name)(\(point)) = \(value), wanted \(wanted)")
        }
      }
    }
  }

  @Test func singlePrecisionFunctionsAgreeWithDouble() {
    var generator = TestGenerator(seed: 5)
    let x: Tensor<Float> = generator.tensor([4_000]) * 20
    let wide = Tensor<Double>(x)
    let pairs: [(String, Tensor<Float>, Tensor<Double>)] = [
      ("exp", x.exp(), wide.exp()), ("log", x.absolute().log(), wide.absolute().log()),
      ("tanh", x.tanh(), wide.tanh()), ("erf", x.erf(), wide.erf()), ("sigmoid", x.sigmoid(), wide.sigmoid()),
      ("sin", x.sin(), wide.sin()), ("softplus", x.softplus(), wide.softplus()),
    ]
    for (name, ours, wanted) in pairs {
      let error = ((Tensor<Double>(ours) - wanted) / wanted.absolute().maximum(1e-30)).largestMagnitude
      #expect(error < 3e-7, "\(name): \(error)")
    }
  }

  /// Arguments of every exponent, and lengths that end inside a vector.
  @Test(arguments: 0..<4 as Range<UInt64>)
  func singlePrecisionFunctionsAreWithinTheirBound(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let count = 50_001 + Int(seed) * 5
    let exponents: Tensor<Double> = generator.tensor([count]) * 24
    let signs: Tensor<Double> = generator.tensor([count])
    let x = Tensor<Float>(exponents.exp2().copyingSign(of: signs))
    let wide = Tensor<Double>(x)
    let small = (x .> -87).select(x, Tensor(-1))
    let y = Tensor<Float>(signs * 100 / (wide.absolute().log2().absolute() + 1e-3))
    let power = Tensor<Double>(x.absolute()).power(Tensor<Double>(y))
    let pairs: [(String, Tensor<Float>, Tensor<Double>)] = [
      ("tanh", x.tanh(), wide.tanh()), ("erf", x.erf(), wide.erf()),
      ("sigmoid", small.sigmoid(), Tensor<Double>(small).sigmoid()), ("power", x.absolute().power(y), power),
    ]
    for (name, ours, wanted) in pairs {
      let error = ((Tensor<Double>(ours) - wanted) / wanted.absolute()).largestMagnitude
      #expect(error < 1e-7, "\(name), seed \(seed): \(error)")
    }
    // The same elements elsewhere in a vector.
    #expect(x[3..<100].tanh() == x.tanh()[3..<100])
    #expect(x.absolute()[5..<90].power(y[5..<90]) == x.absolute().power(y)[5..<90])
  }

  @Test func singlePrecisionFunctionsAtTheEdges() {
    let infinity = Float.infinity
    let least = Float.leastNonzeroMagnitude
    let x = Tensor<Float>([0, -0.0, infinity, -infinity, .nan, least, -least, 1e38, -1e38, 9.2, -104, -88])
    let tanh = x.tanh().scalars
    #expect(tanh[0].sign == .plus && tanh[1].sign == .minus && tanh[4].isNaN)
    #expect(Array(tanh[5...9]) == [least, -least, 1, -1, 1] && tanh[2] == 1 && tanh[3] == -1)
    let erf = x.erf().scalars
    #expect(erf[1].sign == .minus && erf[4].isNaN && Array(erf[2...3]) == [1, -1] && erf[7] == 1 && erf[9] == 1)
    let sigmoid = x.sigmoid().scalars
    #expect(Array(sigmoid[0...3]) == [0.5, 0.5, 1, 0] && sigmoid[4].isNaN && sigmoid[8] == 0 && sigmoid[10] == 0)
    #expect(abs(Double(sigmoid[11]) - 6.0546e-39) < 1e-43)
    let bases = Tensor<Float>([-2, -2, -2, 0, 0, -0.0, infinity, -infinity, .nan, 1, -1, 9 * least, 2, 2, -8, .nan])
    let powers = Tensor<Float>([3, 2, 0.5, 2, -1, -1, -1, 3, 0, .nan, infinity, 0.5, 200, -200, -3, 1])
    let values = bases.power(powers).scalars
    for (i, value) in values.enumerated() {
      let wanted = Float(pow(Double(bases[at: i]), Double(powers[at: i])))
      #expect(value == wanted || value.isNaN && wanted.isNaN, "\(bases[at: i]) to \(powers[at: i]): \(value)")
    }
  }

  @Test func integersWrapAndDivideTowardsZero() {
    let x = Tensor<Int>([7, -7, .max])
    #expect((x / 2).scalars == [3, -3, .max / 2])
    #expect((x + 1).scalars == [8, -6, .min])
    #expect(x.modulo(4).scalars == [3, 1, 3])
    #expect(x.modulo(-4).scalars == [-1, -3, -1])
    #expect(Tensor<Double>([7, -7, 0.5]).modulo(4).scalars == [3, 1, 0.5])
    #expect(x.maximum(0).scalars == [7, 0, .max])
  }

  @Test func conversionsClampAndRoundToNearest() {
    #expect(Tensor<Int>(Tensor<Double>([1.9, -1.9, .nan, 1e30, -1e30])).scalars == [1, -1, 0, .max, .min])
    #expect(Tensor<UInt8>(Tensor<Int>([300, -4, 17])).scalars == [255, 0, 17])
    // Beyond the precision of a Double, and more than a block.
    #expect(Tensor<UInt64>(Tensor<Int>([.max, .max - 1])).scalars == [UInt64(Int.max), UInt64(Int.max - 1)])
    #expect(Tensor<Int32>(Tensor<Int>(0..<5_000)).sum().scalar == 12_497_500)
    #expect(Tensor<Float>(Tensor<Double>([0.1])).scalars == [0.1])
    #expect(Tensor<Double>(Tensor<Float>([0.1])).scalars == [Double(Float(0.1))])
    #expect(Tensor<Int>(Tensor<Bool>([true, false])).scalars == [1, 0])
  }

  @Test func masks() {
    let a = Tensor<Bool>([true, true, false, false])
    let b = Tensor<Bool>([true, false, true, false])
    #expect((a .& b).scalars == [true, false, false, false])
    #expect((a .| b).scalars == [true, true, true, false])
    #expect((a .^ b).scalars == [false, true, true, false])
    #expect((.!a).scalars == [false, false, true, true])
    #expect(a.any && !a.all && a.trueCount == 2 && a.trueIndices.scalars == [0, 1])
    let nan = Tensor<Double>([.nan])
    #expect(!(nan .== nan).any && (nan .!= nan).all && nan != nan)
  }

  @Test func maximaAndMinimaSpreadNaN() {
    let x = Tensor<Double>([1, .nan, 3])
    let y = Tensor<Double>([.nan, 0, 2])
    #expect(x.maximum(y).scalars.map(\.isNaN) == [true, true, false])
    #expect(x.minimum(y).scalars.map(\.isNaN) == [true, true, false])
    #expect(x.maximum().scalar.isNaN && x.argmax(axis: 0).scalar == 1 && x.isFinite == false)
  }

  @Test func emptyTensorsHaveEmptyResults() {
    let empty = Tensor<Double>.zeros([0, 3])
    #expect((empty + Tensor([1, 2, 3])).shape == [0, 3])
    #expect(empty.exp().shape == [0, 3] && empty.sum().scalar == 0 && empty.sum(axis: 0).scalars == [0, 0, 0])
    #expect(empty.transposed.shape == [3, 0] && empty.isFinite)
  }
}
