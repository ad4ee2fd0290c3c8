// How BERT prepares a text: cleaned, without accents, in lower case, cut into words and signs.

import Foundation

/// BERT's normalisation and division into words (Devlin et al., NAACL 2019, as in its published code).
struct BERTNormalization: Sendable {
  /// Whether letters become lower case and lose their accents.
  var isUncased = true

  /// The words of a text: runs without white space, every punctuation mark and CJK ideograph by itself.
  func words(of text: String) -> [[Unicode.Scalar]] {
    var words: [[Unicode.Scalar]] = []
    var word: [Unicode.Scalar] = []
    func flush() {
      if !word.isEmpty { words.append(word) }
      word = []
    }
    for scalar in normalized(text) {
      if scalar.properties.isWhitespace {
        flush()
      } else if Self.isPunctuation(scalar) {
        flush()
        words.append([scalar])
      } else {
        word.append(scalar)
      }
    }
    flush()
    return words
  }

  func normalized(_ text: String) -> [Unicode.Scalar] {
    var cleaned = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if Self.isSpace(scalar) {
        cleaned.append(" ")
      } else if scalar.value == 0 || scalar.value == 0xFFFD || Self.isControl(scalar) {
        continue
      } else if Self.isIdeograph(scalar) {
        cleaned.append(" ")
        cleaned.append(scalar)
        cleaned.append(" ")
      } else {
        cleaned.append(scalar)
      }
    }
    guard isUncased else { return Array(cleaned) }
    var result: [Unicode.Scalar] = []
    for scalar in Self.decomposed(cleaned) where Self.category(scalar) != .nonspacingMark {
      if scalar.isASCII {
        result.append(0x41...0x5A ~= scalar.value ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar)
      } else {
        result += scalar.properties.lowercaseMapping.unicodeScalars
      }
    }
    return result
  }

  private static func decomposed(_ text: String.UnicodeScalarView) -> String.UnicodeScalarView {
    if text.allSatisfy(\.isASCII) { return text }
    return String(text).decomposedStringWithCanonicalMapping.unicodeScalars
  }

  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "\t" || scalar == "\n" || scalar == "\r"
      || (scalar.properties.isWhitespace && scalar.properties.generalCategory != .control)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch category(scalar) {
    case .control, .format, .surrogate, .privateUse: true
    default: false
    }
  }

  /// The category in Unicode 8, which the tokenizers of published models go by: to them later marks and signs are
  /// unassigned, and stay parts of words.
  private static func category(_ scalar: Unicode.Scalar) -> Unicode.GeneralCategory {
    if scalar.isASCII { return scalar.properties.generalCategory }
    guard let age = scalar.properties.age, age.major <= 8 else { return .unassigned }
    return scalar.properties.generalCategory
  }

  static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
    case ..<0x80: return false
    default: break
    }
    switch category(scalar) {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return true
    default: return false
    }
  }

  /// The blocks of ideographs as BERT's code lists them.
  private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
