// Attention of queries to keys. Heads are read where the projections leave them, by products with a row stride, so that
// nothing is transposed or copied.

import BLAS
import CVectorKernels
public import Tensors

/// softmax(scale · Q Kᵀ) V for each head.
///
/// The axis of positions comes before that of heads, as a reshaped projection has it. Several query heads in a row may
/// share one key and value head (grouped queries). With `isCausal` a query sees the keys up to its own position, where
/// the last query stands at the last key. A query that may see no key gets zeros.
///
/// - Parameters:
///   - queries: shape [batch, queries, heads, width].
///   - keys: shape [batch, keys, key heads, width]; the heads are a multiple of the key heads.
///   - values: shape [batch, keys, key heads, value width].
///   - keyMask: shape [batch, keys], false for keys that no query may see, such as padding.
///   - scale: 1 / √width unless given.
/// - Returns: shape [batch, queries, heads, value width].
/// - Complexity: O(batch · heads · queries · keys · width) time. The attention weights are kept for the way back;
///   without a derivative only a few rows of them exist at a time.
/// - Source: Vaswani et al., NeurIPS 2017; Ainslie et al., "GQA", EMNLP 2023.
public func scaledDotProductAttention<Scalar: RealScalar>(
  queries: Tensor<Scalar>, keys: Tensor<Scalar>, values: Tensor<Scalar>, isCausal: Bool = false,
  keyMask: Tensor<Bool>? = nil, scale: Double? = nil
) -> Tensor<Scalar> {
  let attention = DotProductAttention(
    queries: queries.shape, keys: keys.shape, values: values.shape, isCausal: isCausal, keyMask: keyMask, scale: scale)
  return fusedOperation(
    at: [queries, keys, values], kernel: { attention.kernel($0, keeping: $1) },
    definition: { attention.definition($0) })
}

private struct DotProductAttention {
  let batch: Int, queryCount: Int, keyCount: Int, heads: Int, keyHeads: Int, width: Int, valueWidth: Int
  let isCausal: Bool
  let keyMask: Tensor<Bool>?
  let scale: Double

  init(queries: [Int], keys: [Int], values: [Int], isCausal: Bool, keyMask: Tensor<Bool>?, scale: Double?) {
    precondition(
      queries.count == 4 && keys.count == 4 && values.count == 4,
      "attention: queries \(queries), keys \(keys), values \(values) are not of [batch, positions, heads, width]")
    (batch, queryCount, heads, width) = (queries[0], queries[1], queries[2], queries[3])
    (keyCount, keyHeads, valueWidth) = (keys[1], keys[2], values[3])
    precondition(
      keys[0] == batch && keys[3] == width && Array(values[..<3]) == Array(keys[..<3]) && keyHeads > 0
        && heads % keyHeads == 0,
      "attention: queries \(queries), keys \(keys) and values \(values) do not fit")
    precondition(
      !isCausal || queryCount <= keyCount, "causal attention: \(queryCount) queries for only \(keyCount) keys")
    if let keyMask {
      precondition(
        keyMask.shape == [batch, keyCount], "a key mask of shape \(keyMask.shape) for keys of shape \(keys)")
    }
    self.isCausal = isCausal
    self.keyMask = keyMask?.dense
    self.scale = scale ?? 1 / Double(max(width, 1)).squareRoot()
  }

  /// In tensor operations, with the query heads of one key head along an axis of their own.
  func definition<Scalar: RealScalar>(_ arguments: [Tensor<Scalar>]) -> Tensor<Scalar> {
    let group = heads / keyHeads
    let queries = arguments[0].reshaped([batch, queryCount, keyHeads, group, width]).permuted([0, 2, 3, 1, 4])
    let keys = arguments[1].permuted([0, 2, 1, 3]).expanded(axis: 2)
    let values = arguments[2].permuted([0, 2, 1, 3]).expanded(axis: 2)
    var weights = queries.matmul(keys, transposingB: true) * Scalar(scale)
    if let visible {
      // Not -infinity: a row of nothing else would become NaN.
      weights = visible.select(weights, Tensor(-Scalar.greatestFiniteMagnitude)).softmax(axis: -1)
      weights = visible.select(weights, Tensor(0))
    } else {
      weights = weights.softmax(axis: -1)
    }
    return weights.matmul(values).permuted([0, 3, 1, 2, 4]).reshaped([batch, queryCount, heads, valueWidth])
  }

