import Tensors
import TestSupport
import Testing

@Suite struct PerExampleGradientTests {
  typealias Losses = @Sendable (_ parameters: [Tensor<Double>], _ data: [Tensor<Double>]) -> Tensor<Double>

  private struct Case: Sendable {
    let name: String
    let parameters: [[Int]]
    let data: [[Int]]
    let losses: Losses
  }

  /// Examples on the first axis of every data tensor; `tokens` are fixed.
  private static let count = 5
  private static let tokens = Tensor<Int>([[0, 3, 3], [1, 1, 1], [2, 0, 5], [5, 4, 0], [3, 2, 1]])

  private static let cases: [Case] = [
    Case(name: "perceptron", parameters: [[4, 3], [4], [4, 2], [2]], data: [[3], [2]]) { p, d in
      let hidden = (d[0].matmul(p[0], transposingB: true) + p[1]).tanh()
      return (hidden.matmul(p[2]) + p[3] - d[1]).squared().sum(axis: 1)
    },
    Case(name: "sequences", parameters: [[6, 3], [6], [6, 2]], data: [[7, 3], [7, 2]]) { p, d in
      let hidden = (d[0].matmul(p[0], transposingB: true) + p[1]).relu()
      return (hidden.matmul(p[2]) * d[1]).sum(axes: [1, 2])
    },
    Case(name: "two middle axes", parameters: [[3, 4], [4]], data: [[2, 3, 3]]) { p, d in
      (d[0].matmul(p[0]) + p[1]).exp().mean(axes: [1, 2, 3])
    },
    Case(name: "scale and shift", parameters: [[4], [4]], data: [[6, 4]]) { p, d in
      let centred = d[0] - d[0].mean(axis: -1, keepingAxis: true)
      let normal = centred / (d[0].variance(axis: -1, keepingAxis: true) + 1e-5).sqrt()
      return (normal * p[0] + p[1]).sin().sum(axes: [1, 2])
    },
    Case(name: "shared by two layers", parameters: [[3, 3], [3]], data: [[3]]) { p, d in
      let once = (d[0].matmul(p[0]) + p[1]).tanh()
      return (once.matmul(p[0], transposingB: true) - p[1]).squared().sum(axis: 1)
    },
    Case(name: "functions of parameters", parameters: [[3, 2], [2, 2], [1]], data: [[3]]) { p, d in
      // A product of two, a normalised one, slices, transposes, and a number for all.
      let product = p[0].matmul(p[1])
      let unit = p[0] / (p[0].sumOfSquares() + 0.1).sqrt()
      let both = Tensor.concatenated([product, unit.softmax(axis: 0)], axis: 1)
      let view = both.transposed.reshaped([2, 6])[0..<1].reshaped([2, 3])
      return (d[0].matmul(both * p[2].exp()).sum(axis: 1) + d[0].matmul(view, transposingB: true).sum(axis: 1))
        * (p[2].squeezed(axis: 0) * 0.5 + 1)
    },
    Case(name: "vector", parameters: [[3], []], data: [[3], []]) { p, d in
      (d[0].matmul(p[0]) + p[1] - d[1]).squared()
    },
    Case(name: "parameter on the left", parameters: [[2, 4], [2, 1]], data: [[4, 3]]) { p, d in
      (p[0].matmul(d[0]) + p[1]).tanh().sum(axes: [1, 2])
    },
    Case(name: "stretched token", parameters: [[3], [3, 2]], data: [[4, 3]]) { p, d in
      let first = p[0].broadcast(to: [d[0].shape[0], 1, 3])
      return Tensor.concatenated([first, d[0]], axis: 1).matmul(p[1]).tanh().sum(axes: [1, 2])
    },
    Case(name: "embedding", parameters: [[6, 3], [3, 3], [3, 2]], data: [[2]]) { p, d in
      let tokens = d[0].shape[0] == count ? tokens : tokens[at(d[0]), .all].expanded(axis: 0)
      let vectors = p[0].gathered(tokens) + p[1][0..<3]
      return (vectors.tanh().sum(axis: 1).matmul(p[2]) * d[0]).sum(axis: 1)
    },
    Case(name: "element-wise", parameters: [[4], [4]], data: [[4]]) { p, d in
      let a = d[0].maximum(p[0]) / (p[1].squared() + 1)
      let b = (d[0] .> 0).select(p[0], d[0]) + (d[0].absolute() + 0.1).power(p[1]) + p[0].atan2(d[0])
      return (a + b - p[0].hypot(d[0]) * (3 - p[1])).sum(axis: 1)
    },
    Case(name: "own rule", parameters: [[4]], data: [[3, 4]]) { p, d in scaled(d[0] + p[0], p[0]).sum(axes: [1, 2]) },
  ]

