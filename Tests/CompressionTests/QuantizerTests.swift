import Compression
import Tensors
import TestSupport
import Testing

@Suite struct QuantizerTests {
  /// All formats with few and many bits, small blocks, and blocks that do not fit.
  static let formats: [any WeightQuantizer] =
    (2...8).map { MXIntQuantizer(bits: $0, blockSize: 5) }
    + [2, 3, 4, 8].map { NormalFloatQuantizer(bits: $0, blockSize: 7) }
    + (2...8).flatMap { bits -> [any WeightQuantizer] in
      [IntegerQuantizer.Granularity.tensor, .channel, .group(6)].flatMap {
        [
          IntegerQuantizer(bits: bits, isSymmetric: true, granularity: $0),
          IntegerQuantizer(bits: bits, isSymmetric: false, granularity: $0),
        ]
      }
    }

  @Test(arguments: 0..<6)
  func codesArePackedWithoutGaps(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for bits in 1...8 {
      let codes = (0..<Int.random(in: 0...100, using: &generator)).map { _ in
        UInt8.random(in: 0...UInt8((1 << bits) - 1), using: &generator)
      }
      let packed = PackedCodes(codes, bits: bits)
      #expect(packed.bytes.count == (codes.count * bits + 7) / 8)
      #expect(packed.unpacked == codes)
      for i in codes.indices { #expect(packed[i] == codes[i]) }
      #expect(try PackedCodes(bytes: packed.bytes, bits: bits, count: codes.count) == packed)
      #expect(throws: InvalidArgument.self) {
        try PackedCodes(bytes: packed.bytes + [0], bits: bits, count: codes.count)
      }
    }
  }

  @Test(arguments: formats.indices)
  func everyFormatIsIdempotentAndKeepsZero(index: Int) throws {
    let format = Self.formats[index]
    var generator = TestGenerator(seed: UInt64(index))
    var weight: Tensor<Float> = generator.tensor([6, 17])
    weight[2] = .zeros([17])
    weight[at: 0, 3] = 0
    let stored = try format.quantized(weight)
    let once = stored.dequantized
    #expect(stored.shape == weight.shape && stored.codes.bits == format.bits)
    #expect(once[2] == .zeros([17]), "\(format)")
    #expect(once[at: 0, 3] == 0, "\(format)")
    let twice = try format.dequantized(once)
    #expect(distance(once, twice) < 1e-6 * once.largestMagnitude, "\(format)")
    // What the packed bits and scales say is what is read back: nothing else is kept.
    let codes = try PackedCodes(bytes: stored.codes.bytes, bits: stored.codes.bits, count: stored.count)
    let again = QuantizedMatrix(
      shape: stored.shape, codes: codes, table: stored.table, block: stored.block, scales: stored.scales,
      zeroPoints: stored.zeroPoints, bitsPerBlock: stored.bitsPerBlock)
    #expect(again.dequantized == once)
    #expect(stored.storedBits == 102 * format.bits + stored.scales.count * stored.bitsPerBlock)
  }