  /// What each query may see, of a shape that stretches to [batch, key heads, group, queries, keys].
  private var visible: Tensor<Bool>? {
    var visible: Tensor<Bool>?
    if isCausal {
      let rows = Tensor<Int>(0..<queryCount).expanded(axis: 1) + (keyCount - queryCount)
      visible = (Tensor<Int>(0..<keyCount).expanded(axis: 0) .<= rows).reshaped([1, 1, 1, queryCount, keyCount])
    }
    if let keyMask {
      let mask = keyMask.reshaped([batch, 1, 1, 1, keyCount])
      visible = visible.map { $0 .& mask } ?? mask
    }
    return visible
  }

  // MARK: Kernel

  /// Queries that are handled together: the causal triangle is cut into steps of this height.
  private var blockHeight: Int { isCausal ? 64 : max(queryCount, 1) }

  /// Keys that the queries below `end` see, where the first sees `firstSeen`.
  private func seen(by end: Int) -> Int { isCausal ? keyCount - queryCount + end : keyCount }
  private func firstSeen(from start: Int) -> Int { isCausal ? keyCount - queryCount + start + 1 : keyCount }

  func kernel<Scalar: RealScalar>(_ arguments: [Tensor<Scalar>], keeping: Bool) -> FusedResult<Scalar> {
    _ = LibraryThreads.single
    let arguments = arguments.map(\.dense)
    var weights = Tensor<Scalar>(
      uninitializedShape: [keeping ? batch * heads : 0, queryCount, keyCount]) { _ in }
    guard batch * queryCount > 0, keyCount > 0 else {
      return FusedResult(value: .zeros([batch, queryCount, heads, valueWidth])) { _, _ in
        arguments.map { .zeros($0.shape) }
      }
    }
    let value: Tensor<Scalar> = written([batch, queryCount, heads, valueWidth]) { result in
      weights.withUnsafeMutableBuffer { weights in
        let weights = weights.baseAddress
        withPointers(arguments) { p in
          withMask { mask in
            parallelTasks(batch * heads) { task in
              let kept = keeping ? weights.map { $0 + task * queryCount * keyCount } : nil
              forward(batch: task / heads, head: task % heads, p, mask, kept, result)
            }
          }
        }
      }
    }
    return FusedResult(value: value) { [weights] g, _ in back(arguments, weights, g) }
  }

  private func withMask<Result>(_ body: (UnsafePointer<Bool>?) -> Result) -> Result {
    guard let keyMask else { return body(nil) }
    return keyMask.withUnsafeBuffer { body($0.baseAddress) }
  }

  private func forward<Scalar: RealScalar>(
    batch b: Int, head h: Int, _ arguments: [UnsafePointer<Scalar>], _ mask: UnsafePointer<Bool>?,
    _ kept: UnsafeMutablePointer<Scalar>?, _ result: UnsafeMutablePointer<Scalar>
  ) {
    let keyHead = b * keyCount * keyHeads + h / (heads / keyHeads)
    let queries = arguments[0] + (b * queryCount * heads + h) * width
    let keys = arguments[1] + keyHead * width
    let values = arguments[2] + keyHead * valueWidth
    let result = result + (b * queryCount * heads + h) * valueWidth
    let scratch: UnsafeMutablePointer<Scalar>? =
      kept == nil ? .allocate(capacity: min(blockHeight, queryCount) * keyCount) : nil
    defer { scratch?.deallocate() }
    for start in stride(from: 0, to: queryCount, by: blockHeight) {
      let height = min(blockHeight, queryCount - start)
      let seen = seen(by: start + height)
      guard let weights = kept.map({ $0 + start * keyCount }) ?? scratch else { return }
      Scalar.multiply(
        transposingA: false, transposingB: true, rows: height, columns: seen, inner: width, alpha: Scalar(scale),
        queries + start * heads * width, leadingA: heads * width, keys, leadingB: keyHeads * width, beta: 0, weights,
        leadingC: keyCount)
      apus_masked_softmax(
        Scalar.precision, weights, height, keyCount, firstSeen(from: start), isCausal ? 1 : 0,
        mask.map { $0 + b * keyCount })
      Scalar.multiply(
        transposingA: false, transposingB: false, rows: height, columns: valueWidth, inner: seen, alpha: 1, weights,
        leadingA: keyCount, values, leadingB: keyHeads * valueWidth, beta: 0, result + start * heads * valueWidth,
        leadingC: heads * valueWidth)
    }
  }

