import Foundation
import Testing

/// Every line of Swift in the documentation stands in Samples.swift, which the compiler reads with `import Apus` alone.
@Suite struct SampleTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let pages =
    ["README.md"] + ["Networks", "Differentiation", "LanguageModels"].map { "Documentation/\($0).md" }

  private static let learning: [String] = {
    let folder = root.appendingPathComponent("Sources/Learning")
    let files = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    return files.filter { $0.hasSuffix(".swift") }.sorted().map { "Sources/Learning/\($0)" }
  }()

  /// The lines between marks of Swift code, without comments and margins.
  private func sampleLines(of file: String) throws -> [String] {
    let text = try String(contentsOf: Self.root.appendingPathComponent(file), encoding: .utf8)
    var lines: [String] = []
    var isInside = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      var line = line.trimmingCharacters(in: .whitespaces)
      if file.hasSuffix(".swift") {
        guard line.hasPrefix("///") else { continue }
        line = line.dropFirst(3).trimmingCharacters(in: .whitespaces)
      }
      if line.hasPrefix("```") {
        isInside = line == "```swift"
      } else if isInside {
        lines.append(line)
      }
    }
    #expect(!isInside, "\(file)")
    return lines.compactMap { line in
      let code = line.range(of: "//").map { String(line[..<$0.lowerBound]) } ?? line
      let trimmed = code.trimmingCharacters(in: .whitespaces)
      return trimmed.isEmpty || trimmed == "import Apus" ? nil : trimmed
    }
  }

  @Test func everyLineIsCompiled() throws {
    let samples = try String(
      contentsOf: Self.root.appendingPathComponent("Tests/DocumentationTests/Samples.swift"), encoding: .utf8)
    var count = 0
    for file in Self.pages + Self.learning {
      let lines = try sampleLines(of: file)
      count += lines.count
      for line in lines { #expect(samples.contains(line), "\(file): \(line)") }
      if file.hasSuffix(".md") { #expect(!lines.isEmpty, "\(file)") }
    }
    #expect(count > 80)
    #expect(!samples.contains("import Networks"))
  }
}
