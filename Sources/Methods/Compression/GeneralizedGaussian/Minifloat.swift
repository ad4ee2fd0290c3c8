// Floating-point numbers of eight bits.

import Numerics
public import Tensors

/// An 8-bit floating-point format: a sign, exponent and mantissa bits, and a bias.
///
/// With an exponent field e above zero a code stands for ±2^(e - bias) (1 + mantissa / 2^m); with e = 0, for
/// ±2^(1 - bias) mantissa / 2^m. Numbers beyond the largest become the largest.
///
/// ```swift
/// let format = try Minifloat(exponentBits: 4, mantissaBits: 3, reserved: .notANumber)   // E4M3FN: largest 448
/// let scale = try format.bestScale(for: weight)
/// let codes = try format.encode(weight, scale: scale)                                   // Tensor<UInt8>
/// let restored = format.decode(codes, scale: scale)
/// ```
public struct Minifloat: Sendable, Hashable {
  /// Codes that stand for no finite number.
  public enum Reserved: String, Sendable, Hashable, CaseIterable {
    case none
    /// The largest code of either sign is not a number: the "fn" formats.
    case notANumber
    /// All codes with the largest exponent field are infinite or not numbers: IEEE 754.
    case infinities
  }

  public let exponentBits: Int
  public let mantissaBits: Int
  public let bias: Int
  public let reserved: Reserved
  /// The number that each code stands for: the sign is the highest bit. NaN and infinities where they are reserved.
  public let table: [Float]

  /// - Parameter bias: 2^(exponentBits - 1) - 1 unless given.
  /// - Throws: `InvalidArgument` unless there are eight bits in all, at least one number besides zero, and all numbers
  ///   lie within single precision.
  public init(exponentBits: Int, mantissaBits: Int, bias: Int? = nil, reserved: Reserved = .none) throws {
    guard exponentBits >= 0, mantissaBits >= 0, exponentBits + mantissaBits == 7 else {
      throw InvalidArgument(
        "exponentBits and mantissaBits", found: "\(exponentBits) and \(mantissaBits)",
        wanted: "seven together, beside the sign")
    }
    let bias = bias ?? (1 << max(exponentBits - 1, 0)) - 1
    let top = (1 << exponentBits) - 1
    guard bias <= 126 - mantissaBits, top - bias <= 126 else {
      throw InvalidArgument(
        "bias", found: "\(bias)", wanted: "from \(top - 126) to \(126 - mantissaBits): numbers in single precision")
    }
    guard reserved != .infinities || exponentBits >= 2 else {
      throw InvalidArgument("reserved", found: "infinities with \(exponentBits) exponent bits", wanted: "at least two")
    }
    (self.exponentBits, self.mantissaBits, self.bias, self.reserved) = (exponentBits, mantissaBits, bias, reserved)
    let units = Double.exp2(Double(1 - bias - mantissaBits))
    let positive = (0..<128).map { code -> Float in
      let exponent = code >> mantissaBits
      let mantissa = code & (1 << mantissaBits - 1)
      if reserved == .notANumber && code == 127 { return .nan }
      if reserved == .infinities && exponent == top { return mantissa == 0 ? .infinity : .nan }
      let isNormal = exponent > 0
      let significand = Double(mantissa + (isNormal ? 1 << mantissaBits : 0))
      return Float(significand * units * .exp2(Double(isNormal ? exponent - 1 : 0)))
    }
    table = positive + positive.map { -$0 }
  }

  /// E4M3 as in the OCP 8-bit floating-point specification: no infinities, largest 448.
  public static let e4m3 = standard(4, 3, .notANumber)
  /// E5M2 as in the same specification: IEEE 754 in eight bits, largest 57,344.
  public static let e5m2 = standard(5, 2, .infinities)

  private static func standard(_ exponentBits: Int, _ mantissaBits: Int, _ reserved: Reserved) -> Minifloat {
    do {
      return try Minifloat(exponentBits: exponentBits, mantissaBits: mantissaBits, reserved: reserved)
    } catch {
      preconditionFailure("a standard format: \(error)")
    }
  }

  /// The code of the largest number.
  private var largestCode: Int {
    switch reserved {
    case .none: 127
    case .notANumber: 126
    case .infinities: 127 - (1 << mantissaBits)
    }
  }

  public var largest: Float { table[largestCode] }
  /// The least number above zero.
  public var smallest: Float { table[1] }
  /// The finite numbers from zero on, in increasing order.
  public var magnitudes: [Double] { (0...largestCode).map { Double(table[$0]) } }
  /// "E4M3", say.
  public var name: String { "E\(exponentBits)M\(mantissaBits)" }

  // MARK: Codes