  private func back<Scalar: RealScalar>(
    _ arguments: [Tensor<Scalar>], _ weights: Tensor<Scalar>, _ g: Tensor<Scalar>
  ) -> [Tensor<Scalar>?] {
    var toKeys = Tensor<Scalar>(uninitializedShape: arguments[1].shape) { _ in }
    var toValues = Tensor<Scalar>(uninitializedShape: arguments[2].shape) { _ in }
    let toQueries: Tensor<Scalar> = written(arguments[0].shape) { toQueries in
      toKeys.withUnsafeMutableBuffer { toKeys in
        toValues.withUnsafeMutableBuffer { toValues in
          guard let toKeys = toKeys.baseAddress, let toValues = toValues.baseAddress else { return }
          withPointers(arguments + [weights, g]) { p in
            parallelTasks(batch * keyHeads) { task in
              back(batch: task / keyHeads, keyHead: task % keyHeads, p, [toQueries, toKeys, toValues])
            }
          }
        }
      }
    }
    return [toQueries, toKeys, toValues]
  }

  /// All query heads of one key head, so that what falls on its keys and values is summed in one place.
  private func back<Scalar: RealScalar>(
    batch b: Int, keyHead: Int, _ p: [UnsafePointer<Scalar>], _ results: [UnsafeMutablePointer<Scalar>]
  ) {
    let group = heads / keyHeads
    let keyPlace = b * keyCount * keyHeads + keyHead
    let (keyStride, valueStride) = (keyHeads * width, keyHeads * valueWidth)
    let (queryStride, resultStride) = (heads * width, heads * valueWidth)
    let keys = p[1] + keyPlace * width
    let values = p[2] + keyPlace * valueWidth
    let toKeys = results[1] + keyPlace * width
    let toValues = results[2] + keyPlace * valueWidth
    let slopes = UnsafeMutablePointer<Scalar>.allocate(capacity: min(blockHeight, queryCount) * keyCount)
    defer { slopes.deallocate() }
    // The last queries see all keys: from there on, every key has a sum to add to.
    var beta: Scalar = 0
    for h in keyHead * group..<(keyHead + 1) * group {
      for start in stride(from: 0, to: queryCount, by: blockHeight).reversed() {
        let height = min(blockHeight, queryCount - start)
        let seen = seen(by: start + height)
        let place = (b * queryCount + start) * heads + h
        let queries = p[0] + place * width
        let weights = p[3] + ((b * heads + h) * queryCount + start) * keyCount
        let g = p[4] + place * valueWidth
        Scalar.multiply(
          transposingA: true, transposingB: false, rows: seen, columns: valueWidth, inner: height, alpha: 1, weights,
          leadingA: keyCount, g, leadingB: resultStride, beta: beta, toValues, leadingC: valueStride)
        Scalar.multiply(
          transposingA: false, transposingB: true, rows: height, columns: seen, inner: valueWidth, alpha: 1, g,
          leadingA: resultStride, values, leadingB: valueStride, beta: 0, slopes, leadingC: keyCount)
        apus_masked_softmax_back(
          Scalar.precision, weights, slopes, height, keyCount, firstSeen(from: start), isCausal ? 1 : 0)
        Scalar.multiply(
          transposingA: false, transposingB: false, rows: height, columns: width, inner: seen, alpha: Scalar(scale),
          slopes, leadingA: keyCount, keys, leadingB: keyStride, beta: 0, results[0] + place * width,
          leadingC: queryStride)
        Scalar.multiply(
          transposingA: true, transposingB: false, rows: seen, columns: width, inner: height, alpha: Scalar(scale),
          slopes, leadingA: keyCount, queries, leadingB: queryStride, beta: beta, toKeys, leadingC: keyStride)
        beta = 1
      }
    }
  }
}
