import ArgumentParser
import CatalogueCore
import FileFormats
import Foundation
import Networks
import Tensors

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue a text with a language model.",
    usage:
      "apus generate <checkpoint> <prompt> [--tokens <n>] [--temperature <t>] [--top-k <k>] [--top-p <p>] [--seed <n>]",
    discussion: """
      The checkpoint is one of a decoder that `apus train --model gpt` wrote: its folder, or model.safetensors with \
      tokenizer.json beside it. For example:

        apus generate run "To be, or not to be" --tokens 200 --temperature 0.8 --seed 7
      """)

  @Argument(help: "The checkpoint: a folder or a .safetensors file.")
  var checkpoint: String

  @Argument(help: "The text to continue.")
  var prompt: String

  @Option(help: ArgumentHelp("The tokenizer, if it is not beside the checkpoint.", valueName: "dir"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("How many tokens.", valueName: "n"))
  var tokens = 200

  @Option(help: ArgumentHelp("Below one likely tokens gain; 0 takes the likeliest each time.", valueName: "t"))
  var temperature = 0.8

  @Option(help: ArgumentHelp("Draw among the k likeliest tokens only.", valueName: "k"))
  var topK: Int?

  @Option(help: ArgumentHelp("Draw among the likeliest tokens that together have this probability.", valueName: "p"))
  var topP: Double?

  @Option(help: ArgumentHelp("The seed of everything random.", valueName: "n"))
  var seed: UInt64 = 1

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard tokens >= 0, tokens <= 1_000_000 else { throw UsageError("--tokens \(tokens) must be in 0...1000000") }
    let file = try Self.modelFile(checkpoint)
    let model = try GPT<Float>(from: Checkpoint(file))
    let tokenizer = try readTokenizerBeside(file, vocabulary: model.configuration.vocabulary)
    let start = try tokenizer.encode(prompt)
    guard !start.isEmpty else { throw UsageError("the prompt is empty; give at least one character to continue") }
    var random = RandomStream(seed: seed)
    let sampling = TokenSampling(temperature: temperature, topK: topK, topP: topP)
    let continuation = try model.generate(
      start, count: tokens, sampling: sampling, random: &random, progress: ProgressLine.shared.start("generate"))
    let text = tokenizer.decode(continuation)
    if json {
      let result: JSONValue = [
        "prompt": .string(prompt), "text": .string(text), "tokens": .array(continuation.map { .integer($0) }),
      ]
      return Console.print(result.text)
    }
    Console.print(prompt + text)
  }

  /// The checkpoint of a run's folder is its model, not what it resumes from.
  static func modelFile(_ path: String) throws -> String {
    let inFolder = "\(path)/model.safetensors"
    return FileManager.default.fileExists(atPath: inFolder) ? inFolder : path
  }

  private func readTokenizerBeside(_ file: String, vocabulary: Int) throws -> any Tokenizer {
    let folder = (file as NSString).deletingLastPathComponent
    let place = tokenizer ?? (folder.isEmpty ? "." : folder)
    let isFile = tokenizer != nil || FileManager.default.fileExists(atPath: "\(place)/tokenizer.json")
    // Without a file a model of 256 tokens is one of bytes.
    guard isFile || vocabulary == 256 else {
      throw UsageError("\(place): there is no tokenizer.json; say where it is with --tokenizer DIR")
    }
    let found: any Tokenizer = isFile ? try readTokenizer(place) : ByteTokenizer()
    guard found.vocabularyCount <= vocabulary else {
      throw UsageError("\(place): a tokenizer of \(found.vocabularyCount) tokens does not fit a model of \(vocabulary)")
    }
    return found
  }
}
