import ArgumentParser
import CatalogueCore
import FileFormats
import Sketching
import Tensors

struct EigenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eigen",
    abstract: "The top eigenvectors of AᵀA in one pass over the rows of a file larger than memory.",
    usage: "apus eigen --stream <rows.npy> [--count <k>] [--chunk <rows>] [-o <path>] [--json]",
    discussion: """
      Rows are read some at a time and once; memory is that of a few vectors, whatever the length of the file. They must \
      come in random order; the result says when the gap was too small to be trusted. For example:

        apus eigen --stream rows.npy --count 1 -o vector.npy
      """)

  @Option(help: ArgumentHelp("A .npy file in C order, whose rows are a matrix.", valueName: "rows.npy"))
  var stream: String

  @Option(help: ArgumentHelp("Eigenvectors wanted.", valueName: "k"))
  var count = 1

  @Option(help: ArgumentHelp("Rows that are read at a time.", valueName: "rows"))
  var chunk = 4_096

  @Option(name: [.short, .long], help: ArgumentHelp("Where the eigenvectors go, as columns.", valueName: "path"))
  var output: String?

  @Option(help: ArgumentHelp("The seed of the first direction.", valueName: "n"))
  var seed: UInt64 = 1

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard chunk >= 1 else { throw UsageError("--chunk \(chunk) must be at least 1") }
    if let output, ArrayFormat(extensionOf: output) == nil {
      throw UsageError("\(output): the ending tells no format; wanted .npy, .npz, .safetensors, .csv, .tsv or .mtx")
    }
    let start = ContinuousClock.now
    let progress = ProgressLine.shared.start("eigen")
    var reader = try NumPyRowReader(stream)
    guard reader.shape.count == 2, reader.rows > 0, reader.rowCount > 0 else {
      throw FileError(.unsuitable, stream, "an array of shape \(reader.shape), where rows of numbers were expected")
    }
    var eigen = try TopEigenvectorStream<Double>(
      dimension: reader.rowCount, count: count, expectedRows: reader.rows, seed: seed)
    while let rows = try reader.next(atMost: chunk, as: Double.self) {
      try eigen.observe(rows)
      try progress.report(reader.position, of: reader.rows)
    }
    let result = try eigen.finish()
    if let output { try writeArray(result.vectors, to: output, name: "eigenvectors") }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if json { return Console.print(jsonValue(result, seconds).text) }
    var facts = [
      Fact("Rows", result.rows), Fact("Columns", reader.rowCount),
      Fact("Eigenvalues, estimated", result.eigenvalueEstimates.map { "\($0)" }.joined(separator: ", ")),
      Fact("Heavy rows kept", result.heavyRows), Fact("Steps of the power method", result.blocks),
      Fact("Most vectors held", result.memoryVectors), Fact("Seconds", (seconds * 100).rounded() / 100),
    ]
    if result.gapWarning { facts.append(Fact("Warning", "the gap is too small to trust the vector")) }
    Console.print([.facts(facts)])
    if let output { Console.print("written: \(output)") }
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
