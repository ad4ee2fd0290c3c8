// Coarser matrices by matching: pairs of unknowns that the smooth vector couples strongly become one.
//
// Source: D'Ambra, Filippone and Vassilevski, "BootCMatch: a software package for bootstrap AMG based on graph weighted
// matching", ACM TOMS 44 (2018); D'Ambra, Vassilevski and Cutillo, arXiv 2109.09610, section 3.

import Tensors

/// A prolongator with one entry a row: unknown i belongs to `aggregates[i]` with the weight `weights[i]`.
struct Aggregation: Sendable {
  var aggregates: [Int32]
  var weights: [Double]
  var count: Int

  /// The prolongator of pairs of pairs.
  func followed(by next: Aggregation) -> Aggregation {
    var result = self
    for i in aggregates.indices {
      let middle = Int(aggregates[i])
      result.aggregates[i] = next.aggregates[middle]
      result.weights[i] *= next.weights[middle]
    }
    result.count = next.count
    return result
  }

  /// Pᵀ x.
  func restricted(_ x: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: count)
    for i in x.indices { result[Int(aggregates[i])] += weights[i] * x[i] }
    return result
  }

  /// Pairs by a matching with the weights 1 - 2 m_ij w_i w_j / (m_ii w_i² + m_jj w_j²): large where w is locally what
  /// relaxation leaves over.
  init(pairing matrix: CompressedRows, diagonal: [Double], smooth w: [Double]) {
    let couplings = WorkVector(matrix.entryCount)
    let largest = w.reduce(0) { max($0, $1.magnitude) }
    let tiny = 1e-280 + largest * largest * 1e-28
    for i in 0..<matrix.rows {
      let own = diagonal[i] * w[i] * w[i]
      for k in Int(matrix.starts[i])..<Int(matrix.starts[i + 1]) {
        let j = Int(matrix.indices[k])
        let energy = own + diagonal[j] * w[j] * w[j]
        let coupling = energy > tiny ? 1 - 2 * matrix.values[k] * w[i] * w[j] / energy : 1e-12
        // In single precision couplings that differ by rounding alone are ties, and ties are broken by the numbering.
        couplings.start[k] = Double(Float(coupling))
      }
    }
    let mates = suitorMatching(matrix, weights: couplings.start)
    aggregates = [Int32](repeating: 0, count: matrix.rows)
    weights = [Double](repeating: 1, count: matrix.rows)
    count = 0
    let negligible = largest * 1e-14
    for i in 0..<matrix.rows {
      let mate = Int(mates[i])
      if mate >= 0 && mate < i {
        aggregates[i] = aggregates[mate]
        continue
      }
      aggregates[i] = Int32(count)
      count += 1
      if mate < 0 {
        weights[i] = w[i] < 0 ? -1 : 1
      } else if max(w[i].magnitude, w[mate].magnitude) <= negligible {
        (weights[i], weights[mate]) = (0.5.squareRoot(), 0.5.squareRoot())
      } else {
        let length = (w[i] * w[i] + w[mate] * w[mate]).squareRoot()
        (weights[i], weights[mate]) = (w[i] / length, w[mate] / length)
      }
    }
  }

  /// Pᵀ A P: the coarse rows are gathered from the fine rows of each aggregate.
  func galerkinProduct(_ matrix: CompressedRows) -> CompressedRows {
    let result = CompressedRows(rows: count, columns: count, capacity: matrix.entryCount)
    // The fine rows of each aggregate, in increasing order.
    var firsts = [Int32](repeating: 0, count: count + 1)
    for aggregate in aggregates { firsts[Int(aggregate) + 1] += 1 }
    for c in 0..<count { firsts[c + 1] += firsts[c] }
    var members = [Int32](repeating: 0, count: matrix.rows)
    var next = firsts
    for i in 0..<matrix.rows {
      let c = Int(aggregates[i])
      members[Int(next[c])] = Int32(i)
      next[c] += 1
    }
    var places = [Int32](repeating: -1, count: count)
    aggregates.withUnsafeBufferPointer { aggregates in
      weights.withUnsafeBufferPointer { weights in
        places.withUnsafeMutableBufferPointer { places in
          members.withUnsafeBufferPointer { members in
            var used: Int32 = 0
            for c in 0..<count {
              let begin = used
              for m in Int(firsts[c])..<Int(firsts[c + 1]) {
                let i = Int(members[m])
                let weight = weights[i]
                for k in Int(matrix.starts[i])..<Int(matrix.starts[i &+ 1]) {
                  let j = Int(matrix.indices[k])
                  let value = weight * matrix.values[k] * weights[j]
                  let coarse = aggregates[j]
                  let place = places[Int(coarse)]
                  if place >= begin {
                    result.values[Int(place)] += value
                  } else {
                    places[Int(coarse)] = used
                    result.indices[Int(used)] = coarse
                    result.values[Int(used)] = value
                    used &+= 1
                  }
                }
              }
              sortRow(result.indices + Int(begin), result.values + Int(begin), Int(used - begin))
              result.starts[c + 1] = used
            }
          }
        }
      }
    }
    return result
  }
}

/// Sorts the entries of a row by their columns: rows are short, but for hubs of a graph.
private func sortRow(_ indices: UnsafeMutablePointer<Int32>, _ values: UnsafeMutablePointer<Double>, _ count: Int) {
  if count > 48 {
    let sorted = (0..<count).map { (indices[$0], values[$0]) }.sorted { $0.0 < $1.0 }
    for (k, entry) in sorted.enumerated() { (indices[k], values[k]) = entry }
    return
  }
  var k = 1
  while k < count {
    let (index, value) = (indices[k], values[k])
    var l = k
    while l > 0 && indices[l &- 1] > index {
      indices[l] = indices[l &- 1]
      values[l] = values[l &- 1]
      l &-= 1
    }
    indices[l] = index
    values[l] = value
    k &+= 1
  }
}
