import ArgumentParser
import CatalogueCore
import FileFormats
import Foundation
import Jobs
import Networks
import Tensors

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue a text with a language model.",
    usage: """
      apus generate <checkpoint> <prompt> [--tokens <n>] [--temperature <t>] [--top-k <k>] [--top-p <p>]
                   [--seed <n>] [--tokenizer <dir>] [--json]
      """,
    discussion: """
      The checkpoint is one of a decoder: a folder that `apus train --model gpt` wrote, a LLaMA's, or what `apus compress`, \
      `quantize` or `prune` made of one; tokenizer.json lies beside it or in --tokenizer. For example:

        apus generate run "To be, or not to be" --tokens 200 --temperature 0.8 --seed 7
        apus generate small.safetensors "To be" --tokenizer run --top-p 0.9
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
    let text = try TextModel(checkpoint, tokenizer: tokenizer)
    guard case .decoder(let model) = text.network else {
      throw UsageError("\(checkpoint): this is an encoder, and a decoder continues texts")
    }
    let tokenizer = text.tokenizer
    let start = try tokenizer.encode(prompt)
    guard !start.isEmpty else { throw UsageError("the prompt is empty; give at least one character to continue") }
    var random = RandomStream(seed: seed)
    let sampling = TokenSampling(temperature: temperature, topK: topK, topP: topP)
    let continuation = try model.generate(
      start, count: tokens, sampling: sampling, random: &random, progress: ProgressLine.shared.start("generate"))
    let continued = tokenizer.decode(continuation)
    if json {
      let result: JSONValue = [
        "prompt": .string(prompt), "text": .string(continued), "tokens": .array(continuation.map { .integer($0) }),
      ]
      return Console.print(result.text)
    }
    Console.print(prompt + continued)
  }
}
