import Foundation

/// Draws all plots of a report by one gnuplot process.
struct PlotRenderer {
  /// A figure for a page, or why there is none.
  enum Figure: Sendable {
    case svg(String)
    case absent(reason: String)
  }

  /// Where gnuplot is; nothing if it is not installed.
  let executable: String?

  init(searchPath: String?) {
    let folders = (searchPath ?? "").split(separator: ":").map(String.init)
    executable = folders.map { $0 + "/gnuplot" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// One figure a plot, in their order.
  ///
  /// - Throws: nothing of its own: a plot that cannot be drawn says why in its place.
  func figures(of plots: [Plot]) -> [Figure] {
    guard let executable else {
      return plots.map { _ in .absent(reason: "Not drawn: gnuplot is not installed (Debian: gnuplot-nox).") }
    }
    let scripts = plots.enumerated().map { PlotScript($1, index: $0).text }
    let drawn = scripts.compactMap(\.self)
    let images = drawn.isEmpty ? [] : Self.run(executable, PlotScript.preamble + drawn.joined()) ?? []
    var byName: [Int: String] = [:]
    for image in images {
      // The first title is the drawing's own name, later ones are labels.
      if let match = image.firstMatch(of: /<title>([^<]*)<\/title>/), match.1.hasPrefix("plot"),
        let index = Int(match.1.dropFirst(4))
      {
        byName[index] = image
      }
    }
    return scripts.indices.map { index in
      if scripts[index] == nil { return .absent(reason: "Not drawn: there is no finite point to show.") }
      guard let image = byName[index] else { return .absent(reason: "Not drawn: gnuplot could not draw it.") }
      return .svg(PlotMarkup.themed(image, index: index, description: plots[index].alternativeText))
    }
  }

  /// The SVG documents that gnuplot writes for a script; nothing if it cannot be started.
  private static func run(_ executable: String, _ script: String) -> [String]? {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-plots-\(UUID().uuidString)")
    return try? ScratchFolder.with(folder.path) { _ in
      let scriptFile = folder.appendingPathComponent("plots.gp")
      let output = folder.appendingPathComponent("plots.svg")
      try Data(script.utf8).write(to: scriptFile)
      try Data().write(to: output)
      // Files instead of pipes: no buffer can fill up while we wait.
      let process = Process()
      process.executableURL = URL(fileURLWithPath: executable)
      process.arguments = [scriptFile.path]
      process.standardInput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      process.standardOutput = try FileHandle(forWritingTo: output)
      // A person's own gnuplot settings must not change a report.
      var environment = ProcessInfo.processInfo.environment
      environment["HOME"] = folder.path
      environment["GNUTERM"] = "svg"
      environment["LC_ALL"] = "C.UTF-8"
      process.environment = environment
      try process.run()
      process.waitUntilExit()
      let text = String(decoding: try Data(contentsOf: output), as: UTF8.self)
      return text.components(separatedBy: "<?xml").filter { $0.contains("</svg>") }
    }
  }
}

/// Turns gnuplot's SVG into a part of a page: colours from the page's style sheet, identifiers of its own.
enum PlotMarkup {
  static func themed(_ image: String, index: Int, description: String) -> String {
    guard let start = image.range(of: "<svg"), let end = image.range(of: "</svg>", options: .backwards) else {
      return ""
    }
    var svg = String(image[start.lowerBound..<end.upperBound])
    for tag in ["title", "desc"] {
      if let open = svg.range(of: "<\(tag)>"),
        let close = svg.range(of: "</\(tag)>", range: open.upperBound..<svg.endIndex)
      {
        svg.removeSubrange(open.lowerBound..<close.upperBound)
      }
    }
    svg.replaceSubrange(
      svg.startIndex..<svg.index(svg.startIndex, offsetBy: 4),
      with: "<svg role=\"img\" aria-label=\"\(escaped(description))\"")
    for (old, new) in [
      ("=\"black\"", "=\"currentColor\""), ("='black'", "='currentColor'"), ("='gray'", "='var(--grid)'"),
      ("=\"gray\"", "=\"var(--grid)\""), (" font-family=\"sans-serif\"", ""),
      ("id='gp", "id='p\(index)-"), ("href='#gp", "href='#p\(index)-"),
      ("id=\"gnuplot_canvas", "id=\"p\(index)-canvas"),
      ("id='greybox", "id='p\(index)-greybox"), ("(#greybox", "(#p\(index)-greybox"),
      ("id='textbox", "id='p\(index)-textbox"), ("(#textbox", "(#p\(index)-textbox"),
      ("id=\"plot\(index)_", "id=\"p\(index)-"),
    ] {
      svg = svg.replacingOccurrences(of: old, with: new)
    }
    svg.replace(/<title>plot\d+_plot_\d+<\/title>/, with: "")
    return svg.replacing(/rgb\(\s*(\d+),\s*(\d+),\s*(\d+)\)/) { match in
      let colour = (match.1, match.2, match.3)
      switch colour {
      case ("0", "0", "0"): return "currentColor"
      case ("190", "190", "190"): return "var(--grid)"
      case ("0", let green, let blue) where green == blue && green.count == 1: return "var(--series-\(green))"
      default: return String(match.0)
      }
    }
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default: result.append(character)
      }
    }
    return result
  }
}
