import CatalogueCore
import Compression
import Tensors

extension GeneralizedGaussianFitting.Method: ParameterChoice {}

/// `gg-prior`: weights in; the law they follow, what they cost in bits, and, if wanted, reshaped weights out.
struct GGPrior: CataloguedMethod {
  private let weights = MethodInput(
    tensors: "weights", "Weights of a network; arrays that are not matrices are left out.")
  private let method = MethodParameter(
    "method", "How the shape is estimated.", default: GeneralizedGaussianFitting.Method.moments)
  private let step = MethodParameter(
    "step",
    "Distance of the grid that weights are rounded to; by default the power of two nearest to a quarter of each "
      + "matrix's standard deviation.", default: Double?.none, in: .above(0))
  private let reshape = MethodParameter(
    "reshape", "Reshape the matrices to this part of their own shape (DeepShape).", default: Double?.none, in: .above(0)
  )
  private let strength = MethodParameter(
    "strength", "How much of the way reshaping goes.", default: 1.0, in: .atLeast(0, atMost: 1))
  private let float8 = MethodParameter(
    "float8", "Write each matrix in the 8-bit float that suits its shape.", default: false)

  var card: MethodCard {
    MethodCard(
      id: "gg-prior", module: "Compression",
      title: "It Takes a Good Model to Train a Good Model: Generalized Gaussian Priors for Optimized LLMs",
      paper: Paper("Wu et al.", 2025, arXiv: "2506.00486"),
      summary:
        "Trained weights follow a generalized Gaussian law with a shape below 2. Estimates it for each matrix and "
        + "compares it with Gaussian, Laplace and Student laws; says what the weights cost in bits once rounded, and which "
        + "8-bit float suits them; reshapes them so that they cost less. In Swift also: initialisation from such a law and "
        + "training under a rate constraint (BackSlash). Fitting takes about as long as reading the file.",
      inputs: [weights], parameters: [method, step, reshape, strength, float8],
      outputs: [
        MethodOutput("NAME", "Matrix NAME after reshaping, where asked for.", shape: "[m, n]"),
        MethodOutput("NAME.codes", "The 8-bit codes of matrix NAME, where asked for.", shape: "[m, n]"),
        MethodOutput("NAME.table", "The number that each code stands for.", shape: "[256]"),
      ],
      example: "apus run gg-prior weights=model.safetensors --reshape 0.6 -o reshaped.safetensors",
      claim:
        "Of a perceptron on MNIST: the shape of its weights falls with the strength of the rate constraint, and reshaping "
        + "saves a tenth of their entropy. The best 8-bit floats have the stated splits and errors, below those of E4M3, E5M2 "
        + "and integers.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let collection = request.tensors(weights)
    let fitting = GeneralizedGaussianFitting(method: request[method])
    var laws = Table(
      "Laws", columns: ["matrix", "shape", "scale", "KS", "best law", "Gaussian", "Laplace", "Student"],
      caption:
        "The last columns: how much Akaike's criterion exceeds the generalized Gaussian's, per weight; below zero "
        + "that law is the better one.")
    var rates = Table(
      "Bits a weight", columns: ["matrix", "step", "entropy", "exp-Golomb", "ideal code", "range coded", "zeros"])
    var formats = Table("8-bit floats", columns: ["matrix", "format", "scale", "error / variance"])
    var outputs: [OutputArray] = []
    var shapes: [Double] = []
    var left = 0
    for (i, entry) in collection.entries.enumerated() {
      try request.progress.report(i, of: collection.count, entry.name)
      var matrix = try collection.tensor(entry, as: Float.self)
      guard matrix.rank >= 2, !matrix.isEmpty else {
        left += 1
        continue
      }
      let fit = try fitting.fit(matrix, name: entry.name)
      let comparison = try LawComparison(of: matrix, name: entry.name)
      shapes.append(fit.shape)
      laws.add([
        entry.name, fit.shape, fit.scale, comparison.kolmogorovSmirnov, comparison.best.rawValue,
        comparison.excess(of: .gaussian), comparison.excess(of: .laplace), comparison.excess(of: .student),
      ])
      if let part = request[reshape] {
        matrix = try DeepShape(target: .shape(part * fit.shape), strength: request[strength])
          .reshape(matrix, name: entry.name)
        outputs.append(OutputArray(entry.name, matrix))
      }
      let distance = request[step] ?? powerOfTwo(near: fit.law.standardDeviation / 4)
      let rate = try codeLength(of: matrix, step: distance, name: entry.name)
      rates.add([
        entry.name, distance, rate.entropy, rate.exponentialGolomb, rate.generalizedGaussian, rate.rangeCoded,
        rate.zeros,
      ])
      if request[float8] {
        let format = try optimalFloat8(shape: GeneralizedGaussianFitting().fit(matrix, name: entry.name).shape).format
        let scale = try format.bestScale(for: matrix, name: entry.name)
        let codes = try format.encode(matrix, scale: scale, name: entry.name)
        let error = (format.decode(codes, scale: scale) - matrix).sumOfSquares().scalar / matrix.sumOfSquares().scalar
        formats.add([entry.name, format.name, Double(scale), Double(error)])
        outputs.append(OutputArray("\(entry.name).codes", codes))
        outputs.append(OutputArray("\(entry.name).table", Tensor(format.table.map { $0 * scale })))
      }
    }
    guard !shapes.isEmpty else {
      throw InvalidArgument("weights", found: "no matrix among \(collection.count) arrays", wanted: "at least one")
    }
    return RunOutcome(
      summary: [
        Fact("Matrices", shapes.count), Fact("Median shape", Tensor(shapes).median().scalar),
        Fact("Least shape", shapes.min()), Fact("Greatest shape", shapes.max()),
      ],
      tables: [laws, rates] + (request[float8] ? [formats] : []),
      plots: [
        Plot(
          "Shape of each matrix", x: "matrix", y: "shape", [Series("", shapes, .bars)],
          marks: [.horizontal(at: 2, "Gaussian"), .horizontal(at: 1, "Laplace")])
      ],
      notes: left > 0 ? ["\(left) arrays are not matrices and were left out."] : [], outputs: outputs)
  }

  private func powerOfTwo(near value: Double) -> Double {
    Double(sign: .plus, exponent: value.exponent + (value.significand > 2.0.squareRoot() ? 1 : 0), significand: 1)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try GGPriorClaim(settings: settings).evidence() }
}
