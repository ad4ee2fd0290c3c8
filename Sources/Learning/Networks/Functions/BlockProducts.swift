// Products with block-diagonal matrices, and with two of them that a shuffle connects.
//
// A shuffle costs nothing where the tokens lie along the rows: picking every b-th row is a matrix with longer strides.
// The intermediate is therefore kept with tokens last, and only the result is brought into order, tile by tile while it
// is in the cache.

import Tensors

/// x times a block-diagonal matrix: part k of the result is part k of x times the transpose of block k.
///
/// - Parameters:
///   - x: shape [..., blocks · w].
///   - blocks: shape [blocks, o, w].
/// - Returns: shape [..., blocks · o].
func blockDiagonalProduct<Scalar: RealScalar>(_ x: Tensor<Scalar>, _ blocks: Tensor<Scalar>) -> Tensor<Scalar> {
  let (b, o, w) = (blocks.shape[0], blocks.shape[1], blocks.shape[2])
  precondition(x.shape.last == b * w, "block-diagonal product: shapes \(x.shape) and \(blocks.shape) do not fit")
  let leading = Array(x.shape.dropLast())
  let rows = x.reshaped([leading.reduce(1, *), b * w])
  let product = fusedOperation(
    at: [rows, blocks],
    kernel: { arguments, _ in
      let (x, a) = (arguments[0].dense, arguments[1].dense)
      let n = x.rows
      let value = Tensor<Scalar>(uninitializedShape: [n, b * o]) { result in
        withPointers([x, a]) { p in
          guard let to = result.baseAddress else { return }
          forEachTile(n, parts: b) { k, tokens in
            Scalar.multiply(
              transposingA: false, transposingB: true, rows: tokens.count, columns: o, inner: w, alpha: 1,
              p[0] + tokens.lowerBound * b * w + k * w, leadingA: b * w, p[1] + k * o * w, leadingB: w, beta: 0,
              to + tokens.lowerBound * b * o + k * o, leadingC: b * o)
          }
        }
      }
      return FusedResult(value: value) { g, wanted in
        let g = g.dense
        let toX: Tensor<Scalar>? =
          wanted[0]
          ? written(x.shape) { to in
            withPointers([g, a]) { p in
              forEachTile(n, parts: b) { k, tokens in
                Scalar.multiply(
                  transposingA: false, transposingB: false, rows: tokens.count, columns: w, inner: o, alpha: 1,
                  p[0] + tokens.lowerBound * b * o + k * o, leadingA: b * o, p[1] + k * o * w, leadingB: w, beta: 0,
                  to + tokens.lowerBound * b * w + k * w, leadingC: b * w)
              }
            }
          } : nil
        let toBlocks: Tensor<Scalar>? =
          wanted[1]
          ? written(a.shape) { to in
            withPointers([g, x]) { p in
              let pieces = rowPieces(o)
              parallelTasks(b * pieces.count) { task in
                let (k, rows) = (task / pieces.count, pieces[task % pieces.count])
                Scalar.multiply(
                  transposingA: true, transposingB: false, rows: rows.count, columns: w, inner: n, alpha: 1,
                  p[0] + k * o + rows.lowerBound, leadingA: b * o, p[1] + k * w, leadingB: b * w, beta: 0,
                  to + k * o * w + rows.lowerBound * w, leadingC: w)
              }
            }
          } : nil
        return [toX, toBlocks]
      }
    },
    definition: { blockDiagonalDefinition($0[0], $0[1]) })
  return product.reshaped(leading + [b * o])
}

private func blockDiagonalDefinition<Scalar: RealScalar>(_ x: Tensor<Scalar>, _ blocks: Tensor<Scalar>) -> Tensor<
  Scalar
> {
  let (b, w) = (blocks.shape[0], blocks.shape[2])
  let parts = x.reshaped([x.rows, b, w]).permuted([1, 0, 2])
  let product = parts.matmul(blocks, transposingB: true)
  return product.permuted([1, 0, 2]).reshaped([x.rows, b * blocks.shape[1]])
}

