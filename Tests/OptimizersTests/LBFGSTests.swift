import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

/// Rosenbrock's valley in many variables.
private struct Valley: Module {
  var x: Tensor<Double>

  mutating func visit(_ visitor: Visitor<Double>) { visitor.parameter("x", &x) }

  var loss: Tensor<Double> {
    let (head, tail) = (x[0..<(x.count - 1)], x[1..<x.count])
    return ((tail - head.squared()).squared() * 100 + (1 - head).squared()).sum()
  }
}

struct LBFGSTests {
  private typealias Result = (value: Tensor<Double>, gradient: NamedTensors<Double>)

  private static func evaluate(_ model: Problem<Double>) -> Result { model.valueAndGradient { $0.loss } }

  @Test func followsPyTorch() throws {
    let reference = try Reference.load().lbfgs
    let cases: [(name: String, optimizer: LBFGS<Double>, iterations: Int)] = [
      ("strong Wolfe", LBFGS(historyCount: 5), 4), ("long steps", LBFGS(learningRate: 6, historyCount: 3), 6),
    ]
    for (name, start, iterations) in cases {
      var optimizer = start
      var model = Problem<Double>()
      var evaluations = 0
      for (call, row) in try #require(reference[name]).enumerated() {
        evaluations += try optimizer.minimize(&model, iterationLimit: iterations, Self.evaluate).evaluations
        #expect(distance(model.numbers, row.parameters) < 1e-9, "\(name), call \(call)")
        #expect(evaluations == row.evaluations, "\(name), call \(call)")
      }
    }
  }

  @Test func fixedStepsFollowPyTorch() throws {
    var optimizer = LBFGS<Double>(learningRate: 0.3, historyCount: 4, lineSearch: nil)
    var model = Problem<Double>()
    for (call, row) in try #require(try Reference.load().lbfgs["fixed steps"]).enumerated() {
      optimizer.run(&model, steps: call..<(call + 1))
      #expect(distance(model.numbers, row.parameters) < 1e-9, "step \(call)")
    }
  }

  @Test(arguments: 0..<6) func findsTheFloorOfTheValley(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var model = Valley(x: generator.tensor([Int.random(in: 2...30, using: &generator)]))
    var optimizer = LBFGS<Double>(gradientTolerance: 1e-8, changeTolerance: 0)
    let result = try optimizer.minimize(&model, iterationLimit: 500) { $0.valueAndGradient { $0.loss } }
    #expect(result.convergence.isConverged, "seed \(seed)")
    // A second, local minimum exists from four variables on.
    let gradient = model.valueAndGradient { $0.loss }.gradient
    #expect(gradient.tensors[0].largestMagnitude <= 1e-8 && result.value < 5, "seed \(seed)")
    #expect(result.value == model.loss.scalar)
  }

  @Test func solvesAQuadraticInAsManyStepsAsItHasAxes() throws {
    struct Bowl: Module {
      var x = Tensor<Double>([3, -2, 1])
      mutating func visit(_ visitor: Visitor<Double>) { visitor.parameter("x", &x) }
      var loss: Tensor<Double> { (Tensor([1, 5, 20]) * x.squared()).sum() }
    }
    var model = Bowl()
    // With exact line searches these would be conjugate gradients.
    var optimizer = LBFGS<Double>(lineSearch: StrongWolfe(curvature: 1e-6), changeTolerance: 1e-14)
    let result = try optimizer.minimize(&model, iterationLimit: 8, evaluationLimit: 200) {
      $0.valueAndGradient { $0.loss }
    }
    #expect(result.value < 1e-12)
    #expect(result.convergence.iterations <= 6)
  }

  @Test func goesOnFromASavedState() throws {
    var optimizer = LBFGS<Double>(historyCount: 3)
    var model = Problem<Double>()
    _ = try optimizer.minimize(&model, iterationLimit: 6, Self.evaluate)
    var resumed = model
    var fresh = LBFGS<Double>(historyCount: 3)
    try fresh.restore(optimizer.state)
    _ = try optimizer.minimize(&model, iterationLimit: 3, Self.evaluate)
    _ = try fresh.minimize(&resumed, iterationLimit: 3, Self.evaluate)
    #expect(model.numbers == resumed.numbers)
    #expect(optimizer.state.step == fresh.state.step)
    var broken = optimizer.state
    broken.tensors.append("momentum/x", Tensor([1]))
    #expect(throws: InvalidArgument.self) { try fresh.restore(broken) }
  }

  @Test func survivesAValueThatIsNoNumber() throws {
    struct Cliff: Module {
      var x = Tensor<Double>([4])
      mutating func visit(_ visitor: Visitor<Double>) { visitor.parameter("x", &x) }
      /// Not defined for x <= 0, and a long first step leads there.
      var loss: Tensor<Double> { (x - x.log()).sum() }
    }
    var model = Cliff()
    var optimizer = LBFGS<Double>(learningRate: 40)
    let result = try optimizer.minimize(&model, iterationLimit: 60) { $0.valueAndGradient { $0.loss } }
    #expect(abs(result.value - 1) < 1e-9 && abs(model.x[at: 0] - 1) < 1e-4)
  }
}