  @Test func bitsPerWeight() throws {
    let weight = Tensor<Float>.ones([64, 128])
    #expect(try MXIntQuantizer(bits: 3).quantized(weight).bitsPerWeight == 3.25)
    #expect(try NormalFloatQuantizer(bits: 4).quantized(weight).bitsPerWeight == 4.5)
    #expect(try IntegerQuantizer(bits: 8).quantized(weight).bitsPerWeight == 8.25)
    #expect(
      try IntegerQuantizer(bits: 4, isSymmetric: false, granularity: .group(32)).quantized(weight).bitsPerWeight
        == 5.125)
  }

  // MARK: MXINT

  @Test(arguments: 0..<8)
  func blockFloatingPointErrsByHalfAStep(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for bits in 2...8 {
      let scale = Float(sign: .plus, exponent: Int.random(in: -60...60, using: &generator), significand: 1.3)
      let weight: Tensor<Float> = generator.tensor([3, 40]) * scale
      let rounded = try MXIntQuantizer(bits: bits, blockSize: 16).dequantized(weight)
      for i in 0..<3 {
        for start in stride(from: 0, to: 40, by: 16) {
          let block = start..<min(start + 16, 40)
          let magnitude = block.map { abs(weight[at: i, $0]) }.max() ?? 0
          let step = Float(sign: .plus, exponent: Int(magnitude.exponent) - bits + 2, significand: 1)
          let top = step * Float(1 << (bits - 1) - 1)
          for j in block {
            let (w, q) = (weight[at: i, j], rounded[at: i, j])
            if abs(w) > top { #expect(abs(q) == top) } else { #expect(abs(w - q) <= step / 2, "seed \(seed)") }
            #expect(w * q >= 0)
          }
        }
      }
      for exponent in [-20, -1, 1, 30] {
        let factor = Float(sign: .plus, exponent: exponent, significand: 1)
        #expect(try MXIntQuantizer(bits: bits, blockSize: 16).dequantized(weight * factor) == rounded * factor)
      }
    }
  }

  @Test func blockFloatingPointByHand() throws {
    // Exponent 1, step 2^(1 - 4 + 2) = 0.5: ties go to even, the largest is cut at 7 steps.
    let weight = Tensor<Float>([[3.9, -0.75, 0.25, 1.25, -3.3, 0]])
    let rounded = try MXIntQuantizer(bits: 4, blockSize: 8).dequantized(weight)
    #expect(rounded == Tensor<Float>([[3.5, -1, 0, 1, -3.5, 0]]))
    // Next to the smallest numbers, where a step may be subnormal.
    let tiny = Tensor<Float>([[1e-20, -1e-18, 3e-19]]) * 1e-20
    let kept = try MXIntQuantizer(bits: 8).dequantized(tiny)
    #expect(distance(tiny, kept) < 1e-40)
  }

  // MARK: Normal floats

  @Test func normalFloatTable() throws {
    // The values of the QLoRA paper, appendix E.
    let four: [Float] = [
      -1, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0, 0.07958030, 0.16093020,
      0.24611230, 0.33791524, 0.44070983, 0.56261700, 0.72295684, 1,
    ]
    let table = try NormalFloatQuantizer.table(bits: 4)
    #expect(distance(Tensor(table), Tensor(four)) < 1e-6)
    for bits in [2, 3, 4, 8] {
      let table = try NormalFloatQuantizer.table(bits: bits)
      #expect(table.count == 1 << bits)
      #expect(zip(table, table.dropFirst()).allSatisfy { $0 < $1 })
      #expect(table.first == -1 && table.last == 1 && table.contains(0))
    }
  }

  @Test(arguments: 0..<6)
  func normalFloatsAreNearest(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for bits in [2, 3, 4, 8] {
      let weight: Tensor<Float> = generator.tensor([2, 50]) * 3
      let table = try NormalFloatQuantizer.table(bits: bits)
      let rounded = try NormalFloatQuantizer(bits: bits, blockSize: 50).dequantized(weight)
      for i in 0..<2 {
        let scale = Float(weight[i].largestMagnitude)
        for j in 0..<50 {
          let best = table.map { abs($0 * scale - weight[at: i, j]) }.min() ?? 0
          #expect(abs(abs(rounded[at: i, j] - weight[at: i, j]) - best) < 1e-6, "seed \(seed)")
        }
      }
    }
  }

  // MARK: Integers

  @Test(arguments: 0..<8)
  func integersErrByHalfAStep(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let weight: Tensor<Float> = generator.tensor([5, 24]) + 0.3
    for bits in 2...8 {
      for granularity in [IntegerQuantizer.Granularity.tensor, .channel, .group(8)] {
        for isSymmetric in [true, false] {
          let quantizer = IntegerQuantizer(bits: bits, isSymmetric: isSymmetric, granularity: granularity)
          let stored = try quantizer.quantized(weight)
          let rest = (weight - stored.dequantized).absolute()
          let width = stored.block.columns
          for i in 0..<5 {
            for j in 0..<24 {
              let scale = stored.scales[at: i / stored.block.rows, j / width]
              // A zero point is rounded, so that the ends of the range may lie half a step outside.
              #expect(rest[at: i, j] <= scale * (isSymmetric ? 0.50001 : 1.00001), "seed \(seed), \(quantizer)")
            }
          }
          #expect((stored.zeroPoints == nil) == isSymmetric)
        }
      }
    }
  }

  @Test func finerScalesAndMoreBitsAreNearer() throws {
    var generator = TestGenerator(seed: 3)
    let weight: Tensor<Float> = generator.tensor([8, 64]) * Tensor<Float>((1...64).map { Float($0) })
    func error(_ quantizer: some WeightQuantizer) throws -> Float {
      (try quantizer.dequantized(weight) - weight).sumOfSquares().scalar
    }
    for bits in 3...8 {
      let group = try error(IntegerQuantizer(bits: bits, granularity: .group(8)))
      let tensor = try error(IntegerQuantizer(bits: bits, granularity: .tensor))
      #expect(group < tensor)
      #expect(try error(MXIntQuantizer(bits: bits, blockSize: 8)) < error(MXIntQuantizer(bits: bits - 1, blockSize: 8)))
    }
  }

  @Test func gradientsPassStraightThrough() throws {
    let weight = Tensor<Double>([[0.3, -1.2], [0.8, 0.1]])
    let target = Tensor<Double>([[1, 0], [0, 1]])
    let (value, gradients) = try valueAndGradients(at: [weight]) { arguments in
      ((try NormalFloatQuantizer(bits: 2).straightThrough(arguments[0]) - target).squared()).sum()
    }
    let rest = try NormalFloatQuantizer(bits: 2).dequantized(weight) - target
    #expect(abs(value.scalar - rest.sumOfSquares().scalar) < 1e-12)
    #expect(distance(gradients[0], rest * 2) < 1e-12)
  }

  @Test func badInput() {
    let weight = Tensor<Float>.ones([2, 3])
    for bits in [-1, 0, 1, 9] {
      #expect(throws: InvalidArgument.self) { try MXIntQuantizer(bits: bits).quantized(weight) }
      #expect(throws: InvalidArgument.self) { try IntegerQuantizer(bits: bits).quantized(weight) }
    }
    for bits in [1, 5, 6, 7, 9] {
      #expect(throws: InvalidArgument.self) { try NormalFloatQuantizer(bits: bits).quantized(weight) }
    }
    for size in [0, -3] {
      #expect(throws: InvalidArgument.self) { try MXIntQuantizer(blockSize: size).quantized(weight) }
      #expect(throws: InvalidArgument.self) { try NormalFloatQuantizer(blockSize: size).quantized(weight) }
      #expect(throws: InvalidArgument.self) { try IntegerQuantizer(granularity: .group(size)).quantized(weight) }
    }
    for format in Self.formats {
      #expect(throws: InvalidArgument.self) { try format.quantized(Tensor([[1, .nan]])) }
      #expect(throws: InvalidArgument.self) { try format.quantized(Tensor([1, 2])) }
      #expect(throws: InvalidArgument.self) { try format.quantized(.zeros([0, 3])) }
    }
  }
}
