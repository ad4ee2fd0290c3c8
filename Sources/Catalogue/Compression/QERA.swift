import CatalogueCore
import Compression
import LinearAlgebra
import Tensors

/// `qera`: a weight and its inputs in, quantized codes and their low-rank correction out.
struct QERAMethod: CataloguedMethod {
  enum Format: String, ParameterChoice {
    case mxint, nf, int
    case affine = "int-affine"
  }
  enum Scaling: String, ParameterChoice { case exact, diagonal, lqer, identity }

  private let weight = MethodInput("weight", "Weight of a linear layer, an output a row.", shape: "[outputs, inputs]")
  private let activations = MethodInput(
    "activations", "Inputs of the layer on calibration data, a token a row.", shape: "[tokens, inputs]",
    isRequired: false)
  private let moments = MethodInput(
    "moments", "Their second moments E[x xᵀ] instead.", shape: "[inputs, inputs]", isRequired: false)
  private let rank = MethodParameter("rank", "Rank of the correction.", default: 32, in: .atLeast(1))
  private let format = MethodParameter(
    "format", "Block floating point, normal floats, or whole numbers (symmetric or affine).", default: Format.mxint)
  private let bits = MethodParameter(
    "bits", "Bits of a weight: 2 to 8, normal floats 2, 3, 4 or 8.", default: 4, in: .atLeast(2, atMost: 8))
  private let block = MethodParameter(
    "block", "Weights that share a scale; by default 32, 64 for normal floats, a row for whole numbers.",
    default: Int?.none, in: .atLeast(1))
  private let scaling = MethodParameter(
    "scaling", "By what errors are measured: outputs exactly, by the inputs' sizes, as LQER does, or not at all.",
    default: Scaling.exact)
  private let alternations = MethodParameter(
    "alternations", "Rounds of quantizing and correcting; LoftQ takes 5 with scaling 'identity'.", default: 1,
    in: .atLeast(1))

  var card: MethodCard {
    MethodCard(
      id: "qera", module: "Compression",
      title: "QERA: an Analytical Framework for Quantization Error Reconstruction",
      paper: Paper("Zhang et al.", 2025, venue: "ICLR 2025", arXiv: "2410.06040"),
      summary: "Rounds a layer's weight to a few bits and adds a low-rank term, in closed form, with which the layer's "
        + "outputs on calibration inputs are as near as that rank allows. The plain singular value decomposition of the "
        + "weight's error keeps weights instead, and outputs much less. Costs one symmetric eigendecomposition.",
      inputs: [weight, activations, moments], parameters: [rank, format, bits, block, scaling, alternations],
      outputs: [
        MethodOutput("quantized", "The rounded weight.", shape: "[outputs, inputs]"),
        MethodOutput("left", "Left factor of the correction.", shape: "[outputs, rank]"),
        MethodOutput("right", "Right factor of the correction.", shape: "[rank, inputs]"),
        MethodOutput("corrected", "The rounded weight plus the correction.", shape: "[outputs, inputs]"),
        MethodOutput("codes", "The packed bits, low ones first; a code for each weight.", shape: "[bytes]"),
        MethodOutput("scales", "What a block's table values are multiplied by.", shape: "[blocks, blocks]"),
        MethodOutput("zero-points", "What is subtracted before, of affine codes.", shape: "[blocks, blocks]"),
        MethodOutput("table", "The value of each code.", shape: "[codes]"),
      ],
      example: "apus run qera weight=w.npy activations=x.npy --bits 2 --rank 16 -o corrected.npz",
      claim:
        "On a language model rounded to 2 and 3 bits, the exact correction leaves less loss and less output error than "
        + "the plain one, LQER's and the diagonal one, though its weights are farther from the original.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let matrix = try request.matrix(weight)
    let method = QERA(
      rank: request[rank], scaling: ReconstructionScaling(rawValue: request[scaling].rawValue) ?? .exact,
      alternations: request[alternations])
    let statistics = try statistics(request, inputs: matrix.columns)
    let corrected = try method.correct(matrix, quantizedBy: quantizer(request), activations: statistics)
    let found = corrected.correction
    let quantized = corrected.quantized
    let power = statistics.meanSquaredOutput(of: matrix)
    var table = Table(
      "Errors", columns: ["", "outputs, relative", "weights, relative"],
      caption: "Root mean square over the calibration inputs; Frobenius norm of the weights.")
    let norm = matrix.frobeniusNorm()
    func relative(_ square: Double) -> Double { power > 0 ? (square / power).squareRoot() : 0 }
    table.add(["quantized", relative(found.uncorrectedOutputError), found.uncorrectedWeightError / norm])
    table.add(["corrected", relative(found.outputError), found.weightError / norm])
    var notes: [String] = []
    if statistics.tokens < statistics.width, request.isGiven(activations) {
      notes.append(
        "\(statistics.tokens) tokens for \(statistics.width) inputs: the second moments are singular. The correction fits "
          + "these tokens; give more for others.")
    }
    var outputs = [
      OutputArray("quantized", quantized.dequantized), OutputArray("left", Tensor<Float>(found.factors.left)),
      OutputArray("right", Tensor<Float>(found.factors.right)),
      OutputArray("corrected", Tensor<Float>(corrected.reconstructed())),
      OutputArray("codes", Tensor(quantized.codes.bytes)), OutputArray("scales", quantized.scales),
      OutputArray("table", quantized.table),
    ]
    if let zeroPoints = quantized.zeroPoints { outputs.append(OutputArray("zero-points", zeroPoints)) }
    return RunOutcome(
      summary: [
        Fact("Format", "\(try quantizer(request).name)"), Fact("Bits a weight", quantized.bitsPerWeight),
        Fact("With the correction at 16 bits", corrected.bitsPerWeight()), Fact("Rank", method.rank),
        Fact("Output error removed", 1 - ratio(found.outputError, found.uncorrectedOutputError)),
        Fact("Condition of the second moments", found.conditionNumber),
      ],
      tables: [table], notes: notes, outputs: outputs)
  }

  private func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 1 }

  private func statistics(_ request: RunRequest, inputs: Int) throws -> ActivationMoments {
    switch (request.isGiven(activations), request.isGiven(moments)) {
    case (true, false):
      var statistics = ActivationMoments(width: inputs)
      try statistics.add(request.matrix(activations, as: Float.self))
      return statistics
    case (false, true): return try ActivationMoments(secondMoment: request.matrix(moments))
    case (true, true):
      throw InvalidArgument("activations", found: "activations and moments", wanted: "one of the two")
    case (false, false):
      guard request[scaling] == .identity else {
        throw InvalidArgument(
          "activations", found: "neither activations nor moments",
          wanted: "one of them, or --scaling identity, which needs none")
      }
      return try ActivationMoments(secondMoment: .identity(inputs))
    }
  }

  private func quantizer(_ request: RunRequest) throws -> any WeightQuantizer {
    let (bits, block) = (request[bits], request[block])
    switch request[format] {
    case .mxint: return MXIntQuantizer(bits: bits, blockSize: block ?? 32)
    case .nf: return NormalFloatQuantizer(bits: bits, blockSize: block ?? 64)
    case .int, .affine:
      return IntegerQuantizer(
        bits: bits, isSymmetric: request[format] == .int,
        granularity: block.map { .group($0) } ?? .channel)
    }
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try QERAClaim(settings: settings).evidence() }
}
