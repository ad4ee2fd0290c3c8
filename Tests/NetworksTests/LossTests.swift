import Networks
import Tensors
import TestSupport
import Testing

/// Losses against their definitions, element by element.
struct LossTests {
  /// Sum and mean follow from the losses one by one; derivatives of both orders agree with differences.
  private func check(
    _ x: Tensor<Double>, wanted: Tensor<Double>, seed: UInt64,
    _ loss: @escaping (Tensor<Double>, LossReduction) -> Tensor<Double>
  ) {
    let losses = loss(x, .none)
    #expect(distance(losses, wanted) < 1e-13, "seed \(seed)")
    #expect(abs(loss(x, .sum).scalar - wanted.sum().scalar) < 1e-12, "seed \(seed)")
    #expect(abs(loss(x, .mean).scalar - wanted.mean().scalar) < 1e-13, "seed \(seed)")
    expectDerivatives(at: [x], seed: seed) { loss($0[0], .none) }
  }

  private func elements(
    _ x: Tensor<Double>, _ y: Tensor<Double>, _ body: (Double, Double) -> Double
  ) -> Tensor<Double> {
    Tensor(shape: x.shape, scalars: zip(x.scalars, y.scalars).map(body))
  }

  @Test(arguments: 0..<4) func errorsOfNumbers(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let x: Tensor<Double> = generator.tensor([3, 4]) * 3
    let y: Tensor<Double> = generator.tensor([3, 4])
    check(x, wanted: elements(x, y) { ($0 - $1) * ($0 - $1) }, seed: seed) { squaredError($0, y, reduction: $1) }
    check(x, wanted: elements(x, y) { abs($0 - $1) }, seed: seed) { absoluteError($0, y, reduction: $1) }
    let huber = elements(x, y) { x, y in
      let error = abs(x - y)
      return error <= 0.7 ? error * error / 2 : 0.7 * (error - 0.35)
    }
    check(x, wanted: huber, seed: seed) { huberLoss($0, y, threshold: 0.7, reduction: $1) }
  }

  @Test(arguments: 0..<4) func crossEntropies(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let logits: Tensor<Double> = generator.tensor([3, 4]) * 4
    let targets = generator.tensor([3, 4], of: Double.self).sigmoid()
    let binary = elements(logits, targets) { x, t in
      let p = 1 / (1 + Double.exp(-x))
      return -t * Double.log(p) - (1 - t) * Double.log(1 - p)
    }
    check(logits, wanted: binary, seed: seed) { binaryCrossEntropy(logits: $0, targets: targets, reduction: $1) }
    // Where the definition overflows.
    let far = binaryCrossEntropy(
      logits: Tensor<Double>([1_000, -1_000, 1_000]), targets: Tensor([1, 0, 0]), reduction: .none)
    #expect(far == Tensor([0, 0, 1_000]))

    let labels = Tensor([1, -7, 3])
    let logs = logits.logSoftmax(axis: 1)
    let wanted = (0..<3).map { row -> Double in
      row == 1 ? 0 : -0.8 * logs[at: row, labels.scalars[row]] - 0.2 * logs[row].mean().scalar
    }
    let found = crossEntropy(logits, labels: labels, ignoring: -7, smoothing: 0.2, reduction: .none)
    #expect(distance(found, Tensor(wanted)) < 1e-13, "seed \(seed)")
    let mean = crossEntropy(logits, labels: labels, ignoring: -7, smoothing: 0.2)
    #expect(abs(mean.scalar - (wanted[0] + wanted[2]) / 2) < 1e-13, "seed \(seed)")

    let (p, q) = (logits.softmax(axis: 1), generator.tensor([3, 4], of: Double.self).softmax(axis: 1))
    let divergence = (0..<3).map { row in
      zip(p[row].scalars, q[row].scalars).reduce(0) { $0 + $1.0 * Double.log($1.0 / $1.1) }
    }
    check(logits, wanted: Tensor(divergence), seed: seed) {
      klDivergence(logP: $0.logSoftmax(axis: 1), logQ: q.log(), reduction: $1)
    }
    #expect(abs(klDivergence(logP: p.log(), logQ: p.log()).scalar) < 1e-15)
  }

  @Test func poolerAndFeedForwardAreWhatTheySay() throws {
    var random = RandomStream(seed: 3)
    var configuration = BERTConfiguration()
    (configuration.vocabulary, configuration.width, configuration.layers, configuration.heads) = (9, 6, 1, 2)
    (configuration.hidden, configuration.positions) = (8, 5)
    let model = try BERT<Double>(configuration, random: &random)
    let vectors: Tensor<Double> = random.normal([2, 5, 6])
    let pooler = try #require(model.pooler)
    let bias = try #require(pooler.bias)
    let wanted = (vectors[.all, 0].matmul(pooler.weight, transposingB: true) + bias).tanh()
    #expect(distance(try #require(model.pooled(vectors)), wanted) < 1e-14)
    #expect(try BERT<Double>(configuration, hasPooler: false, random: &random).pooled(vectors) == nil)

    let layer = FeedForward<Double>(6, activation: .relu, hasBias: false, random: &random)
    #expect(
      layer.input.weight.shape == [24, 6] && layer.output.weight.shape == [6, 24] && layer.parameters.count == 2)
    let hidden = vectors.matmul(layer.input.weight, transposingB: true).relu()
    #expect(distance(layer(vectors), hidden.matmul(layer.output.weight, transposingB: true)) < 1e-13)
  }

  /// Variances 1 / fan-in of hidden and 1 / fan-in² of output weights.
  @Test func maximalUpdateParametrization() {
    var random = RandomStream(seed: 4)
    for width in [64, 256] {
      let hidden: Tensor<Double> = Initializer.muHidden([500, width], from: &random)
      let output: Tensor<Double> = Initializer.muOutput([500, width], from: &random)
      let (fanIn, count) = (Double(width), Double(500 * width))
      // Five standard errors of a variance.
      let tolerance = 5 * (2 / count).squareRoot()
      #expect(abs(hidden.squared().mean().scalar * fanIn - 1) < tolerance)
      #expect(abs(output.squared().mean().scalar * fanIn * fanIn - 1) < tolerance)
      #expect(abs(hidden.mean().scalar) * fanIn.squareRoot() < 5 / count.squareRoot())
    }
  }
}
