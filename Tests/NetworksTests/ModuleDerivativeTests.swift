import Networks
import Tensors
import TestSupport
import Testing

/// Tokens to classes: an embedding, two layers along a sequence, dropout, and running statistics.
private struct Tagger: Module {
  var embedding: Embedding<Double>
  var hidden: Linear<Double>
  var output: Linear<Double>
  var seen = Tensor<Double>.zeros([6])
  let dropout = Dropout<Double>(0.4)

  init(random: inout RandomStream) {
    embedding = Embedding(9, 4, random: &random)
    hidden = Linear(4, 6, random: &random)
    output = Linear(6, 3, random: &random)
  }

  func callAsFunction(_ tokens: Tensor<Int>, in pass: ForwardPass = .inference) -> Tensor<Double> {
    let x = embedding(tokens)
    let inner = hidden(x).tanh()
    pass.update(seen, to: inner.withoutDerivative.mean(axes: [0, 1]) + pass.current(seen))
    return output(dropout(inner, in: pass))
  }

  mutating func visit(_ visitor: Visitor<Double>) {
    visitor.module("embedding", &embedding)
    visitor.module("hidden", &hidden)
    visitor.module("output", &output)
    visitor.buffer("seen", &seen)
  }
}

struct ModuleDerivativeTests {
  private let tokens = Tensor<Int>([[0, 3, 3, 8], [1, 1, 1, 1], [2, 0, 5, 7]])
  private let labels = Tensor<Int>([[0, 1, 2, 0], [1, 1, 0, 2], [2, 2, 0, 1]])

  private func losses(_ model: Tagger, _ rows: Range<Int>) -> Tensor<Double> {
    crossEntropy(model(tokens[rows]), labels: labels[rows], smoothing: 0.1, reduction: .none).mean(axis: 1)
  }

  @Test func gradientsByExampleAgreeWithALoop() {
    var random = RandomStream(seed: 1)
    let model = Tagger(random: &random)
    let (values, gradients) = model.perExampleGradients(examples: 3) { losses($0, 0..<3) }
    let (_, norms, squares) = model.perExampleGradientNorms(examples: 3) { losses($0, 0..<3) }
    #expect(gradients.names == model.parameters.names && squares.names == gradients.names)
    for i in 0..<3 {
      let (value, own) = model.valueAndGradient { losses($0, i..<i + 1).sum() }
      #expect(abs(values[at: i] - value.scalar) < 1e-14)
      for (all, one) in zip(gradients.tensors, own.tensors) { #expect(distance(all[i], one) < 1e-14) }
      #expect(abs(norms[at: i] - own.norm) < 1e-13)
    }
    let some = model.perExampleGradients(examples: 3, where: { $0.hasSuffix("bias") }, of: { losses($0, 0..<3) })
    #expect(some.gradients.names == ["hidden.bias", "output.bias"])
  }

  @Test func normalizationsKeepTheExamplesApart() {
    var random = RandomStream(seed: 5)
    let x: Tensor<Double> = random.normal([3, 4, 6])
    let target: Tensor<Double> = random.normal([3, 4, 6])
    func check<Part: Layer>(_ layer: Part) where Part.Scalar == Double {
      let moved = layer.with(parameters: layer.parameters.tensors.map { $0 + random.normal($0.shape) })
      func losses(_ layer: Part, _ rows: Range<Int>) -> Tensor<Double> {
        squaredError(layer(x[rows]), target[rows], reduction: .none).sum(axes: [1, 2])
      }
      let gradients = moved.perExampleGradients(examples: 3) { losses($0, 0..<3) }.gradients
      for i in 0..<3 {
        let own = moved.valueAndGradient { losses($0, i..<i + 1).sum() }.gradient
        for (all, one) in zip(gradients.tensors, own.tensors) { #expect(distance(all[i], one) < 1e-12) }
      }
    }
    check(LayerNorm<Double>(6))
    check(RMSNorm<Double>(6))
  }

  @Test func productsAgreeWithDifferences() {
    var random = RandomStream(seed: 2)
    let model = Tagger(random: &random)
    let parameters = model.parameters
    let direction = parameters.map { random.normal($0.shape) }
    func moved(_ step: Double) -> Tagger {
      model.with(parameters: zip(parameters.tensors, direction.tensors).map { $0 + $1 * step })
    }
    let step = 1e-6
    let (_, gradient, product) = model.hessianVectorProduct(along: direction) { losses($0, 0..<3).mean() }
    let up = moved(step).valueAndGradient { losses($0, 0..<3).mean() }.gradient
    let down = moved(-step).valueAndGradient { losses($0, 0..<3).mean() }.gradient
    for i in product.tensors.indices {
      let difference = (up.tensors[i] - down.tensors[i]) / (2 * step)
      #expect(product.tensors[i].isClose(to: difference, tolerance: 1e-7), "\(product.names[i])")
    }
    #expect(gradient.names == parameters.names)
    let (outputs, derivative) = model.jacobianVectorProduct(along: direction) { $0(tokens) }
    #expect(outputs == model(tokens))
    #expect(derivative.isClose(to: (moved(step)(tokens) - moved(-step)(tokens)) / (2 * step), tolerance: 1e-7))
    // vᵀ JᵀHJ v = (Jv)ᵀ H (Jv)
    let (_, curved) = model.gaussNewtonVectorProduct(
      along: direction, of: { $0(tokens) }, loss: { ($0.squared() * 0.5).sum() })
    let left = zip(curved.tensors, direction.tensors).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    #expect(abs(left - derivative.sumOfSquares().scalar) < 1e-10 * left)
    // Some parameters only.
    let some = NamedTensors(names: ["output.bias"], tensors: [direction["output.bias"] ?? .zeros([3])])
    #expect(model.hessianVectorProduct(along: some) { losses($0, 0..<3).mean() }.product.names == ["output.bias"])
  }

  @Test func checkpointsGiveGradientsToTheParameters() {
    var random = RandomStream(seed: 3)
    let start = Tagger(random: &random)
    let x: Tensor<Double> = random.normal([5, 4])
    func step(_ isCheckpointed: Bool) -> (gradient: NamedTensors<Double>, model: Tagger, random: RandomStream) {
      var model = start
      let pass = ForwardPass.training(random: RandomStream(seed: 4))
      let (_, gradient) = model.valueAndGradient(in: pass) { model, pass in
        let y =
          isCheckpointed
          ? pass.checkpointed(model, []) { model, _, pass in model(tokens, in: pass) }
          : model(tokens, in: branch(pass))
        let z = isCheckpointed ? model.hidden.checkpointed(x, in: pass) : model.hidden(x, in: branch(pass))
        return y.squared().sum() + z.squared().sum()
      }
      return (gradient, model, pass.random)
    }
    /// The stream that a checkpoint draws from.
    func branch(_ pass: ForwardPass) -> ForwardPass { .training(random: pass.randomStream()) }
    let (saved, savedModel, _) = step(true)
    let (plain, _, _) = step(false)
    #expect(saved.names == plain.names)
    for (a, b) in zip(saved.tensors, plain.tensors) { #expect(a == b && a.largestMagnitude > 0) }
    // Statistics are noted once, although the part is evaluated twice.
    let inner = start.hidden(start.embedding(tokens)).tanh().mean(axes: [0, 1])
    #expect(distance(savedModel.seen, inner) < 1e-15)
  }
}
