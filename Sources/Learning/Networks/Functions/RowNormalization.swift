// Normalisation of the last axis.

import CVectorKernels
public import Tensors

/// (x - mean) / √(variance + epsilon) · weight + bias over the last axis.
///
/// - Parameters:
///   - x: shape [..., width].
///   - weight, bias: shape [width].
/// - Source: Ba, Kiros and Hinton, "Layer normalization", 2016.
public func layerNorm<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, weight: Tensor<Scalar>? = nil, bias: Tensor<Scalar>? = nil, epsilon: Double = 1e-5
) -> Tensor<Scalar> {
  normalized(x, weight: weight, bias: bias, epsilon: epsilon, isCentred: true)
}

/// x / √(mean(x²) + epsilon) · weight over the last axis.
///
/// - Source: Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019.
public func rmsNorm<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, weight: Tensor<Scalar>? = nil, epsilon: Double = 1e-6
) -> Tensor<Scalar> {
  normalized(x, weight: weight, bias: nil, epsilon: epsilon, isCentred: false)
}

private func normalized<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, weight: Tensor<Scalar>?, bias: Tensor<Scalar>?, epsilon: Double, isCentred: Bool
) -> Tensor<Scalar> {
  let width = x.shape.last ?? 0
  precondition(width > 0, "there is nothing to normalise in shape \(x.shape)")
  for (name, part) in [("weight", weight), ("bias", bias)] {
    precondition(part?.shape ?? [width] == [width], "\(name) of shape \(part?.shape ?? []) for inputs of \(x.shape)")
  }
  precondition(bias == nil || weight != nil, "a normalisation with a bias has a weight too")
  let rows = RowNormalization(width: width, epsilon: epsilon, isCentred: isCentred)
  let arguments = [x] + (weight.map { [$0] } ?? []) + (bias.map { [$0] } ?? [])
  return fusedOperation(
    at: arguments, kernel: { rows.kernel($0, keeping: $1) }, perExample: { rows.shares($0, $1, wanted: $2) },
    definition: { rows.definition($0) })
}

/// The normalisation of rows of one width. Arguments are x, the weight and the bias, as far as they are there.
private struct RowNormalization {
  let width: Int
  let epsilon: Double
  let isCentred: Bool

  /// Rows that one thread takes at a time; also the pieces in which gradients of the weight are summed, so that the sum
  /// does not depend on the number of threads.
  private var piece: Int { max(16, (1 << 14) / width) }

  private func standardized<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let centred = isCentred ? x - x.mean(axis: -1, keepingAxis: true) : x
    let variance = centred.squared().mean(axis: -1, keepingAxis: true)
    return centred * (variance + Scalar(epsilon)).reciprocalSqrt()
  }

  /// What falls on the weight and the bias from each example.
  func shares<Scalar: RealScalar>(
    _ arguments: [Tensor<Scalar>], _ g: Tensor<Scalar>, wanted: [Bool]
  ) -> [Tensor<Scalar>?] {
    let x = arguments[0]
    let middle = Array(1..<max(1, x.rank - 1))
    var result: [Tensor<Scalar>?] = [nil]
    if wanted.count > 1 { result.append(wanted[1] ? (g * standardized(x)).sum(axes: middle) : nil) }
    if wanted.count > 2 { result.append(wanted[2] ? g.sum(axes: middle) : nil) }
    return result
  }

  func definition<Scalar: RealScalar>(_ arguments: [Tensor<Scalar>]) -> Tensor<Scalar> {
    var result = standardized(arguments[0])
    if arguments.count > 1 { result = result * arguments[1] }
    if arguments.count > 2 { result = result + arguments[2] }
    return result
  }

  func kernel<Scalar: RealScalar>(_ arguments: [Tensor<Scalar>], keeping: Bool) -> FusedResult<Scalar> {
    let x = arguments[0].dense
    let rows = x.count / width
    var means = Tensor<Scalar>(uninitializedShape: [rows]) { _ in }
    var scales = Tensor<Scalar>(uninitializedShape: [rows]) { _ in }
    let value: Tensor<Scalar> = written(x.shape) { result in
      means.withUnsafeMutableBuffer { means in
        scales.withUnsafeMutableBuffer { scales in
          guard let means = means.baseAddress, let scales = scales.baseAddress else { return }
          withPointers([x] + arguments.dropFirst()) { p in
            forEachPiece(rows) { _, range in
              let start = range.lowerBound
              apus_normalize(
                Scalar.precision, isCentred, epsilon, p[0] + start * width, p.count > 1 ? p[1] : nil,
                p.count > 2 ? p[2] : nil, result + start * width, means + start, scales + start, range.count, width)
            }
          }
        }
      }
    }
    return FusedResult(value: value) { [means, scales] g, wanted in
      back(x, arguments.count > 1 ? arguments[1] : nil, g, means, scales, wanted)
    }
  }

  private func back<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ weight: Tensor<Scalar>?, _ g: Tensor<Scalar>, _ means: Tensor<Scalar>,
    _ scales: Tensor<Scalar>, _ wanted: [Bool]
  ) -> [Tensor<Scalar>?] {
    let rows = x.count / width
    let pieces = (rows + piece - 1) / piece
    let wantsWeight = wanted.count > 1 && wanted[1]
    let wantsBias = wanted.count > 2 && wanted[2]
    var toWeight = Tensor<Scalar>.zeros([wantsWeight ? pieces : 0, width])
    var toBias = Tensor<Scalar>.zeros([wantsBias ? pieces : 0, width])
    let toX: Tensor<Scalar> = written(x.shape) { toX in
      toWeight.withUnsafeMutableBuffer { toWeight in
        toBias.withUnsafeMutableBuffer { toBias in
          withPointers([x, g, means, scales] + (weight.map { [$0] } ?? [])) { p in
            forEachPiece(rows) { piece, range in
              let start = range.lowerBound
              let place = start * width
              let weightPlace = wantsWeight ? toWeight.baseAddress?.advanced(by: piece * width) : nil
              let biasPlace = wantsBias ? toBias.baseAddress?.advanced(by: piece * width) : nil
              apus_normalize_back(
                Scalar.precision, isCentred, p[0] + place, p.count > 4 ? p[4] : nil, p[1] + place, p[2] + start,
                p[3] + start, toX + place, weightPlace, biasPlace, range.count, width)
            }
          }
        }
      }
    }
    var result: [Tensor<Scalar>?] = [toX]
    if wanted.count > 1 { result.append(wantsWeight ? toWeight.sum(axis: 0) : nil) }
    if wanted.count > 2 { result.append(wantsBias ? toBias.sum(axis: 0) : nil) }
    return result
  }

  private func forEachPiece(_ rows: Int, _ body: (_ piece: Int, _ range: Range<Int>) -> Void) {
    parallelTasks((rows + piece - 1) / piece) { i in body(i, i * piece..<min((i + 1) * piece, rows)) }
  }
}
