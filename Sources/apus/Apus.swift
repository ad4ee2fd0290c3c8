import ArgumentParser
import Catalogue
import CatalogueCore
import Foundation

/// The command line: parses, calls, prints.
///
/// Exit codes: 0 done, 1 a claim or a comparison failed, 2 wrong usage or input, 128 + n stopped by signal n.
@main
struct Apus: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "apus",
    abstract: "Published methods around matrices, spectra, gradients and randomness, on your own files.",
    discussion: """
      Every method is used in the same way. For example:

        apus methods                          what there is
        apus show weibull                     what one method needs, and gives
        apus run weibull weights=model.safetensors -o fit.csv
        apus reproduce weibull                the paper's claim, executed

      On whole checkpoints:

        apus inspect model.safetensors        norms, ranks, spectra, Weibull shape
        apus compress model.safetensors --method welore --ratio 0.5 -o small.safetensors
        apus compare model.safetensors small.safetensors

      Networks:

        apus train --data digits -o run       trains, tests, saves for PyTorch
        apus generate run "To be"             continues a text
        apus embed minilm "A cat." "A dog."   sentences as vectors
      """,
    version: version,
    subcommands: [
      MethodsCommand.self, ShowCommand.self, RunCommand.self, ReproduceCommand.self, InspectCommand.self,
      CompressCommand.self, CompareCommand.self, TourCommand.self, TrainCommand.self, GenerateCommand.self,
      EmbedCommand.self, CalibrateCommand.self, QuantizeCommand.self, PruneCommand.self,
      UnlearnCommand.self, EvaluateCommand.self, FrontierCommand.self, CompleteCommand.self, RegressCommand.self,
      SampleCommand.self, EigenCommand.self, SolveCommand.self, ClusterCommand.self, UnmixCommand.self,
    ])

  static func main() async {
    let interruption = Interruption()
    let work = Task.detached { perform() }
    interruption.onFirstSignal { work.cancel() }
    let status = await work.value
    ProgressLine.shared.clear()
    interruption.endIfInterrupted()
    Foundation.exit(status)
  }

  /// Runs the command that was typed, and tells how it went on the standard error stream.
  private static func perform() -> Int32 {
    do {
      try checkCommand(CommandLine.arguments.dropFirst().first)
      var command = try parseAsRoot()
      try command.run()
      return Console.isOutputComplete ? 0 : 2
    } catch let code as ExitCode {
      return code.rawValue
    } catch is CancellationError {
      Console.complain("interrupted, no file was written")
      return 2
    } catch let error as UsageError {
      Console.complain(error.description)
      return 2
    } catch {
      return report(error)
    }
  }

  /// Throws when the first word is meant as a command and is none.
  private static func checkCommand(_ word: String?) throws {
    guard let word, !word.hasPrefix("-") else { return }
    let known = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    if known.contains(word) { return }
    throw UsageError(noSuch: "command '\(word)'", word, among: known, listedBy: "apus --help")
  }

  /// The parser's own messages, and the descriptions of all other errors.
  private static func report(_ error: any Error) -> Int32 {
    if exitCode(for: error) == .success {
      Console.print(fullMessage(for: error))
      return 0
    }
    let isFromParser = exitCode(for: error) == .validationFailure
    Console.complain(isFromParser ? sentence(ofParser: fullMessage(for: error)) : Console.sentence(for: error))
    return 2
  }

  /// The first line of the parser's message, and where to read on.
  private static func sentence(ofParser message: String) -> String {
    var line = message.prefix { $0 != "\n" }
    if line.hasPrefix("Error: ") { line = line.dropFirst(7) }
    let first = line.prefix(1).lowercased() + line.dropFirst()
    let command = CommandLine.arguments.dropFirst().first.map { $0.hasPrefix("-") ? "" : " \($0)" } ?? ""
    return first + (first.hasSuffix("?") ? " " : "; ") + "`apus\(command) --help` shows the usage"
  }
}