/// x times two block-diagonal matrices with a shuffle between and behind them.
///
/// With z = `blockDiagonalProduct(x, first)`, part l of the second stage takes z's entries l, l + b, l + 2 b, ...; its
/// result number s becomes entry s · b + l.
///
/// - Parameters:
///   - x: shape [..., b · w].
///   - first: shape [b, q, w].
///   - second: shape [b, p, q].
/// - Returns: shape [..., b · p].
func shuffledBlockProduct<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ first: Tensor<Scalar>, _ second: Tensor<Scalar>
) -> Tensor<Scalar> {
  let sizes = ShuffleSizes(first.shape, second.shape)
  precondition(
    x.shape.last == sizes.inputs && second.shape[2] == sizes.q && second.shape[0] == sizes.b,
    "shuffled product: shapes \(x.shape), \(first.shape) and \(second.shape) do not fit")
  let leading = Array(x.shape.dropLast())
  let rows = x.reshaped([leading.reduce(1, *), sizes.inputs])
  let product = fusedOperation(
    at: [rows, first, second],
    kernel: { arguments, keeping in
      let (x, first, second) = (arguments[0].dense, arguments[1].dense, arguments[2].dense)
      let (value, middle) = shuffledForward(x, first, second, sizes, keeping: keeping)
      return FusedResult(value: value) { g, wanted in
        shuffledBackward(x, first, second, middle, g.dense, sizes, wanted)
      }
    },
    definition: { arguments in
      let n = arguments[0].rows
      let z = blockDiagonalDefinition(arguments[0], arguments[1])
      let shuffled = z.reshaped([n, sizes.q, sizes.b]).permuted([2, 0, 1])
      let product = shuffled.matmul(arguments[2], transposingB: true)
      return product.permuted([1, 2, 0]).reshaped([n, sizes.outputs])
    })
  return product.reshaped(leading + [sizes.outputs])
}

private struct ShuffleSizes: Sendable {
  let b: Int, q: Int, w: Int, p: Int
  var inputs: Int { b * w }
  var outputs: Int { b * p }
  var middle: Int { b * q }

  init(_ first: [Int], _ second: [Int]) { (b, q, w, p) = (first[0], first[1], first[2], second[1]) }
}

/// Tokens in a tile: few enough for its intermediate results to stay in the cache, and enough to pay for the packing of
/// the weights.
private let tileLength = 256

/// Calls `body` with part 0 ..< parts of every tile of tokens; the tiles do not depend on the number of threads.
private func forEachTile(_ tokens: Int, parts: Int, _ body: (_ part: Int, _ tokens: Range<Int>) -> Void) {
  let tiles = (tokens + tileLength - 1) / tileLength
  parallelTasks(tiles * parts) { task in
    let tile = task / parts
    body(task % parts, tile * tileLength..<min((tile + 1) * tileLength, tokens))
  }
}

/// A matrix's rows in pieces for the threads, cut at edges of BLAS's tiles.
private func rowPieces(_ rows: Int) -> [Range<Int>] {
  let length = max(192, (rows / 4 + 47) / 48 * 48)
  return stride(from: 0, to: rows, by: length).map { $0..<min($0 + length, rows) }
}

/// The value, and the intermediate [b · q, tokens] where it is kept.
private func shuffledForward<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ first: Tensor<Scalar>, _ second: Tensor<Scalar>, _ sizes: ShuffleSizes, keeping: Bool
) -> (value: Tensor<Scalar>, middle: Tensor<Scalar>?) {
  let (b, q, w, p) = (sizes.b, sizes.q, sizes.w, sizes.p)
  let n = x.rows
  let tiles = (n + tileLength - 1) / tileLength
  func run(_ kept: UnsafeMutablePointer<Scalar>?) -> Tensor<Scalar> {
    written([n, sizes.outputs]) { to in
      withPointers([x, first, second]) { source in
        parallelTasks(tiles) { tile in
          let start = tile * tileLength
          let count = min(tileLength, n - start)
          let stride = kept == nil ? count : n
          withUnsafeTemporaryAllocation(
            of: Scalar.self, capacity: count * (sizes.outputs + (kept == nil ? sizes.middle : 0))
          ) { work in
            guard let parts = work.baseAddress else { return }
            let z = kept.map { $0 + start } ?? parts + count * sizes.outputs
            for k in 0..<b {
              Scalar.multiply(
                transposingA: false, transposingB: true, rows: q, columns: count, inner: w, alpha: 1,
                source[1] + k * q * w, leadingA: w, source[0] + start * sizes.inputs + k * w, leadingB: sizes.inputs,
                beta: 0, z + k * q * stride, leadingC: stride)
            }
            for l in 0..<b {
              Scalar.multiply(
                transposingA: true, transposingB: true, rows: count, columns: p, inner: q, alpha: 1, z + l * stride,
                leadingA: b * stride, source[2] + l * p * q, leadingB: q, beta: 0, parts + l * count * p, leadingC: p)
            }
            interleave(parts, to + start * sizes.outputs, parts: b, rows: count, columns: p)
          }
        }
      }
    }
  }
  guard keeping else { return (run(nil), nil) }
  var value = Tensor<Scalar>(0)
  let middle = Tensor<Scalar>(uninitializedShape: [sizes.middle, n]) { value = run($0.baseAddress) }
  return (value, middle)
}

