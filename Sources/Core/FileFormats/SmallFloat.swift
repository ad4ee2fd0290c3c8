// Floating-point numbers of eight bits.

/// The layout of a floating-point type of eight bits with a sign, and the conversions to and from `Float`.
struct SmallFloat {
  /// Which codes are not finite numbers.
  enum Specials { case infinityAndNaN, topNaN, negativeZeroIsNaN }

  let exponentBits: Int
  let bias: Int
  let specials: Specials

  init?(_ type: StoredType) {
    switch type {
    case .float8E4M3: (exponentBits, bias, specials) = (4, 7, .topNaN)
    case .float8E5M2: (exponentBits, bias, specials) = (5, 15, .infinityAndNaN)
    case .float8E4M3FNUZ: (exponentBits, bias, specials) = (4, 8, .negativeZeroIsNaN)
    case .float8E5M2FNUZ: (exponentBits, bias, specials) = (5, 16, .negativeZeroIsNaN)
    default: return nil
    }
  }

  private var fractionBits: Int { 7 - exponentBits }

  func value(_ byte: UInt8) -> Float {
    let magnitude = Int(byte & 0x7F)
    let isNegative = byte & 0x80 != 0
    let exponent = magnitude >> fractionBits
    let fraction = magnitude & ((1 << fractionBits) - 1)
    switch specials {
    case .negativeZeroIsNaN where byte == 0x80: return .nan
    case .topNaN where magnitude == 0x7F: return isNegative ? -.nan : .nan
    case .infinityAndNaN where exponent == (1 << exponentBits) - 1:
      let special: Float = fraction == 0 ? .infinity : .nan
      return isNegative ? -special : special
    default: break
    }
    let significand = exponent == 0 ? fraction : fraction + (1 << fractionBits)
    let scale = Float(sign: .plus, exponent: max(exponent, 1) - bias - fractionBits, significand: 1)
    return (isNegative ? -1 : 1) * Float(significand) * scale
  }

  /// Rounds to nearest, ties to even. What is too large becomes infinity, or NaN where the type has no infinity.
  func round(_ source: UnsafePointer<Float>, _ result: UnsafeMutablePointer<UInt8>, _ count: Int) {
    let shift = UInt32(23 - fractionBits)
    let rebias = UInt32(127 - bias) << 23
    let smallestNormal = UInt32(128 - bias) << 23
    // A number whose last bit is worth the smallest subnormal: adding it lets the adder round to that.
    let magic = Float(sign: .plus, exponent: 24 - bias - fractionBits, significand: 1)
    let hasNegativeZero = specials != .negativeZeroIsNaN
    let nan: UInt8 = hasNegativeZero ? 0x7F : 0x80
    let largest: UInt32 = specials == .infinityAndNaN ? 0x7B : specials == .topNaN ? 0x7E : 0x7F
    let overflow: UInt8 = specials == .infinityAndNaN ? 0x7C : nan
    for i in 0..<count {
      let bits = source[i].bitPattern
      let sign = UInt8(truncatingIfNeeded: bits >> 24) & 0x80
      let magnitude = bits & 0x7FFF_FFFF
      let normal = (magnitude &- rebias &+ ((1 << (shift - 1)) - 1) &+ (magnitude >> shift & 1)) >> shift
      let subnormal = (Float(bitPattern: magnitude) + magic).bitPattern &- magic.bitPattern
      let code = magnitude < smallestNormal ? subnormal : normal
      let isNaN = magnitude > 0x7F80_0000
      var byte = isNaN ? nan : code > largest ? overflow : UInt8(truncatingIfNeeded: code)
      if hasNegativeZero || (byte != 0 && byte != nan) { byte |= sign }
      result[i] = byte
    }
  }
}
