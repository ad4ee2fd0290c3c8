import LinearAlgebra
import Tensors
import TestSupport

/// A random orthogonal matrix of the given order.
func orthogonal(_ size: Int, _ generator: inout TestGenerator) throws -> Tensor<Double> {
  try QRDecomposition(of: generator.tensor([size, size], of: Double.self)).orthogonal.dense
}

/// A matrix with the given singular values and random singular vectors.
func matrix(_ rows: Int, _ columns: Int, values: [Double], _ generator: inout TestGenerator) throws -> Tensor<Double> {
  let left = try orthogonal(rows, &generator)[.all, 0..<values.count]
  let right = try orthogonal(columns, &generator)[.all, 0..<values.count]
  return (left * Tensor(values)).matmul(right, transposingB: true)
}

/// Blocks of random widths, ranks and scales; some are zero, some lie in the span of others.
func randomBlocks(_ generator: inout TestGenerator) -> [Tensor<Double>] {
  let rows = Int.random(in: 1...20, using: &generator)
  var blocks: [Tensor<Double>] = []
  for _ in 0..<Int.random(in: 1...6, using: &generator) {
    let width = Int.random(in: 1...12, using: &generator)
    let scale = Double.random(in: 0.1...3, using: &generator)
    switch Int.random(in: 0..<8, using: &generator) {
    case 0: blocks.append(.zeros([rows, width]))
    case 1, 2:
      if let other = blocks.randomElement(using: &generator) {
        blocks.append(other.matmul(generator.tensor([other.columns, width])) * scale)
      } else {
        blocks.append(generator.tensor([rows, width]) * scale)
      }
    case 3: blocks.append(generator.tensor([rows, 1]).matmul(generator.tensor([1, width])) * scale)
    default: blocks.append(generator.tensor([rows, width]) * scale)
    }
  }
  return blocks
}

/// Blocks of shape [rows, width] in hidden groups that share a column space, but for noise.
func groupedBlocks(
  _ count: Int, groups: Int, rows: Int = 48, width: Int = 4, noise: Double = 0.02, _ generator: inout TestGenerator
) throws -> [Tensor<Double>] {
  let bases = try (0..<groups).map { _ in try orthogonal(rows, &generator)[.all, 0..<width] }
  return (0..<count).map { i in
    bases[i % groups].matmul(generator.tensor([width, width])) + generator.tensor([rows, width]) * noise
  }
}

/// e_r by an SVD of the blocks side by side, from the tail of the spectrum.
func directError(_ blocks: [Tensor<Double>], rank: Int) throws -> Double {
  let squares = try Tensor.concatenated(blocks, axis: 1).singularValues().scalars.map { $0 * $0 }
  let total = squares.reduce(0, +)
  return total > 0 ? (squares.dropFirst(rank).reduce(0, +) / total).squareRoot() : 0
}