  /// The code of the nearest number to x / scale, of two the one with an even code.
  ///
  /// - Parameter scale: a power of two, so that dividing is exact.
  /// - Throws: `InvalidArgument` for another scale or numbers that are not finite.
  public func encode(_ x: Tensor<Float>, scale: Float = 1, name: String = "weights") throws -> Tensor<UInt8> {
    try requireScale(scale)
    try x.requireFinite(name)
    let rounding = Rounding(self, scale: scale)
    return Tensor<UInt8>(uninitializedShape: x.shape) { codes in
      x.withUnsafeBuffer { x in
        guard let from = x.baseAddress, let start = codes.baseAddress else { return }
        let (source, to) = (Address(UnsafeMutablePointer(mutating: from)), Address(start))
        parallelRanges(x.count, grain: 1 << 13) { range in
          for i in range { to.start[i] = rounding(source.start[i]) }
        }
      }
    }
  }

  /// The numbers that codes stand for, times the scale.
  public func decode(_ codes: Tensor<UInt8>, scale: Float = 1) -> Tensor<Float> {
    let scaled = table.map { $0 * scale }
    return Tensor<Float>(uninitializedShape: codes.shape) { result in
      codes.withUnsafeBuffer { codes in
        scaled.withUnsafeBufferPointer { scaled in
          guard let from = codes.baseAddress, let start = result.baseAddress, let values = scaled.baseAddress else {
            return
          }
          let (source, to) = (Address(UnsafeMutablePointer(mutating: from)), Address(start))
          let numbers = Address(UnsafeMutablePointer(mutating: values))
          parallelRanges(codes.count, grain: 1 << 13) { range in
            for i in range { to.start[i] = numbers.start[Int(source.start[i])] }
          }
        }
      }
    }
  }

  /// x rounded to the format and back. Straight through: a change of the result falls back on `x` as it is.
  ///
  /// - Throws: `InvalidArgument` as `encode` does.
  public func rounded(_ x: Tensor<Float>, scale: Float = 1, name: String = "weights") throws -> Tensor<Float> {
    let value = try decode(encode(x.withoutDerivative, scale: scale, name: name), scale: scale)
    guard x.isDifferentiated else { return value }
    return customDerivative(at: x) { _ in (value, { g in g }) }
  }

  private func requireScale(_ scale: Float) throws {
    guard scale > 0, scale.isNormal, scale.significand == 1 else {
      throw InvalidArgument("scale", found: "\(scale)", wanted: "a power of two")
    }
  }

  // MARK: Scales

  /// The power of two with the least squared error, from the one that keeps the largest weight to 2⁻⁸ of it.
  ///
  /// - Throws: `InvalidArgument` for no weights or weights that are not finite.
  public func bestScale(for weights: Tensor<Float>, name: String = "weights") throws -> Float {
    guard weights.count > 0 else { throw InvalidArgument(name, found: "no numbers", wanted: "at least one") }
    try weights.requireFinite(name)
    let most = Double(weights.absolute().maximum().scalar)
    guard most > 0 else { return 1 }
    let top = Int(Double.log2(most / Double(largest)).rounded(.up))
    var best = (error: Double.infinity, scale: Float(1))
    for exponent in stride(from: top, through: top - 8, by: -1) where (-120...120).contains(exponent) {
      let scale = Float(sign: .plus, exponent: exponent, significand: 1)
      let error = Double(try (rounded(weights, scale: scale, name: name) - weights).sumOfSquares().scalar)
      if error < best.error { best = (error, scale) }
    }
    return best.scale
  }
}

/// What it takes to round a number of single precision to a format, without branches.
private struct Rounding: Sendable {
  private let inverse: Float
  private let dropped: UInt32
  private let halfLess: UInt32
  /// What a rounded number's upper bits exceed its code by.
  private let offset: Int32
  private let leastNormal: Float
  /// Subnormal numbers are multiples of this one's inverse.
  private let perUnit: Float
  private let largest: Float
  private let largestCode: UInt32

  init(_ format: Minifloat, scale: Float) {
    inverse = 1 / scale
    dropped = UInt32(23 - format.mantissaBits)
    halfLess = (1 << (dropped - 1)) - 1
    offset = Int32((127 - format.bias) << format.mantissaBits)
    leastNormal = Float(sign: .plus, exponent: 1 - format.bias, significand: 1)
    perUnit = Float(sign: .plus, exponent: format.bias - 1 + format.mantissaBits, significand: 1)
    largest = format.largest
    largestCode = UInt32(format.table.firstIndex(of: format.largest) ?? 127)
  }

  @inline(__always)
  func callAsFunction(_ x: Float) -> UInt8 {
    let bits = x.bitPattern
    let magnitude = min((x * inverse).magnitude, largest)
    let word = magnitude.bitPattern
    let nearest = (word &+ halfLess &+ ((word &>> dropped) & 1)) &>> dropped
    let normal = UInt32(bitPattern: Int32(bitPattern: nearest) &- offset)
    // Adding and taking away 2^23 rounds to whole numbers, halves to even.
    let units = UInt32((min(magnitude, leastNormal) * perUnit + 8_388_608) - 8_388_608)
    let code = min(magnitude < leastNormal ? units : normal, largestCode)
    return UInt8(truncatingIfNeeded: code | (bits &>> 24) & 0x80)
  }
}
