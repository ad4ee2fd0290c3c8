import CatalogueCore
import Compression
import Networks
import Tensors

/// `structured-ffn`: dense matrices in, their nearest structured ones out.
struct StructuredFFN: CataloguedMethod {
  enum Structure: String, ParameterChoice {
    case lowRank = "low-rank"
    case blockShuffle = "block-shuffle"
    case blockDense = "block-dense"
  }

  private let weights = MethodInput(
    tensors: "weights", "Weights [outputs, inputs] of linear layers; arrays that are not matrices are left out.")
  private let structure = MethodParameter("structure", "What replaces a matrix.", default: Structure.lowRank)
  private let rank = MethodParameter(
    "rank", "Of low-rank and block-dense matrices; by default the one that 'keep' allows.", default: Int?.none,
    in: .atLeast(1))
  private let blocks = MethodParameter("blocks", "Of block-diagonal matrices.", default: 2, in: .atLeast(1))
  private let keep = MethodParameter(
    "keep", "The part of a matrix's numbers that a rank may cost.", default: 0.5, in: .above(0, atMost: 1))

  var card: MethodCard {
    MethodCard(
      id: "structured-ffn", module: "Compression",
      title: "Building on Efficient Foundations: Effectively Training LLMs with Structured Feedforward Layers",
      paper: Paper("Wei et al.", 2024, venue: "NeurIPS 2024", arXiv: "2406.16450"),
      summary: "Linear layers that are cheap by construction (low-rank, block-shuffle, block-dense), for feed-forward "
        + "layers that are trained from the start, with self-guided training against their worse optima. On files: the "
        + "nearest structured matrices to given dense ones, as a start for training, and what they lose. A singular value "
        + "decomposition for each matrix or block.",
      inputs: [weights], parameters: [structure, rank, blocks, keep],
      outputs: [
        MethodOutput(
          "NAME.down", "First factor of matrix NAME (low-rank, block-dense).", shape: "[r, n] or [b, r/b, n/b]"),
        MethodOutput("NAME.up", "Second factor of matrix NAME.", shape: "[m, r]"),
        MethodOutput("NAME.first", "First blocks of matrix NAME (block-shuffle).", shape: "[b, q, n/b]"),
        MethodOutput("NAME.second", "Second blocks of matrix NAME.", shape: "[b, m/b, q]"),
      ],
      example: "apus run structured-ffn weights=ffn.safetensors --structure block-dense --rank 256 -o factors.npz",
      claim:
        "Where a good structured solution exists, self-guided training finds a better one than plain training; on a "
        + "character model structured layers keep up with dense ones at a third of the numbers, and are faster at width "
        + "1,024.",
      pending: [
        "The mode that repeats the tokens of the guided steps so that the arithmetic is the same (`flop matched`)."
      ])
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let collection = request.tensors(weights)
    var table = Table(
      "Matrices", columns: ["matrix", "outputs", "inputs", "numbers", "part kept", "relative error"])
    var outputs: [OutputArray] = []
    var left: [String] = []
    var (before, after) = (0, 0)
    for (i, entry) in collection.entries.enumerated() {
      try request.progress.report(i, of: collection.count, entry.name)
      let matrix = try collection.tensor(entry, as: Float.self)
      guard matrix.rank == 2, !matrix.isEmpty else {
        left.append(entry.name)
        continue
      }
      let wanted = try chosen(request, matrix)
      do { try wanted.validate(inputs: matrix.columns, outputs: matrix.rows) } catch let error as InvalidArgument {
        throw InvalidArgument("\(error.name) for \(entry.name)", found: error.found, wanted: error.wanted)
      }
      let layer = try StructuredLayer<Float>(projecting: matrix, onto: wanted)
      let error =
        (layer.dense() - matrix).sumOfSquares().scalar / max(matrix.sumOfSquares().scalar, .leastNormalMagnitude)
      table.add([
        entry.name, matrix.rows, matrix.columns, layer.weightCount, Double(layer.weightCount) / Double(matrix.count),
        Double(error.squareRoot()),
      ])
      before += matrix.count
      after += layer.weightCount
      let parts = layer.parameters
      for (name, tensor) in zip(parts.names, parts.tensors) {
        outputs.append(OutputArray("\(entry.name).\(name)", tensor))
      }
    }
    guard before > 0 else {
      throw InvalidArgument("weights", found: "no matrix among \(collection.count) arrays", wanted: "at least one")
    }
    var notes = left.isEmpty ? [] : ["\(left.count) arrays are not matrices and were left out."]
    if after >= before { notes.append("The structured matrices hold no fewer numbers than the dense ones.") }
    return RunOutcome(
      summary: [
        Fact("Matrices", table.rows.count), Fact("Numbers before", before), Fact("Numbers stored", after),
        Fact("Part kept", Double(after) / Double(before)),
      ],
      tables: [table], notes: notes, outputs: outputs)
  }

  private func chosen(_ request: RunRequest, _ matrix: Tensor<Float>) throws -> LinearStructure {
    let matched = try matchedRank(keep: request[keep], inputs: matrix.columns, outputs: matrix.rows)
    switch request[structure] {
    case .lowRank: return .lowRank(request[rank] ?? matched)
    case .blockShuffle: return .blockShuffle(blocks: request[blocks])
    case .blockDense:
      let count = request[blocks]
      return .blockDense(rank: request[rank] ?? max(count, matched / count * count), blocks: count)
    }
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try StructuredFFNClaim(settings: settings).evidence()
  }
}
