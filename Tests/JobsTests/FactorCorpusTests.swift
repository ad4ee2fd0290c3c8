import FileFormats
import Foundation
import Testing

/// The descriptions of factors that fuzzing found worth keeping, each as the metadata of a checkpoint.
@Suite struct FactorCorpusTests {
  @Test func everyDescriptionIsReadOrRefused() throws {
    let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    let corpus = "/\(tests)/Fuzzing/Corpus/factors"
    let path = NSTemporaryDirectory() + "/apus-factors-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var refused: [String] = []
    var read: [String] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: corpus).sorted() {
      let text = FileManager.default.contents(atPath: "\(corpus)/\(name)") ?? Data()
      guard let file = text.withUnsafeBytes({ FactorLaws.file(describing: $0) }) else { continue }
      try Data(file).write(to: URL(filePath: path))
      do {
        try FactorLaws.check(path)
        read.append(name)
      } catch is FileError {
        refused.append(name)
      } catch {
        Issue.record("description \(name): \(error)")
      }
    }
    #expect(Set(["good", "folded", "empty", "large"]).isSubset(of: read), "read: \(read)")
    #expect(Set(["vast", "whole", "vector", "clash"]).isSubset(of: refused), "refused: \(refused)")
  }
}