private func shuffledBackward<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ first: Tensor<Scalar>, _ second: Tensor<Scalar>, _ middle: Tensor<Scalar>?,
  _ g: Tensor<Scalar>, _ sizes: ShuffleSizes, _ wanted: [Bool]
) -> [Tensor<Scalar>?] {
  guard let middle else { preconditionFailure("the way back needs the intermediate of the way there") }
  let (b, q, w, p) = (sizes.b, sizes.q, sizes.w, sizes.p)
  let n = x.rows
  let tiles = (n + tileLength - 1) / tileLength
  // The derivative towards the second stage's parts, [b, tokens, p], and towards the intermediate, [b · q, tokens].
  var toX = Tensor<Scalar>(uninitializedShape: x.shape) { _ in }
  var toMiddle = Tensor<Scalar>(uninitializedShape: [sizes.middle, n]) { _ in }
  let parts = toX.withUnsafeMutableBuffer { toX in
    toMiddle.withUnsafeMutableBuffer { toMiddle in
      written([b, n, p]) { parts in
        withPointers([g, first, second]) { source in
          guard let toX = toX.baseAddress, let z = toMiddle.baseAddress else { return }
          parallelTasks(tiles) { tile in
            let start = tile * tileLength
            let count = min(tileLength, n - start)
            separate(
              source[0] + start * sizes.outputs, parts + start * p, parts: b, rows: count, columns: p,
              partStride: n * p)
            for l in 0..<b {
              Scalar.multiply(
                transposingA: true, transposingB: true, rows: q, columns: count, inner: p, alpha: 1,
                source[2] + l * p * q, leadingA: q, parts + l * n * p + start * p, leadingB: p, beta: 0,
                z + l * n + start, leadingC: b * n)
            }
            guard wanted[0] else { return }
            for k in 0..<b {
              Scalar.multiply(
                transposingA: true, transposingB: false, rows: count, columns: w, inner: q, alpha: 1,
                z + k * q * n + start, leadingA: n, source[1] + k * q * w, leadingB: w, beta: 0,
                toX + start * sizes.inputs + k * w, leadingC: sizes.inputs)
            }
          }
        }
      }
    }
  }
  let toFirst: Tensor<Scalar>? =
    wanted[1]
    ? written(first.shape) { to in
      withPointers([toMiddle, x]) { source in
        let pieces = rowPieces(q)
        parallelTasks(b * pieces.count) { task in
          let (k, rows) = (task / pieces.count, pieces[task % pieces.count])
          Scalar.multiply(
            transposingA: false, transposingB: false, rows: rows.count, columns: w, inner: n, alpha: 1,
            source[0] + (k * q + rows.lowerBound) * n, leadingA: n, source[1] + k * w, leadingB: sizes.inputs, beta: 0,
            to + k * q * w + rows.lowerBound * w, leadingC: w)
        }
      }
    } : nil
  let toSecond: Tensor<Scalar>? =
    wanted[2]
    ? written(second.shape) { to in
      withPointers([parts, middle]) { source in
        let pieces = rowPieces(p)
        parallelTasks(b * pieces.count) { task in
          let (l, rows) = (task / pieces.count, pieces[task % pieces.count])
          Scalar.multiply(
            transposingA: true, transposingB: true, rows: rows.count, columns: q, inner: n, alpha: 1,
            source[0] + l * n * p + rows.lowerBound, leadingA: p, source[1] + l * n, leadingB: b * n, beta: 0,
            to + l * p * q + rows.lowerBound * q, leadingC: q)
        }
      }
    } : nil
  return [wanted[0] ? toX : nil, toFirst, toSecond]
}

/// result[row][s · parts + l] = source[l][row][s].
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func interleave<Scalar: RealScalar>(
  _ source: UnsafePointer<Scalar>, _ result: UnsafeMutablePointer<Scalar>, parts: Int, rows: Int, columns: Int
) {
  for row in 0..<rows {
    let to = result + row * parts * columns
    let from = source + row * columns
    if parts == 2 {
      let other = from + rows * columns
      for s in 0..<columns {
        to[2 * s] = from[s]
        to[2 * s + 1] = other[s]
      }
    } else if parts == 4 {
      let (b, c, d) = (from + rows * columns, from + 2 * rows * columns, from + 3 * rows * columns)
      for s in 0..<columns {
        to[4 * s] = from[s]
        to[4 * s + 1] = b[s]
        to[4 * s + 2] = c[s]
        to[4 * s + 3] = d[s]
      }
    } else {
      for l in 0..<parts {
        let part = from + l * rows * columns
        for s in 0..<columns { to[s * parts + l] = part[s] }
      }
    }
  }
}

/// The way back: result[l][row][s] = source[row][s · parts + l], parts `partStride` apart.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func separate<Scalar: RealScalar>(
  _ source: UnsafePointer<Scalar>, _ result: UnsafeMutablePointer<Scalar>, parts: Int, rows: Int, columns: Int,
  partStride: Int
) {
  for row in 0..<rows {
    let from = source + row * parts * columns
    for l in 0..<parts {
      let to = result + l * partStride + row * columns
      for s in 0..<columns { to[s] = from[s * parts + l] }
    }
  }
}
