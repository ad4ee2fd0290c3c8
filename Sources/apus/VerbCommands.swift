import ArgumentParser
import Catalogue
import CatalogueCore

/// A verb that people look for, over methods of the catalogue.
///
/// Files stand first, in the order of the route's inputs; what follows are the method's own parameters, and further inputs
/// as --NAME FILE. So every verb has the options, the output and the errors of `apus run`.
struct Verb: Sendable {
  /// One way to do it.
  struct Route: Sendable {
    /// The word after --method.
    var word: String
    /// The method's id.
    var id: String
    /// The names of the inputs that stand first.
    var files: [String]
  }

  var routes: [Route]

  /// Runs the way that was typed, or else the first.
  func run(_ words: [String], _ options: RunOptions) throws {
    var rest = words.flatMap { $0.hasPrefix("--method=") ? ["--method", String($0.dropFirst(9))] : [$0] }
    var route = routes[0]
    if let place = rest.firstIndex(of: "--method") {
      guard place + 1 < rest.count else { throw UsageError("--method needs one of \(list)") }
      guard let chosen = routes.first(where: { $0.word == rest[place + 1] }) else {
        throw UsageError(noSuch: "way '\(rest[place + 1])'", rest[place + 1], among: routes.map(\.word))
      }
      route = chosen
      rest.removeSubrange(place...place + 1)
    }
    try options.run(route.id, translated(rest, route))
  }

  private var list: String { routes.map(\.word).joined(separator: ", ") }

  /// The words as `apus run` takes them.
  private func translated(_ words: [String], _ route: Route) throws -> [String] {
    let inputs = try Catalogue.method(route.id).card.inputs.map(\.name)
    let files = words.prefix { !$0.hasPrefix("--") }
    guard files.count <= route.files.count else {
      throw UsageError(
        "\(files.count) files, but there are \(route.files.count) to give (\(route.files.joined(separator: ", "))); files "
          + "stand before all options")
    }
    var result = zip(route.files, files).map { "\($0)=\($1)" }
    var rest = words.dropFirst(files.count)
    while let word = rest.popFirst() {
      if word.hasPrefix("--"), inputs.contains(String(word.dropFirst(2))) {
        guard let file = rest.popFirst(), !file.hasPrefix("--") else { throw UsageError("\(word) needs a file") }
        result.append("\(word.dropFirst(2))=\(file)")
      } else {
        result.append(word)
      }
    }
    return result
  }
}

struct CompleteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "complete", abstract: "Fill a matrix of low rank from some of its entries, with the held-out error.",
    usage: "apus complete <matrix> [--mask <file>] --rank <k> [--ridge <r>] [--held-out <share>] [-o <path>]",
    discussion: """
      Zeros of the matrix are missing entries, as in a sparse file, unless a mask says otherwise. Options are those of \
      `apus show altmin-completion`. For example:

        apus complete ratings.mtx --rank 10 --ridge 0.1 -o factors.npz
      """)

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The matrix, then options.", valueName: "matrix"))
  var words: [String] = []

  @OptionGroup var options: RunOptions

  func run() throws {
    try Verb(routes: [.init(word: "altmin", id: "altmin-completion", files: ["matrix"])]).run(words, options)
  }
}

struct RegressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "regress",
    abstract: "Solve a regression: by a sketch with bounds for each coefficient, or in a p-norm.",
    usage: "apus regress <matrix> <right-side> [--method linf|lp|sparse] [options of the method] [-o <path>]",
    discussion: """
      linf: least squares from a sketch, with a bound of each coefficient's error. lp: the p-norm of the residual, from \
      rows sampled by their sensitivity. sparse: few coefficients that are not zero. Options are those of `apus show \
      linf-regression`, `apus show lp-sensitivity` and `apus show random-support-regression`. For example:

        apus regress features.npy targets.npy --method linf -o solution.npz
        apus regress features.npy targets.npy --method lp --p 1 --rows 400 -o solution/
      """)

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Matrix and right side, then options.", valueName: "file"))
  var words: [String] = []

  @OptionGroup var options: RunOptions

  func run() throws {
    try Verb(routes: [
      .init(word: "linf", id: "linf-regression", files: ["matrix", "right-side"]),
      .init(word: "lp", id: "lp-sensitivity", files: ["matrix", "right-side"]),
      .init(word: "sparse", id: "random-support-regression", files: ["design", "observed"]),
    ]).run(words, options)
  }
}

struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster", abstract: "Find the clusters of a graph, and of what is known of its vertices.",
    usage: "apus cluster <graph> [--attributes <file>] [--clusters <k>] [-o <path>]",
    discussion: """
      The graph is a symmetric matrix of weights. Vertices are clustered in the space of the slow vectors of multigrid \
      hierarchies. Options are those of `apus show bootstrap-amg`. For example:

        apus cluster graph.mtx --attributes kinds.csv --clusters 4 -o labels.csv
      """)

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The graph, then options.", valueName: "graph"))
  var words: [String] = []

  @OptionGroup var options: RunOptions

  func run() throws {
    try Verb(routes: [.init(word: "amg", id: "bootstrap-amg", files: ["matrix"])]).run(words, options)
  }
}

struct UnmixCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unmix", abstract: "Split the spectra of an image into few materials and how much of each is where.",
    usage: "apus unmix <cube> --endmembers <k> [--strength <s>] [-o <path>]",
    discussion: """
      The cube has the spectrum of every pixel. Options are those of `apus show spectral-unmixing`. For example:

        apus unmix scene.npy --endmembers 4 -o unmixed.npz
      """)

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The cube, then options.", valueName: "cube"))
  var words: [String] = []

  @OptionGroup var options: RunOptions

  func run() throws {
    try Verb(routes: [.init(word: "robust", id: "spectral-unmixing", files: ["cube"])]).run(words, options)
  }
}
