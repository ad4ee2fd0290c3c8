import ArgumentParser
import CatalogueCore
import FileFormats
import Foundation
import Jobs
import Tensors

struct EmbedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed", abstract: "Turn sentences into vectors with a sentence-transformers encoder.",
    usage: "apus embed <checkpoint> [--tokenizer <dir>] (<text> ... | --file <file>) [-o <out.npy>] [--json]",
    discussion: """
      The checkpoint is a folder with model.safetensors, config.json and vocab.txt or tokenizer.json, such as \
      all-MiniLM-L6-v2. Vectors have length one: their products are the cosines of the angles between them. With --file, \
      each line is a sentence. For example:

        apus embed all-MiniLM-L6-v2 "A cat sat." "A dog ran." -o vectors.npy
        apus embed all-MiniLM-L6-v2 --file sentences.txt -o vectors.npy
      """)

  @Argument(help: "The checkpoint: a folder or a .safetensors file.")
  var checkpoint: String

  @Argument(help: "The sentences.")
  var texts: [String] = []

  @Option(help: ArgumentHelp("The folder of the tokenizer; by default the checkpoint's.", valueName: "dir"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("Take the sentences from a file, one a line.", valueName: "file"))
  var file: String?

  @Option(name: [.short, .long], help: ArgumentHelp("Where the vectors go: .npy, .csv, ...", valueName: "out"))
  var output: String?

  @Option(help: ArgumentHelp("Tokens of a sentence that count.", valueName: "n"))
  var maximumLength = 256

  @Flag(help: "Print JSON, with the vectors.")
  var json = false

  func run() throws {
    let sentences = try sentences()
    guard maximumLength >= 2 else { throw UsageError("--maximum-length \(maximumLength) must be at least 2") }
    if let output {
      guard let format = ArrayFormat(extensionOf: output) else {
        throw UsageError("\(output): the ending tells no format; wanted .npy, .npz, .safetensors, .csv, .tsv or .mtx")
      }
      _ = format
      // What the system would refuse later, it refuses now.
      _ = try AtomicFile(output)
    }
    let model = try TextModel(checkpoint, tokenizer: tokenizer)
    guard var embedder = model.embedder else {
      throw UsageError("\(checkpoint): this is a decoder, and an encoder gives sentences vectors")
    }
    embedder.tokenizer.maximumLength = min(maximumLength, model.contextLength)
    let vectors = try embedder.embed(sentences, progress: ProgressLine.shared.start("embed"))
    if let output { try writeArray(vectors, to: output, name: "embeddings") }
    if json {
      let rows = (0..<vectors.rows).map { i in JSONValue.array(vectors[i].scalars.map { .number(Double($0)) }) }
      return Console.print(
        JSONValue.object([.init("shape", .array(vectors.shape.map { .integer($0) })), .init("vectors", .array(rows))])
          .text)
    }
    Console.print("\(vectors.rows) vectors of \(vectors.columns) numbers")
    if let output { Console.print("written: \(output)") } else { printSimilarities(sentences, vectors) }
  }

  /// Without a file to write to, the vectors say how near the sentences are to each other.
  private func printSimilarities(_ sentences: [String], _ vectors: Tensor<Float>) {
    guard (2...20).contains(sentences.count) else { return }
    let cosines = vectors.matmul(vectors, transposingB: true)
    var table = Table(
      "Cosines", columns: ["sentence"] + sentences.indices.map { "\($0 + 1)" }, caption: "One is the same direction.")
    for (i, sentence) in sentences.enumerated() {
      let row = sentences.indices.map { Double((cosines[at: i, $0] * 1000).rounded() / 1000) }
      table.add(["\(i + 1) \(sentence.prefix(40))"] + row.map { $0 as any DatumConvertible })
    }
    Console.print([.table(table)])
  }

  private func sentences() throws -> [String] {
    guard let file else {
      guard !texts.isEmpty else {
        throw UsageError("what shall be embedded? give sentences, or --file with one a line")
      }
      return texts
    }
    guard texts.isEmpty else { throw UsageError("give either sentences or --file, not both") }
    let mapped = try MappedFile(file)
    let bytes = mapped.withBytes(0..<mapped.count) { Array($0) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FileError(.foreign, file, "this is not a text in UTF-8")
    }
    var lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.map(String.init)
    // The end of the last line begins no other one.
    if lines.last?.isEmpty == true { lines.removeLast() }
    guard !lines.isEmpty else { throw FileError(.empty, file, "the file has no sentences") }
    return lines
  }
}
