// The loop that all formats share: find a block's scale, round its weights, pack the codes.

import Tensors

/// What a format decides about one block.
struct BlockScale {
  var scale: Float
  var zeroPoint: Float = 0
}

extension WeightQuantizer {
  /// Quantizes block by block.
  ///
  /// - Parameters:
  ///   - fit: the scale and zero point of a block whose smallest and largest weights are given.
  ///   - round: the code of a weight in a block with that scale.
  func quantized(
    _ weight: Tensor<Float>, block: QuantizationBlock, table: Tensor<Float>, hasZeroPoints: Bool = false,
    bitsPerBlock: Int, fit: (_ smallest: Float, _ largest: Float) -> BlockScale,
    round: (_ weight: Float, _ block: BlockScale) -> UInt8
  ) throws -> QuantizedMatrix {
    try weight.requireMatrix("weight")
    let (rows, columns) = (weight.rows, weight.columns)
    let counts = block.counts(in: weight.shape)
    var blocks = [BlockScale](repeating: BlockScale(scale: 0), count: counts.rows * counts.columns)
    var codes = [UInt8](repeating: 0, count: weight.count)
    weight.withUnsafeBuffer { weight in
      blocks.withUnsafeMutableBufferPointer { blocks in
        codes.withUnsafeMutableBufferPointer { codes in
          let (blocks, codes) = (UncheckedPointer(blocks.baseAddress), UncheckedPointer(codes.baseAddress))
          // Ranges of weights of about the same size, whatever a block is.
          let grain = max(1, 4_096 / max(1, block.rows * columns))
          parallelRanges(counts.rows, grain: grain) { range in
            for number in range.lowerBound * counts.columns..<range.upperBound * counts.columns {
              let top = number / counts.columns * block.rows
              let left = number % counts.columns * block.columns
              let (bottom, right) = (min(top + block.rows, rows), min(left + block.columns, columns))
              var (smallest, largest) = (Float.infinity, -Float.infinity)
              for i in top..<bottom {
                for j in left..<right {
                  smallest = min(smallest, weight[i * columns + j])
                  largest = max(largest, weight[i * columns + j])
                }
              }
              let scale = fit(smallest, largest)
              blocks[number] = scale
              for i in top..<bottom {
                for j in left..<right { codes[i * columns + j] = round(weight[i * columns + j], scale) }
              }
            }
          }
        }
      }
    }
    let shape = [counts.rows, counts.columns]
    return QuantizedMatrix(
      shape: weight.shape, codes: PackedCodes(codes, bits: bits), table: table, block: block,
      scales: Tensor(shape: shape, scalars: blocks.map(\.scale)),
      zeroPoints: hasZeroPoints ? Tensor(shape: shape, scalars: blocks.map(\.zeroPoint)) : nil,
      bitsPerBlock: bitsPerBlock)
  }
}

/// Whole numbers as codes of `bits` bits read as two's complement.
func signedTable(bits: Int) -> Tensor<Float> {
  Tensor((0..<1 << bits).map { code in Float(code < 1 << (bits - 1) ? code : code - 1 << bits) })
}

/// The code of a whole number in two's complement.
func signedCode(_ value: Float, bits: Int) -> UInt8 {
  UInt8(truncatingIfNeeded: Int(value) & ((1 << bits) - 1))
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
