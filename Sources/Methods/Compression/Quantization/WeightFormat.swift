/// The formats by name, as commands and reports know them: "mxint4", "nf4", "int8".
extension WeightQuantizer where Self == MXIntQuantizer {
  /// Block floating point of `bits` bits, exponents shared by 32 weights.
  public static func mxint(_ bits: Int) -> MXIntQuantizer { MXIntQuantizer(bits: bits) }
}

extension WeightQuantizer where Self == NormalFloatQuantizer {
  public static var nf2: NormalFloatQuantizer { NormalFloatQuantizer(bits: 2) }
  public static var nf3: NormalFloatQuantizer { NormalFloatQuantizer(bits: 3) }
  public static var nf4: NormalFloatQuantizer { NormalFloatQuantizer(bits: 4) }
}

extension WeightQuantizer where Self == IntegerQuantizer {
  public static var int8: IntegerQuantizer { IntegerQuantizer(bits: 8) }
  /// With a scale for every 64 weights.
  public static var int4: IntegerQuantizer { IntegerQuantizer(bits: 4, granularity: .group(64)) }
}
