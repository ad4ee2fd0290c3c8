import CatalogueCore
import Compression
import LinearAlgebra
import Tensors

/// `cospadi`: a weight in, a dictionary and sparse codes out.
struct CoSpaDiMethod: CataloguedMethod {
  enum Start: String, ParameterChoice { case signals, spectral }
  enum Precision: String, ParameterChoice { case full, half, integer8 }

  private let weight = MethodInput(
    tensors: "weight", "Weights of linear layers, an output a row; several share one dictionary.")
  private let activations = MethodInput(
    "activations", "Inputs of the layer on calibration data, a token a row.", shape: "[tokens, inputs]",
    isRequired: false)
  private let moments = MethodInput(
    "moments", "Their second moments instead.", shape: "[inputs, inputs]", isRequired: false)
  private let keep = MethodParameter(
    "keep", "Fraction of the weight's bits to keep.", default: 0.5, in: .above(0, atMost: 1))
  private let ratio = MethodParameter(
    "ratio", "Atoms for each entry of a code; 4 and more where outputs form clusters.", default: 2.0, in: .atLeast(1))
  private let sweeps = MethodParameter("sweeps", "Most sweeps of K-SVD.", default: 30, in: .atLeast(0))
  private let start = MethodParameter(
    "start", "Initial atoms: random outputs, or principal directions first.", default: Start.signals)
  private let precision = MethodParameter(
    "precision", "How the codes' numbers are stored: 16 bits as they come, rounded to half precision, or 8 bits.",
    default: Precision.full)
  private let dropped = MethodParameter(
    "dropped-bits", "Mantissa bits left out at half precision.", default: 0, in: .atLeast(0, atMost: 9))

  var card: MethodCard {
    MethodCard(
      id: "cospadi", module: "Compression",
      title: "COSPADI: Compressing LLMs via Calibration-Guided Sparse Dictionary Learning",
      paper: Paper("Makhov et al.", 2025, arXiv: "2509.22075"),
      summary:
        "Replaces a layer's weight by sparse codes over a dictionary, fitted to the layer's outputs on calibration "
        + "inputs. Where a low-rank factorization forces all outputs into one subspace, each output here chooses its own few "
        + "atoms: better at strong compression, and where outputs form clusters.",
      inputs: [weight, activations, moments], parameters: [keep, ratio, sweeps, start, precision, dropped],
      outputs: [
        MethodOutput("dictionary", "The atoms, common to all weights.", shape: "[atoms, inputs]"),
        MethodOutput(
          "NAME.starts", "Output i of weight NAME has entries starts[i] to starts[i + 1].", shape: "[outputs + 1]"),
        MethodOutput("NAME.indices", "The atom of each entry.", shape: "[entries]"),
        MethodOutput("NAME.values", "The coefficient of each entry.", shape: "[entries]"),
        MethodOutput("NAME.dense", "The weight that they stand for.", shape: "[outputs, inputs]"),
      ],
      example: "apus run cospadi weight=w.npy activations=x.npy --keep 0.25 --ratio 4 -o codes.npz",
      claim:
        "On a weight whose outputs lie in a union of subspaces, far less output error than whitened singular value "
        + "decomposition at equal storage; on a language model, less loss than it at strong compression only.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let collection = request.tensors(weight)
    var named: [(name: String, matrix: Tensor<Double>)] = []
    for (name, tensor) in try collection.all(as: Double.self) where tensor.rank == 2 && !tensor.isEmpty {
      named.append((name, tensor))
    }
    guard !named.isEmpty else {
      throw InvalidArgument(
        "weight", found: "no matrix among \(collection.count) arrays", wanted: "at least one matrix")
    }
    var notes: [String] = []
    if collection.count > named.count {
      notes.append("\(collection.count - named.count) arrays are not matrices and were left out.")
    }
    let method = CoSpaDi(
      keep: request[keep], ratio: request[ratio], sweeps: request[sweeps],
      initialization: request[start] == .spectral ? .spectral : .signals, precision: precision(request),
      seed: request.seed)
    let moment = try moment(request, inputs: named[0].matrix.columns, &notes)
    let found = try method.compressShared(
      named.map(\.matrix), secondMoments: moment.map { [$0] } ?? [], progress: request.progress)
    let report = found.report
    if report.damping > method.damping {
      notes.append("The second moments are singular: \(report.damping) of their mean was added to the diagonal.")
    }
    var table = Table("Weights", columns: ["weight", "outputs", "inputs", "entries", "relative error of the weight"])
    var outputs = [OutputArray("dictionary", Tensor<Float>(found.weights[0].dictionary))]
    for ((name, matrix), compressed) in zip(named, found.weights) {
      let dense = compressed.dense()
      let norm = matrix.frobeniusNorm()
      table.add([
        name, matrix.rows, matrix.columns, compressed.codes.entryCount,
        norm > 0 ? (matrix - dense).frobeniusNorm() / norm : 0,
      ])
      outputs += [
        OutputArray("\(name).starts", compressed.codes.starts),
        OutputArray("\(name).indices", compressed.codes.indices),
        OutputArray("\(name).values", Tensor<Float>(compressed.codes.values)),
        OutputArray("\(name).dense", Tensor<Float>(dense)),
      ]
    }
    return RunOutcome(
      summary: [
        Fact("Atoms", report.atoms), Fact("Entries an output", report.sparsity),
        Fact("Bits kept", report.keptFraction),
        Fact(moment == nil ? "Relative error" : "Relative error of the outputs", report.relativeError),
        Fact("Sweeps", max(0, report.errors.count - 1)),
      ],
      tables: [table],
      plots: [
        Plot(
          "Error while the dictionary is learned", x: "sweep", y: .logarithmic("relative error"),
          [Series("", report.errors, .lineAndPoints)])
      ],
      notes: notes, outputs: outputs)
  }

  private func precision(_ request: RunRequest) -> CodePrecision {
    switch request[precision] {
    case .full: .unrounded
    case .half: .half(droppedBits: request[dropped])
    case .integer8: .integer8
    }
  }

  private func moment(_ request: RunRequest, inputs: Int, _ notes: inout [String]) throws -> Tensor<Double>? {
    switch (request.isGiven(activations), request.isGiven(moments)) {
    case (true, true):
      throw InvalidArgument("activations", found: "activations and moments", wanted: "one of the two")
    case (false, true): return try request.matrix(moments)
    case (false, false):
      notes.append("Without activations the weight itself is approximated, not the layer's outputs.")
      return nil
    case (true, false):
      let x = try request.matrix(activations)
      guard x.columns == inputs else {
        throw InvalidArgument("activations", found: "\(x.columns) inputs", wanted: "\(inputs), as the weight has")
      }
      if x.rows < inputs {
        notes.append("\(x.rows) tokens for \(inputs) inputs: directions that they do not reach are free. Give more.")
      }
      return x.multipliedByOwnTranspose(transposing: true)
    }
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try CoSpaDiClaim(settings: settings).evidence() }
}
