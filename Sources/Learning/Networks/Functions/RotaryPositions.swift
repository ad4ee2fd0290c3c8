// Positions as rotations of queries and keys.

import CVectorKernels
import Foundation
public import Tensors

/// Turns the pair (x[i], x[i + width/2]) of each head by the angle position · base^(-2i/width), so that products of
/// queries and keys depend on the distance between them.
///
/// The halves are paired as in LLaMA's checkpoints on Hugging Face, not neighbours as in the paper.
/// - Source: Su et al., "RoFormer", 2021.
public struct RotaryPositions<Scalar: RealScalar>: Sendable {
  /// The width of a head.
  public let width: Int
  public let base: Double
  /// Shape [positions, width / 2].
  private let cosines: Tensor<Scalar>
  private let sines: Tensor<Scalar>

  /// - Parameter count: how many positions to prepare; later ones are computed when they are needed.
  public init(width: Int, count: Int, base: Double = 10_000) {
    precondition(width > 0 && width % 2 == 0, "rotary positions need heads of an even width, not \(width)")
    self.width = width
    self.base = base
    (cosines, sines) = Self.tables(width, base, 0..<count)
  }

  /// - Parameters:
  ///   - x: shape [batch, positions, heads, width].
  ///   - start: the position of the first row.
  public func callAsFunction(_ x: Tensor<Scalar>, from start: Int = 0) -> Tensor<Scalar> {
    precondition(x.rank == 4 && x.shape[3] == width, "rotary positions for heads of width \(width): shape \(x.shape)")
    let range = start..<start + x.shape[1]
    let isPrepared = range.upperBound <= cosines.rows
    let (cosines, sines) =
      isPrepared ? (cosines[range], sines[range]) : Self.tables(width, base, range)
    return fusedOperation(
      at: [x],
      kernel: { arguments, _ in
        FusedResult(value: Self.rotated(arguments[0], cosines, sines, inverse: false)) { g, _ in
          [Self.rotated(g, cosines, sines, inverse: true)]
        }
      },
      definition: { arguments in
        let halves = arguments[0].split(count: 2, axis: -1)
        let (c, s) = (cosines.expanded(axis: 1), sines.expanded(axis: 1))
        return Tensor.concatenated(
          [halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s], axis: -1)
      })
  }

  private static func rotated(
    _ x: Tensor<Scalar>, _ cosines: Tensor<Scalar>, _ sines: Tensor<Scalar>, inverse: Bool
  ) -> Tensor<Scalar> {
    let (positions, heads, width) = (x.shape[1], x.shape[2], x.shape[3])
    return written(x.shape) { result in
      withPointers([x, cosines, sines]) { p in
        parallelRanges(x.shape[0] * positions, grain: max(1, (1 << 13) / max(1, heads * width))) { rows in
          var row = rows.lowerBound
          while row < rows.upperBound {
            // The tables start again with each batch.
            let position = row % positions
            let count = min(rows.upperBound - row, positions - position)
            let place = row * heads * width
            apus_rotate(
              Scalar.precision, p[0] + place, p[1] + position * width / 2, p[2] + position * width / 2, inverse,
              result + place, count, heads, width / 2)
            row += count
          }
        }
      }
    }
  }

  private static func tables(
    _ width: Int, _ base: Double, _ positions: Range<Int>
  ) -> (cosines: Tensor<Scalar>, sines: Tensor<Scalar>) {
    let frequencies = Tensor<Double>(
      (0..<width / 2).map { i in Foundation.pow(base, -2 * Double(i) / Double(width)) })
    let angles = Tensor<Double>(positions.map(Double.init)).outer(frequencies)
    return (Tensor<Scalar>(angles.cos()), Tensor<Scalar>(angles.sin()))
  }
}
