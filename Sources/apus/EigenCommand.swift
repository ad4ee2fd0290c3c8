import ArgumentParser
import CatalogueCore
import FileFormats
import Sketching
import Tensors

struct EigenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eigen",
    abstract: "The top eigenvectors of AᵀA in one pass over rows: of a file larger than memory, or of a pipe.",
    usage:
      "apus eigen --stream <rows.npy | -> [--columns <d>] [--count <k>] [--chunk <rows>] [-o <path>] [--report <dir>] [--json]",
    discussion: """
      Rows are read some at a time and once; memory is that of a few vectors, whatever the length of the stream. They must \
      come in random order; the result says when the gap was too small to be trusted. A pipe may bring a .npy array, or \
      numbers without a header, which go on until they end. For example:

        apus eigen --stream rows.npy --count 1 -o vector.npy
        generate | apus eigen --stream - --columns 128 --type f32 -o vector.npy
      """)

  @Option(
    help: ArgumentHelp(
      "A .npy file in C order, a pipe, or - for standard input: the rows of a matrix.", valueName: "rows")
  )
  var stream: String

  @OptionGroup var rows: RowStreamOptions

  @Option(help: ArgumentHelp("Eigenvectors wanted.", valueName: "k"))
  var count = 1

  @Option(name: [.short, .long], help: ArgumentHelp("Where the eigenvectors go, as columns.", valueName: "path"))
  var output: String?

  @Option(help: ArgumentHelp("The seed of the first direction.", valueName: "n"))
  var seed: UInt64 = 1

  @OptionGroup var results: ResultOptions

  func run() throws {
    if let output, ArrayFormat(extensionOf: output) == nil {
      throw UsageError("\(output): the ending tells no format; wanted .npy, .npz, .safetensors, .csv, .tsv or .mtx")
    }
    let page = try results.page()
    let start = ContinuousClock.now
    let progress = ProgressLine.shared.start("eigen")
    let source = try rows.open(stream)
    let columns = source.rowCount
    var eigen = try TopEigenvectorStream<Double>(
      dimension: columns, count: count, expectedRows: source.expectedRows, seed: seed)
    try rows.forEachPiece(of: source, progress) { try eigen.observe($0) }
    let result = try eigen.finish()
    if let output { try writeArray(result.vectors, to: output, name: "eigenvectors") }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    var facts = [
      Fact("Rows", result.rows), Fact("Columns", columns),
      Fact("Eigenvalues, estimated", result.eigenvalueEstimates.map { "\($0)" }.joined(separator: ", ")),
      Fact("Heavy rows kept", result.heavyRows), Fact("Steps of the power method", result.blocks),
      Fact("Most vectors held", result.memoryVectors), Fact("Seconds", (seconds * 100).rounded() / 100),
    ]
    if result.gapWarning { facts.append(Fact("Warning", "the gap is too small to trust the vector")) }
    try results.show(
      .facts(
        facts, plots: plots(result), title: "Top eigenvectors of a stream", json: jsonValue(result, seconds),
        seconds: seconds, seed: seed, output: output), to: page)
  }

  /// How the light rows came to their direction.
  private func plots(_ result: StreamEigenvector<Double>) -> [Plot] {
    guard result.blocks >= 2 else { return [] }
    return [
      Plot(
        "Eigenvalue of the light rows", x: "block of rows", y: "estimate",
        [Series("", result.blockEigenvalues, .lineAndPoints)]),
      Plot(
        "Turn of the direction", caption: "Near zero when the direction has settled.", x: "block of rows",
        y: "1 - |cos|", [Series("", result.correlations.map { 1 - $0 }, .lineAndPoints)]),
    ]
  }

  private func jsonValue(_ result: StreamEigenvector<Double>, _ seconds: Double) -> JSONValue {
    [
      "rows": .integer(result.rows), "eigenvalues": .array(result.eigenvalueEstimates.map { .number($0) }),
      "heavy_rows": .integer(result.heavyRows), "blocks": .integer(result.blocks),
      "memory_vectors": .integer(result.memoryVectors), "gap_warning": .boolean(result.gapWarning),
      "seconds": .number(seconds),
    ]
  }
}
