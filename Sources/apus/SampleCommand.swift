import ArgumentParser
import Catalogue
import CatalogueCore
import FileFormats
import Sketching
import Tensors

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample", abstract: "Take a few weighted rows that keep the p-norms of a tall matrix or of a stream.",
    usage: """
      apus sample <matrix> --rows <m> [--p <p>] [--scheme <scores>] [-o <path>]
             apus sample --stream <rows.npy | -> --rows <m> [--p <p>] [--columns <d>] [-o <path>]
      """,
    discussion: """
      Rows are drawn by their sensitivity, the largest share of a norm that they can have. Options are those of \
      `apus show lp-sensitivity`. With --stream, rows are read once, in the memory of the sample, and drawn by Lewis \
      weights with respect to what came before, for p between 1 and 2. For example:

        apus sample features.npy --rows 400 --p 1 -o sample/
        generate | apus sample --stream - --columns 32 --type f32 --rows 800 -o sample/
      """)

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The matrix, then options.", valueName: "matrix"))
  var words: [String] = []

  @Option(
    help: ArgumentHelp(
      "Instead of a matrix: a .npy file in C order, a pipe, or - for standard input.", valueName: "rows")
  )
  var stream: String?

  @OptionGroup var source: RowStreamOptions

  @OptionGroup var options: RunOptions

  func run() throws {
    if let stream { return try sample(stream) }
    try Verb(routes: [.init(word: "sensitivity", id: "lp-sensitivity", files: ["matrix"])]).run(words, options)
  }

  private func sample(_ path: String) throws {
    let card = try Catalogue.method("lp-sensitivity").card
    let wanted = try StreamedSample(words)
    let places = try options.places(for: card)
    let progress = ProgressLine.shared.start("sample")
    try options.present(card, places) {
      let rows = try source.open(path)
      var sampling = try LpRowStream(p: wanted.p, dimension: rows.rowCount, rows: wanted.rows, seed: options.seed)
      try source.forEachPiece(of: rows, progress) { try sampling.observe($0) }
      let sample = try sampling.finish()
      return RunOutcome(
        summary: [
          Fact("Rows", sample.rowCount), Fact("Columns", sampling.dimension), Fact("p", wanted.p),
          Fact("Rows kept", sample.indices.count), Fact("Sum of the weights by which rows were kept", sample.weightSum),
          Fact("Most rows held", sample.memoryRows),
        ],
        outputs: [
          OutputArray("indices", Tensor(sample.indices)), OutputArray("weights", sample.weights),
          OutputArray("sample", sample.weightedRows),
        ])
    }
  }
}

/// What may stand beside --stream.
private struct StreamedSample {
  var p = 1.0
  var rows = 0

  init(_ words: [String]) throws {
    var rest = words.flatMap { word in
      word.hasPrefix("--") ? word.split(separator: "=", maxSplits: 1).map(String.init) : [word]
    }[...]
    while let word = rest.popFirst() {
      switch word {
      case "--p": p = try Self.number(word, &rest, Double.init)
      case "--rows": rows = try Self.number(word, &rest, Int.init)
      default:
        throw UsageError("'\(word)' cannot stand beside --stream; there are --rows, --p, --columns, --type, --chunk")
      }
    }
    guard rows >= 1 else { throw UsageError("--stream needs --rows, how many rows to keep, at least 1") }
  }

  private static func number<Number>(
    _ name: String, _ rest: inout ArraySlice<String>, _ parse: (String) -> Number?
  ) throws -> Number {
    guard let word = rest.popFirst(), let value = parse(word) else { throw UsageError("\(name) needs a number") }
    return value
  }
}
