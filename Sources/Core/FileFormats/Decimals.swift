// Decimal numbers from text, correctly rounded.

/// A cursor over text that a number is read from.
struct TextCursor {
  let bytes: UnsafePointer<UInt8>
  var position: Int
  let end: Int

  /// The byte at the cursor, zero at the end: a zero byte ends every token, as it does in C.
  var next: UInt8 { position < end ? bytes[position] : 0 }

  mutating func skipBlanks() {
    while position < end, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
  }

  mutating func skipSpaces() { while position < end, bytes[position] == 0x20 { position += 1 } }

  /// Moves to the beginning of the next line; a carriage return with or without a line feed ends a line too.
  mutating func skipLine() {
    while position < end, bytes[position] != 0x0A, bytes[position] != 0x0D { position += 1 }
    if position < end {
      position += bytes[position] == 0x0D && position + 1 < end && bytes[position + 1] == 0x0A ? 2 : 1
    }
  }

  var isAtLineEnd: Bool { position >= end || bytes[position] == 0x0A || bytes[position] == 0x0D }

  /// Reads a number and moves behind it; `nil`, and no move, when there is none here.
  ///
  /// Up to 19 significant digits and powers of ten up to 10^27 take exact integer arithmetic; the rest goes to the
  /// standard library. `nan` and `inf` are numbers, in any case of letters.
  mutating func number() -> Double? {
    let start = position
    var isNegative = false
    if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") {
      isNegative = next == UInt8(ascii: "-")
      position += 1
    }
    var digits: UInt64 = 0
    // The digits from the first that is not zero; counted apart, since 20 of them can wrap around to zero.
    var digitCount: UInt64 = 0
    var power = 0
    let firstDigit = position
    while position < end, isDigit(bytes[position]) {
      digits = digits &* 10 &+ UInt64(bytes[position] &- 48)
      if digits | digitCount != 0 { digitCount += 1 }
      position += 1
    }
    var seen = position - firstDigit
    if next == UInt8(ascii: ".") {
      position += 1
      let firstFraction = position
      while position < end, isDigit(bytes[position]) {
        digits = digits &* 10 &+ UInt64(bytes[position] &- 48)
        if digits | digitCount != 0 { digitCount += 1 }
        position += 1
      }
      power = firstFraction - position
      seen += position - firstFraction
    }
    guard seen > 0 else {
      position = firstDigit
      let special = specialNumber()
      if special == nil { position = start }
      return special.map { isNegative ? -$0 : $0 }
    }
    if next | 0x20 == UInt8(ascii: "e") {
      let mark = position
      position += 1
      var exponent = 0
      var exponentIsNegative = false
      if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") {
        exponentIsNegative = next == UInt8(ascii: "-")
        position += 1
      }
      let firstExponentDigit = position
      while position < end, isDigit(bytes[position]) {
        exponent = min(exponent * 10 + Int(bytes[position] &- 48), 1_000_000)
        position += 1
      }
      if position == firstExponentDigit {
        position = mark
      } else {
        power += exponentIsNegative ? -exponent : exponent
      }
    }
    if digitCount <= 19, let magnitude = exactDecimal(digits, power) { return isNegative ? -magnitude : magnitude }
    return Double(String(decoding: UnsafeBufferPointer(start: bytes + start, count: position - start), as: UTF8.self))
  }

  private mutating func specialNumber() -> Double? {
    for (word, value) in [("infinity", Double.infinity), ("inf", .infinity), ("nan", .nan)] as [(StaticString, Double)]
    {
      let count = word.utf8CodeUnitCount
      guard end - position >= count else { continue }
      let isMatch = (0..<count).allSatisfy { bytes[position + $0] | 0x20 == word.utf8Start[$0] }
      if isMatch {
        position += count
        return value
      }
    }
    return nil
  }

  /// Reads a whole number without sign; `nil`, and no move, when there is none here or it overflows.
  mutating func wholeNumber() -> Int? {
    let start = position
    var value = 0
    while position < end, isDigit(bytes[position]) {
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowOfSum) = scaled.addingReportingOverflow(Int(bytes[position] - 48))
      guard !overflow, !overflowOfSum else {
        position = start
        return nil
      }
      value = sum
      position += 1
    }
    return position > start ? value : nil
  }

  /// What stands at the cursor up to a blank, `separator` or the end of the line, for messages.
  func token(until separator: UInt8 = 0x20) -> String {
    var last = position
    while last < end, last - position < 80, ![0x20, 0x09, 0x0A, 0x0D, separator].contains(bytes[last]) { last += 1 }
    return String(decoding: UnsafeBufferPointer(start: bytes + position, count: last - position), as: UTF8.self)
  }
}

/// Powers of ten that are exact as `Double`.
private let powersOfTen: [Double] = (0...22).map { n in (0..<n).reduce(1.0) { power, _ in power * 10 } }
/// Powers of five that fit 64 bits.
private let powersOfFive: [UInt64] = (0...27).map { n in (0..<n).reduce(1) { power, _ in power * 5 } }

/// `digits` times ten to the `power`, correctly rounded; `nil` where the exact ways do not reach.
private func exactDecimal(_ digits: UInt64, _ power: Int) -> Double? {
  if digits == 0 { return 0 }
  if power == 0 { return Double(digits) }
  // Both operands are exact, so the one rounding of the division is that of the number (Clinger, 1990).
  if digits < 1 << 53, -22...22 ~= power {
    return power < 0 ? Double(digits) / powersOfTen[-power] : Double(digits) * powersOfTen[power]
  }
  guard -27...27 ~= power else { return nil }
  let shift = digits.leadingZeroBitCount
  let normalized = digits << UInt64(shift)
  if power > 0 {
    let product = normalized.multipliedFullWidth(by: powersOfFive[power])
    let zeros = product.high.leadingZeroBitCount
    if product.high == 0 { return rounded(product.low, isInexact: false, exponent: power - shift) }
    let top = zeros == 0 ? product.high : product.high << UInt64(zeros) | product.low >> UInt64(64 - zeros)
    return rounded(top, isInexact: product.low << UInt64(zeros) != 0, exponent: 64 - zeros + power - shift)
  }
  // The quotient of two numbers in [2^63, 2^64), to 63 or 64 bits; the remainder tells whether it is exact.
  let divisor = powersOfFive[-power]
  let divisorShift = divisor.leadingZeroBitCount
  let (quotient, remainder) = (divisor << UInt64(divisorShift)).dividingFullWidth((normalized >> 1, normalized << 63))
  return rounded(quotient, isInexact: remainder != 0, exponent: divisorShift - shift - 63 + power)
}

/// (significand + a fraction, if inexact) times two to the `exponent`, rounded to nearest even; far from the limits.
private func rounded(_ significand: UInt64, isInexact: Bool, exponent: Int) -> Double {
  let zeros = significand.leadingZeroBitCount
  let normalized = significand << UInt64(zeros)
  var result = normalized >> 11
  let rest = normalized & 0x7FF
  let half: UInt64 = 0x400
  // The bit shifted in by normalization is unknown when inexact, but lies below the half.
  let roundsUp = rest > half || (rest == half && (isInexact || result & 1 == 1))
  if roundsUp { result += 1 }
  let scale = Double(bitPattern: UInt64(exponent - zeros + 11 + 1_023) << 52)
  return Double(result) * scale
}