  /// The row of `tokens` of the single example whose data these are: marked in the data themselves.
  private static func at(_ data: Tensor<Double>) -> Int { Int(data.withoutDerivative[at: 0, 0]) }

  /// x² * scale, by a rule with a part for parameters.
  private static func scaled(_ x: Tensor<Double>, _ scale: Tensor<Double>) -> Tensor<Double> {
    customDerivatives(
      at: [x, scale],
      perExample: { arguments in
        let (x, scale) = (arguments[0], arguments[1])
        return (
          values: [x.squared() * scale],
          pullback: { g, wanted in
            guard let g = g[0] else { return [nil, nil] }
            return [wanted[0] ? g * x * scale * 2 : nil, wanted[1] ? (g * x.squared()).sum(to: scale.shape) : nil]
          },
          perExamplePullback: { g, _ in [nil, g[0].map { ($0 * x.squared()).sum(axes: [1]) }] }
        )
      })[0]
  }

  private func sample(_ example: Case, _ seed: UInt64) -> (parameters: [Tensor<Double>], data: [Tensor<Double>]) {
    var random = TestGenerator(seed: seed)
    var data = example.data.map { random.tensor([Self.count] + $0, of: Double.self) }
    if example.name == "embedding" { for i in 0..<Self.count { data[0][at: i, 0] = Double(i) } }
    return (example.parameters.map { random.tensor($0) }, data)
  }

  @Test(arguments: 0..<cases.count, 0..<2) func agreeWithALoopOverExamples(index: Int, seed: UInt64) {
    let example = Self.cases[index]
    let (parameters, data) = sample(example, seed)
    let (losses, batched) = perExampleGradients(at: parameters, examples: Self.count) { example.losses($0, data) }
    let (_, norms, squares) = perExampleGradientNorms(at: parameters, examples: Self.count) { example.losses($0, data) }
    #expect(batched.map(\.shape) == parameters.map { [Self.count] + $0.shape }, "\(example.name)")
    let whole = valueAndGradients(at: parameters) { example.losses($0, data).sum() }.gradients
    for i in 0..<Self.count {
      let own = data.map { $0.slice(axis: 0, i..<i + 1) }
      let (loss, gradients) = valueAndGradients(at: parameters) { example.losses($0, own).sum() }
      #expect(abs(loss.scalar - losses[at: i]) < 1e-13 * max(1, abs(loss.scalar)), "\(example.name), example \(i)")
      var total = 0.0
      for (j, gradient) in gradients.enumerated() {
        let error = distance(batched[j][i], gradient)
        #expect(error < 1e-12 * max(1, gradient.largestMagnitude), "\(example.name), parameter \(j), example \(i)")
        let square = gradient.sumOfSquares().scalar
        #expect(abs(squares[j][at: i] - square) < 1e-11 * max(1, square), "\(example.name), parameter \(j)")
        total += square
      }
      #expect(abs(norms[at: i] - total.squareRoot()) < 1e-11 * max(1, total), "\(example.name)")
    }
    for (gradient, sum) in zip(batched, whole) {
      #expect(distance(gradient.sum(axis: 0), sum) < 1e-11 * max(1, sum.largestMagnitude), "\(example.name)")
    }
  }

