// How texts are cut before tokens are looked for: at names of special tokens, and into words.

/// Cuts a text where the name of a special token stands, the earliest first, and of two at one place the longer.
struct SpecialTokenSplit {
  enum Part {
    case text(String)
    case special(String)
  }
  let names: [String]

  func parts(of text: String) -> [Part] {
    guard !names.isEmpty else { return text.isEmpty ? [] : [.text(text)] }
    // By bytes: as characters, a name before a combining mark would not be found.
    let candidates = names.map { Array($0.utf8) }.sorted { $0.count > $1.count }
    let firstBytes = Set(candidates.compactMap(\.first))
    let bytes = Array(text.utf8)
    var parts: [Part] = []
    var start = 0
    var i = 0
    func flush(_ end: Int) {
      if end > start { parts.append(.text(String(decoding: bytes[start..<end], as: UTF8.self))) }
    }
    while i < bytes.count {
      guard firstBytes.contains(bytes[i]), let name = candidates.first(where: { bytes[i...].starts(with: $0) }) else {
        i += 1
        continue
      }
      flush(i)
      parts.append(.special(String(decoding: name, as: UTF8.self)))
      i += name.count
      start = i
    }
    flush(bytes.count)
    return parts
  }
}

/// The byte ranges of a text's words, as GPT-2 cuts them: English contractions, runs of letters, of digits and of other
/// signs, each with one space before it, and what is left of white space.
func wordRanges(of text: String) -> [Range<Int>] {
  enum Kind { case letter, number, space, other }
  var kinds: [Kind] = []
  var scalars: [Unicode.Scalar] = []
  var starts: [Int] = []
  var position = 0
  for scalar in text.unicodeScalars {
    scalars.append(scalar)
    starts.append(position)
    position += UTF8.width(scalar)
    if scalar.properties.isWhitespace {
      kinds.append(.space)
    } else {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: kinds.append(.letter)
      case .decimalNumber, .letterNumber, .otherNumber: kinds.append(.number)
      default: kinds.append(.other)
      }
    }
  }
  starts.append(position)

  func runEnd(_ kind: Kind, from start: Int) -> Int {
    var end = start
    while end < kinds.count && kinds[end] == kind { end += 1 }
    return end
  }
  /// The end of a contraction such as 's or 'll.
  func contractionEnd(_ start: Int) -> Int? {
    guard scalars[start] == "'", start + 1 < scalars.count else { return nil }
    if "stmd".unicodeScalars.contains(scalars[start + 1]) { return start + 2 }
    guard start + 2 < scalars.count else { return nil }
    let next = (scalars[start + 1], scalars[start + 2])
    return next == ("r", "e") || next == ("v", "e") || next == ("l", "l") ? start + 3 : nil
  }

  var ranges: [Range<Int>] = []
  var i = 0
  while i < kinds.count {
    var end: Int
    if let contraction = contractionEnd(i) {
      end = contraction
    } else if kinds[i] != .space {
      end = runEnd(kinds[i], from: i)
    } else if scalars[i] == " ", i + 1 < kinds.count, kinds[i + 1] != .space {
      end = runEnd(kinds[i + 1], from: i + 1)
    } else {
      end = runEnd(.space, from: i)
      // The last white space goes with what follows, or stands alone.
      if end < kinds.count && end - i > 1 { end -= 1 }
    }
    ranges.append(starts[i]..<starts[end])
    i = end
  }
  return ranges
}
