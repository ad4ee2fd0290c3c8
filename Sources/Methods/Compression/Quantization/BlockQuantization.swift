// The loop that all formats share: find a block's scale, round its weights, pack the codes.

import CVectorKernels
import Tensors

/// What a format decides about one block.
struct BlockScale {
  var scale: Float
  var zeroPoint: Float = 0
}

/// How the quotient of a weight by its block's scale becomes a code.
enum CodeRule {
  /// The nearest whole number, ties to even, plus the zero point, kept within the range; negative ones as two's
  /// complement.
  case grid(ClosedRange<Float>)
  /// How many of these increasing numbers lie below it.
  case table(borders: [Float])
}

extension WeightQuantizer {
  /// Quantizes block by block.
  ///
  /// - Parameters:
  ///   - fit: the scale and zero point of a block whose smallest and largest weights are given.
  ///   - rule: what a weight's code is, given them.
  func quantized(
    _ weight: Tensor<Float>, block: QuantizationBlock, table: Tensor<Float>, hasZeroPoints: Bool = false,
    bitsPerBlock: Int, rule: CodeRule, fit: (_ smallest: Float, _ largest: Float) -> BlockScale
  ) throws -> QuantizedMatrix {
    try weight.requireMatrix("weight")
    let (rows, columns) = (weight.rows, weight.columns)
    let across = block.counts(in: weight.shape).columns
    let shape = [block.counts(in: weight.shape).rows, across]
    let mask = UInt8(truncatingIfNeeded: (1 << bits) - 1)
    var scales = [Float](repeating: 0, count: shape[0] * across)
    var zeros = scales
    var packed = [UInt8](repeating: 0, count: PackedCodes.byteCount(of: weight.count, bits: bits))
    // Rows of blocks whose codes begin and end with a byte.
    let unit = PackedCodes.fillsBytes(block.rows * columns, bits: bits) ? 1 : 8

    weight.withUnsafeBuffer { weight in
      scales.withUnsafeMutableBufferPointer { scales in
        zeros.withUnsafeMutableBufferPointer { zeros in
          packed.withUnsafeMutableBufferPointer { packed in
            guard let weight = weight.baseAddress, let scales = scales.baseAddress, let zeros = zeros.baseAddress,
              let packed = packed.baseAddress
            else { return }
            let units = (shape[0] + unit - 1) / unit
            parallelRanges(units, grain: max(1, 1 << 14 / max(1, unit * block.rows * columns))) { range in
              var codes = [UInt8](repeating: 0, count: unit * block.rows * columns)
              var (smallest, largest) = ([Float](repeating: 0, count: across), [Float](repeating: 0, count: across))
              var (low, high) = (smallest, largest)
              for number in range {
                let first = number * unit * block.rows
                for blockRow in number * unit..<min((number + 1) * unit, shape[0]) {
                  let own = blockRow * block.rows..<min((blockRow + 1) * block.rows, rows)
                  for i in own {
                    apus_block_extremes(weight + i * columns, columns, block.columns, &low, &high)
                    for b in 0..<across {
                      smallest[b] = i == own.lowerBound ? low[b] : min(smallest[b], low[b])
                      largest[b] = i == own.lowerBound ? high[b] : max(largest[b], high[b])
                    }
                  }
                  let (scale, zero) = (scales + blockRow * across, zeros + blockRow * across)
                  for b in 0..<across {
                    let fitted = fit(smallest[b], largest[b])
                    (scale[b], zero[b]) = (fitted.scale, fitted.zeroPoint)
                  }
                  codes.withUnsafeMutableBufferPointer { codes in
                    guard let codes = codes.baseAddress else { return }
                    for i in own {
                      let to = codes + (i - first) * columns
                      switch rule {
                      case .grid(let allowed):
                        apus_grid_codes(
                          weight + i * columns, columns, block.columns, scale, hasZeroPoints ? zero : nil,
                          allowed.lowerBound, allowed.upperBound, mask, to)
                      case .table(let borders):
                        apus_table_codes(
                          weight + i * columns, columns, block.columns, scale, borders, borders.count, to)
                      }
                    }
                  }
                }
                let count = (min(first + unit * block.rows, rows) - first) * columns
                apus_pack_codes(codes, count, UInt32(bits), packed + first * columns * bits / 8)
              }
            }
          }
        }
      }
    }
    return QuantizedMatrix(
      shape: weight.shape, codes: try PackedCodes(bytes: packed, bits: bits, count: weight.count), table: table,
      block: block, scales: Tensor(shape: shape, scalars: scales),
      zeroPoints: hasZeroPoints ? Tensor(shape: shape, scalars: zeros) : nil, bitsPerBlock: bitsPerBlock)
  }
}

/// Whole numbers as codes of `bits` bits read as two's complement.
func signedTable(bits: Int) -> Tensor<Float> {
  Tensor((0..<1 << bits).map { code in Float(code < 1 << (bits - 1) ? code : code - 1 << bits) })
}

func requireBits(_ bits: Int, among allowed: [Int]) throws {
  guard allowed.contains(bits) else {
    let wanted = allowed == Array(2...8) ? "2 to 8" : allowed.map(String.init).joined(separator: ", ")
    throw InvalidArgument("bits", found: "\(bits)", wanted: wanted)
  }
}

func requireBlockSize(_ size: Int) throws {
  guard size >= 1 else { throw InvalidArgument("blockSize", found: "\(size)", wanted: "at least 1") }
}