  @Test func oneExample() {
    for example in Self.cases where example.name != "embedding" {
      let (parameters, data) = sample(example, 9)
      let own = data.map { $0[0..<1] }
      let batched = perExampleGradients(at: parameters, examples: 1) { example.losses($0, own) }.gradients
      let plain = valueAndGradients(at: parameters) { example.losses($0, own).sum() }.gradients
      for (a, b) in zip(batched, plain) {
        #expect(distance(a[0], b) < 1e-12 * max(1, b.largestMagnitude), "\(example.name)")
      }
    }
  }

  @Test func areDifferentiableThemselves() {
    // The derivative of Σᵢ |gᵢ|² is that of a loop's.
    let example = Self.cases[0]
    let (parameters, data) = sample(example, 4)
    let batched = valueAndGradients(at: parameters) { p in
      let (_, norms, _) = perExampleGradientNorms(at: p, examples: Self.count) { example.losses($0, data) }
      return norms.sum()
    }
    let looped = valueAndGradients(at: parameters) { p in
      var total = Tensor<Double>(0)
      for i in 0..<Self.count {
        let own = data.map { $0[i..<i + 1] }
        let gradients = valueAndGradients(at: p) { example.losses($0, own).sum() }.gradients
        total = total + gradients.reduce(Tensor(0)) { $0 + $1.sumOfSquares() }.sqrt()
      }
      return total
    }
    #expect(abs(batched.value.scalar - looped.value.scalar) < 1e-12)
    for (a, b) in zip(batched.gradients, looped.gradients) { #expect(distance(a, b) < 1e-11) }
  }

  @Test func gradientsOfTheInputInside() {
    // The loss of example i is the squared slope of a network at xᵢ.
    var random = TestGenerator(seed: 3)
    let x: Tensor<Double> = random.tensor([4, 3])
    let p: [Tensor<Double>] = [random.tensor([3, 5]), random.tensor([5])]
    func losses(_ p: [Tensor<Double>], _ x: Tensor<Double>) -> Tensor<Double> {
      gradient(at: x) { ($0.matmul(p[0]).sin() * p[1]).sum() }.squared().sum(axis: 1)
    }
    let batched = perExampleGradients(at: p, examples: 4) { losses($0, x) }.gradients
    for i in 0..<4 {
      let plain = valueAndGradients(at: p) { losses($0, x[i..<i + 1]).sum() }.gradients
      for (a, b) in zip(batched, plain) { #expect(distance(a[i], b) < 1e-12) }
    }
  }

  @Test func unusedParametersHaveZeroGradients() {
    let x = Tensor<Double>([[1, 2], [3, 4], [5, 6]])
    let (_, gradients) = perExampleGradients(at: [Tensor<Double>([1, 1]), Tensor<Double>([7])], examples: 3) { p in
      (x * p[0]).sum(axis: 1)
    }
    #expect(gradients[0] == x && gradients[1] == .zeros([3, 1]))
  }

  #if !os(iOS)
    @Test func whatIsNotSupportedTraps() async {
      await #expect(processExitsWith: .failure) {
        let x = Tensor<Double>.ones([3, 2])
        _ = perExampleGradients(at: [Tensor<Double>([1, 1])], examples: 3) { p in
          customDerivative(at: p[0]) { w in ((x * w).sum(axis: 1), { _ in w }) }
        }
      }
      await #expect(processExitsWith: .failure) {
        let x = Tensor<Double>.ones([6, 2])
        _ = perExampleGradients(at: [Tensor<Double>.ones([2, 2])], examples: 3) { p in
          (x.matmul(p[0]) * x.matmul(p[0])).reshaped([3, 4]).sum(axis: 1)
        }
      }
      await #expect(processExitsWith: .failure) {
        _ = perExampleGradients(at: [Tensor<Double>.ones([3])], examples: 3) { $0[0].exp() }
      }
    }
  #endif
}
