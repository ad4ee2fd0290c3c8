import CatalogueCore
import LinearAlgebra
import Sketching
import Tensors

/// `streaming-eigenvector`: rows in, their top principal direction out, after one pass.
struct StreamingEigenvector: CataloguedMethod {
  enum Merge: String, ParameterChoice { case ranked, paper }

  private let rows = MethodInput("rows", "A, whose rows are read once, in their order.", shape: "[n, d]")
  private let count = MethodParameter("count", "Eigenvectors wanted.", default: 1, in: .atLeast(1))
  private let gap = MethodParameter(
    "gap", "σ₁² / σ₂² if it is known: fewer blocks for a large one.", default: Double?.none, in: .above(1))
  private let heavy = MethodParameter(
    "heavy", "The constant of the threshold from which rows are kept.", default: 1.0, in: .above(0))
  private let mostHeavy = MethodParameter(
    "most-heavy", "Heavy rows beyond this many are compressed.", default: Int?.none, in: .atLeast(4))
  private let merge = MethodParameter("merge", "How heavy and light rows give one vector.", default: Merge.ranked)
  private let shuffle = MethodParameter("shuffle", "Read the rows in random order.", default: false)
  private let vectors = MethodOutput("vectors", "The top eigenvectors of AᵀA, as columns.", shape: "[d, count]")
  private let eigenvalues = MethodOutput("eigenvalues", "Estimates of the eigenvalues.", shape: "[count]")

  var card: MethodCard {
    MethodCard(
      id: "streaming-eigenvector", module: "Sketching",
      title: "Approximating the Top Eigenvector in Random Order Streams",
      paper: Paper("Kacham and Woodruff", 2024, venue: "NeurIPS 2024", arXiv: "2412.11963"),
      summary:
        "Finds the top eigenvector of AᵀA from one pass over the rows of A, in the memory of a few vectors: each "
        + "block of rows makes one step of the power method, and the few rows of large norm are kept as they are. Rows "
        + "must come in random order. Time is linear in the numbers read; memory does not depend on how many rows "
        + "there are.",
      inputs: [rows], parameters: [count, gap, heavy, mostHeavy, merge, shuffle], outputs: [vectors, eigenvalues],
      example: "apus run streaming-eigenvector rows=activations.npy -o direction/",
      claim:
        "On streams of light rows with 64 heavy ones among them, the error falls as 1 / R with the gap R, at a tenth "
        + "of that of Oja's rule at its best rate, in the memory of the heavy rows and a few vectors more.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let a = try request.matrix(rows)
    var stream = try TopEigenvectorStream<Double>(
      dimension: a.columns, count: request[count], expectedRows: a.rows, gapHint: request[gap],
      heavyConstant: request[heavy], mostHeavy: request[mostHeavy], merge: request[merge] == .paper ? .paper : .ranked,
      seed: request.seed)
    var random = request.random.child(1)
    let order = request[shuffle] ? random.permutation(a.rows) : nil
    let batch = 4_096
    for first in stride(from: 0, to: a.rows, by: batch) {
      try request.progress.report(first, of: a.rows, "rows")
      let range = first..<min(first + batch, a.rows)
      try stream.observe(order.map { a.gathered($0[range].dense) } ?? a[range, .all])
    }
    let found = try stream.finish()
    var notes: [String] = []
    if found.gapWarning {
      notes.append(
        "Successive directions differ much: the gap is small, there are too few rows, or they do not come in random order "
          + "(--shuffle).")
    }
    if found.isHeavyCompressed { notes.append("There were more heavy rows than allowed, and they were compressed.") }
    return RunOutcome(
      summary: [
        Fact("Rows", found.rows), Fact("Columns", a.columns), Fact("Eigenvalue", found.eigenvalueEstimate),
        Fact("Share of ‖A‖_F²", found.eigenvalueEstimate / stream.energy), Fact("Heavy rows", found.heavyRows),
        Fact("Blocks", found.blocks), Fact("Vectors held, at most", found.memoryVectors),
        Fact("Correlation of the last two directions", found.correlations.last), Fact("From", found.chosen.rawValue),
      ],
      notes: notes,
      outputs: [OutputArray(vectors, found.vectors), OutputArray(eigenvalues, Tensor(found.eigenvalueEstimates))])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try StreamingEigenvectorClaim(settings: settings).evidence()
  }
}
