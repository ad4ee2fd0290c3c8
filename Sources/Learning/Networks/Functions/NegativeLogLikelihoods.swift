// The loss of a classifier: softmax and logarithm in one pass, and one more on the way back.

import CVectorKernels
import Tensors

/// logsumexp(row) - row[label].
///
/// - Parameters: rows, shape [count, classes]; labels, shape [count]. Traps on a label out of range.
func negativeLogLikelihoods<Scalar: RealScalar>(_ rows: Tensor<Scalar>, _ labels: Tensor<Int>) -> Tensor<Scalar> {
  let (count, classes) = (rows.rows, rows.columns)
  let labels = labels.dense
  let bad = labels.withUnsafeBuffer { $0.first { !(0..<classes).contains($0) } }
  precondition(bad == nil, "label \(bad ?? 0) is out of range of \(classes) classes")
  let grain = max(1, (1 << 13) / max(classes, 1))
  return fusedOperation(
    at: [rows],
    kernel: { arguments, _ in
      let rows = arguments[0].dense
      var logarithms = Tensor<Scalar>(uninitializedShape: [count]) { _ in }
      let losses: Tensor<Scalar> = written([count]) { losses in
        logarithms.withUnsafeMutableBuffer { logarithms in
          guard let logarithms = logarithms.baseAddress else { return }
          withPointers([rows]) { p in
            withPointers([labels]) { labels in
              parallelRanges(count, grain: grain) { range in
                let start = range.lowerBound
                apus_cross_entropy(
                  Scalar.precision, p[0] + start * classes, labels[0] + start, losses + start, logarithms + start,
                  range.count, classes)
              }
            }
          }
        }
      }
      return FusedResult(value: losses) { [logarithms] g, _ in
        let toRows: Tensor<Scalar> = written(rows.shape) { result in
          withPointers([rows, logarithms, g]) { p in
            withPointers([labels]) { labels in
              parallelRanges(count, grain: grain) { range in
                let start = range.lowerBound
                apus_cross_entropy_back(
                  Scalar.precision, p[0] + start * classes, labels[0] + start, p[1] + start, p[2] + start,
                  result + start * classes, range.count, classes)
              }
            }
          }
        }
        return [toRows]
      }
    },
    definition: { arguments in
      let chosen = arguments[0].taken(labels.expanded(axis: 1), along: 1).squeezed(axis: 1)
      return arguments[0].logSumExp(axis: 1) - chosen
    })
}
