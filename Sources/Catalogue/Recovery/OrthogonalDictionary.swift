import CatalogueCore
import Recovery
import Tensors

/// `orthogonal-dictionary`: a stream of vectors in, an orthogonal sparsifying transform and codes out.
struct OrthogonalDictionary: CataloguedMethod {
  private let samples = MethodInput("samples", "Vectors, one a row, taken in order.", shape: "[samples, n]")
  private let batch = MethodParameter("batch", "Samples a step.", default: 16, in: .atLeast(1))
  private let passes = MethodParameter("passes", "How often the samples are gone through.", default: 1, in: .atLeast(1))
  private let power = MethodParameter("power", "Power of the norm that is maximized.", default: 3.0, in: .above(2))
  private let center = MethodParameter("center", "Subtract the running mean.", default: true)
  private let whiten = MethodParameter("whiten", "Decorrelate by the running covariance.", default: false)
  private let floor = MethodParameter(
    "floor", "Least step, to follow a dictionary that changes; the momentum's is 2.5 times it.", default: 0.0,
    in: .atLeast(0, below: 0.4))
  private let sparsity = MethodParameter(
    "sparsity", "Coefficients kept in each code; all if left out.", default: Int?.none, in: .atLeast(1))

  private let dictionary = MethodOutput("dictionary", "The orthogonal dictionary, atoms in columns.", shape: "[n, n]")
  private let complete = MethodOutput(
    "complete", "The dictionary of the samples themselves, with --whiten.", shape: "[n, n]")
  private let codes = MethodOutput("codes", "The codes of the samples.", shape: "[samples, n]")

  var card: MethodCard {
    MethodCard(
      id: "orthogonal-dictionary", module: "Recovery",
      title: "Online Orthogonal Dictionary Learning Based on Frank-Wolfe Method",
      paper: Paper("Xue and Lau", 2021, arXiv: "2103.01484"),
      summary: """
        Learns a square orthogonal transform that makes a stream of vectors sparse: sensor readings, patches of images. \
        One product and one polar factor a batch, no sparse coding inside, and no memory of the stream; coding a vector \
        is one product. Reports the Frank-Wolfe gap, which bounds what further learning can gain.
        """,
      inputs: [samples], parameters: [batch, passes, power, center, whiten, floor, sparsity],
      outputs: [dictionary, complete, codes],
      example: "apus run orthogonal-dictionary samples=patches.npy --batch 16 --whiten --sparsity 8 -o dictionary.npz",
      claim: """
        From one sample a step of sparse codes in 16 dimensions, it recovers the dictionary at the rate of the paper, \
        with less error than mini-batch dictionary learning on the same samples, and follows a dictionary that jumps.
        """)
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let y = try request.matrix(samples)
    var settings = OrthogonalDictionarySettings()
    settings.power = request[power]
    settings.removesMean = request[center]
    settings.whitening = request[whiten] ? .online : .none
    (settings.step.floor, settings.momentum.floor) = (request[floor], 2.5 * request[floor])
    if let sparsity = request[sparsity], sparsity > y.columns {
      throw InvalidArgument("--sparsity", found: "\(sparsity)", wanted: "at most \(y.columns), the length of a sample")
    }
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: y.columns, settings: settings, seed: request.seed)
    var gaps: [Double] = []
    let size = request[batch]
    let reportEvery = max(1, y.rows / (size * 64))
    for pass in 0..<request[passes] {
      for (step, first) in stride(from: 0, to: y.rows, by: size).enumerated() {
        try learner.partialFit(y[first..<min(first + size, y.rows)])
        guard step % reportEvery == 0 else { continue }
        gaps.append(learner.gapEstimate)
        try request.progress.report(pass * y.rows + first, of: request[passes] * y.rows, "samples")
      }
    }
    let code = try learner.encode(y, keeping: request[sparsity].map { .largest($0) } ?? .all)
    let restored = try learner.decode(code)
    let centred = request[center] ? y - y.mean(axis: 0) : y
    let total = centred.sumOfSquares().scalar
    var outputs = [OutputArray(dictionary, try learner.dictionary()), OutputArray(codes, code)]
    if request[whiten] { outputs.insert(OutputArray(complete, try learner.completeDictionary()), at: 1) }
    var notes: [String] = []
    if learner.skippedCount > 0 { notes.append("\(learner.skippedCount) batches of zeros were skipped.") }
    return RunOutcome(
      summary: [
        Fact("Samples", y.rows), Fact("Dimension", y.columns), Fact("Steps", learner.stepCount),
        Fact("Gap estimate", learner.gapEstimate), Fact("Objective of the last batch", learner.objective),
        Fact("Orthogonality defect before projection", learner.orthogonalityDefect),
        Fact("Relative squared error of the codes", total > 0 ? (restored - y).sumOfSquares().scalar / total : 0),
      ],
      plots: [
        Plot("Frank-Wolfe gap", x: .init("batches / \(reportEvery)"), y: .logarithmic("estimate"), [Series("", gaps)])
      ],
      notes: notes, outputs: outputs)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try OrthogonalDictionaryClaim(settings: settings).evidence()
  }
}
