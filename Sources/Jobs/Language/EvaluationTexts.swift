// What models of language are measured on: a person's text, cut into windows or sentences.

import Foundation
import Networks
import Tensors

/// Sentences of a text, and to which class each belongs.
struct LabelledSentences: Sendable {
  var sentences: [String]
  var labels: [Int]
  /// What the classes are, for the report.
  var meaning: String

  var classes: Int { (labels.max() ?? -1) + 1 }

  /// At most `count` sentences, evenly spread over the text.
  ///
  /// Lines of the form `label<TAB>sentence` bring their own classes. Any other text has ten: its parts of equal length,
  /// in the order of the text, which is what sentences near each other have in common.
  /// - Throws: `InvalidArgument` for a text of fewer than 20 sentences.
  init(of text: String, count: Int) throws {
    let lines = text.split { $0.isNewline }.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    if let (sentences, names) = Self.labelled(lines) {
      let classes = Array(Set(names)).sorted()
      let index = Dictionary(uniqueKeysWithValues: zip(classes, classes.indices))
      let chosen = Self.spread(sentences.count, count)
      self.sentences = chosen.map { sentences[$0] }
      labels = chosen.compactMap { index[names[$0]] }
      meaning = "the \(classes.count) labels of the text"
    } else {
      let all = Self.sentences(in: lines)
      let chosen = Self.spread(all.count, count)
      sentences = chosen.map { all[$0] }
      let total = sentences.count
      labels = sentences.indices.map { $0 * 10 / max(total, 1) }
      meaning = "which tenth of the text a sentence is from"
    }
    guard sentences.count >= 20 else {
      throw InvalidArgument(
        "text", found: "\(sentences.count) sentences", wanted: "at least 20 to compare an encoder's vectors on")
    }
  }

  /// All lines as label and sentence, if they are such lines.
  private static func labelled(_ lines: [String]) -> (sentences: [String], names: [String])? {
    var sentences: [String] = []
    var names: [String] = []
    for line in lines {
      let fields = line.split(separator: "\t", maxSplits: 1)
      guard fields.count == 2 else { return nil }
      names.append(String(fields[0]))
      sentences.append(String(fields[1]))
    }
    let classes = Set(names).count
    return classes >= 2 && classes <= 100 ? (sentences, names) : nil
  }

  /// The lines that say something; long ones are cut where a sentence ends.
  private static func sentences(in lines: [String]) -> [String] {
    lines.flatMap { line -> [String] in
      guard line.count > 200 else { return [line] }
      var sentences: [String] = []
      var current = ""
      for character in line {
        current.append(character)
        if ".!?".contains(character), current.count > 20 {
          sentences.append(current.trimmingCharacters(in: .whitespaces))
          current = ""
        }
      }
      return current.isEmpty ? sentences : sentences + [current.trimmingCharacters(in: .whitespaces)]
    }
    .filter { $0.split(separator: " ").count >= 3 }
  }

  private static func spread(_ total: Int, _ count: Int) -> [Int] {
    total <= count ? Array(0..<total) : (0..<count).map { $0 * total / count }
  }
}
