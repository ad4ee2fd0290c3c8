import CatalogueCore
import Compression
import Tensors

/// `m-fac`: gradients in, products with the inverse Fisher matrix and pruned weights out.
struct MFACMethod: CataloguedMethod {
  private let gradients = MethodInput(
    "gradients", "One gradient a row, of single examples or small batches.", shape: "[m, d]")
  private let weights = MethodInput(
    "weights", "The weights that the gradients belong to; pruned when given.", shape: "[d]", isRequired: false)
  private let vector = MethodInput(
    "vector", "A vector to multiply with the inverse.", shape: "[d]", isRequired: false)
  private let damping = MethodParameter(
    "damping", "What is added to the diagonal of the Fisher matrix.", default: 1e-5, in: .above(0))
  private let blockSize = MethodParameter(
    "block-size", "Coordinates whose cross terms are kept; all by default.", default: Int?.none, in: .atLeast(1))
  private let sparsity = MethodParameter(
    "sparsity", "The share of weights to remove.", default: 0.5, in: .atLeast(0, below: 1))
  private let exact = MethodParameter(
    "exact", "Compensate for all removed weights jointly; at most 4,096 of them.", default: false)
  private let diagonal = MethodOutput("diagonal", "The diagonal of the inverse.", shape: "[d]")
  private let product = MethodOutput("product", "The inverse times the vector.", shape: "[d]")
  private let pruned = MethodOutput("pruned", "The weights after removal, the others moved.", shape: "[d]")
  private let scores = MethodOutput("scores", "What removing each weight alone costs.", shape: "[d]")

  var card: MethodCard {
    MethodCard(
      id: "m-fac", module: "Compression",
      title: "M-FAC: Efficient Matrix-Free Approximations of Second-Order Information",
      paper: Paper("Frantar, Kurtic and Alistarh", 2021, venue: "NeurIPS 2021", arXiv: "2107.03356"),
      summary: "The inverse of the damped empirical Fisher matrix of m gradients, without a matrix of the number of "
        + "weights: products, the diagonal, and pruning by the rule of the optimal brain surgeon, where the weights that "
        + "stay move to make up for those that go. As a library also for a sliding window of gradients, which makes it an "
        + "optimizer. A product reads the gradients twice; the diagonal costs d m² operations.",
      inputs: [gradients, weights, vector], parameters: [damping, blockSize, sparsity, exact],
      outputs: [diagonal, product, pruned, scores],
      example: "apus run m-fac gradients=g.npy weights=w.npy --sparsity 0.8 -o pruned.npz",
      claim:
        "Pruned to 0.95 of its weights with repeated gradients, a perceptron on MNIST keeps at least 0.30 more of its "
        + "accuracy than by magnitude; in one shot it is not below magnitude and diagonal Fisher.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let rows = try request.matrix(gradients, as: Float.self)
    let inverse = try InverseFisher(
      gradients: rows, damping: request[damping], blockSize: request[blockSize])
    let elements = inverse.diagonal()
    var summary = [
      Fact("Gradients", inverse.count), Fact("Coordinates", inverse.dimension),
      Fact("Block size", inverse.blockSize), Fact("Mean of the diagonal", Double(elements.mean().scalar)),
    ]
    var outputs = [OutputArray(diagonal, elements)]
    if request.isGiven(vector) {
      let x = try request.vector(vector, as: Float.self)
      let result = try inverse.apply(x)
      summary.append(Fact("Norm of the product", Double(result.norm().scalar)))
      outputs.append(OutputArray(product, result))
    }
    if request.isGiven(weights) {
      let w = try request.vector(weights, as: Float.self)
      let count = Int((request[sparsity] * Double(w.count)).rounded())
      let removal = try inverse.remove(
        count, from: w, compensation: request[exact] ? .exact : .simultaneous)
      let without = try inverse.remove(count, from: w, compensation: .none)
      summary += [
        Fact("Weights removed", removal.removed.count),
        Fact("Predicted increase of the loss", removal.predictedIncrease),
        Fact("The same without moving the others", without.predictedIncrease),
        Fact("Norm of the change over the norm", Double((removal.weights - w).norm().scalar / w.norm().scalar)),
      ]
      outputs += [OutputArray(pruned, removal.weights), OutputArray(scores, removal.scores)]
    }
    return RunOutcome(
      summary: summary,
      plots: [
        Plot(
          "Diagonal of the inverse", x: "log10 of the element", y: "density",
          [Series.histogram("", of: elements.scalars.map { Double($0).magnitude.logarithm })])
      ],
      outputs: outputs)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try MFACClaim(settings: settings).evidence() }
}

extension Double {
  /// log10, which a histogram of numbers over decades needs.
  fileprivate var logarithm: Double { Tensor(self).log10().scalar }
}
