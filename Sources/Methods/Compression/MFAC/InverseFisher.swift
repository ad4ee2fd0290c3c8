public import LinearAlgebra
public import Tensors

/// The inverse of a damped empirical Fisher matrix, F = λI + (1/m) Σ gᵢ gᵢᵀ, without forming F or its inverse.
///
/// With the gradients as rows of G, of shape [m, d], and M = mλI + G Gᵀ, Woodbury's identity gives
/// F⁻¹ = (I - Gᵀ M⁻¹ G) / λ: products read G twice, everything else is of order m. The paper unrolls the
/// Sherman-Morrison formula instead; that is the same recurrence as the Cholesky factorisation of M, which is taken here
/// in double precision, so that single-precision gradients do not suffer from the cancellation.
///
/// ```swift
/// let inverse = try InverseFisher(gradients: g, damping: 1e-5)
/// let direction = try inverse.apply(gradient)
/// ```
/// - Source: Frantar, Kurtic and Alistarh, NeurIPS 2021, arXiv 2107.03356, section 3.
public struct InverseFisher<Scalar: LinearScalar>: Sendable {
  /// G, of shape [m, d]: one gradient a row.
  public let gradients: Tensor<Scalar>
  /// λ.
  public let damping: Double
  /// F is taken as zero outside diagonal blocks of this many coordinates; d for the whole matrix.
  public let blockSize: Int
  private let blocks: [Block]

  /// Coordinates whose cross terms are kept, and what is known of their part of F.
  private struct Block {
    enum Factor {
      /// Of mλI + G Gᵀ: cheaper where the block has more coordinates than there are gradients.
      case gram(CholeskyDecomposition<Double>)
      /// Of the block of F itself.
      case dense(CholeskyDecomposition<Double>)
      /// The only element.
      case scalar(Double)
    }
    let range: Range<Int>
    let factor: Factor
  }

  /// - Parameters:
  ///   - gradients: G, of shape [m, d], at least one row and column.
  ///   - damping: λ, positive.
  ///   - blockSize: nil for one block of all coordinates.
  /// - Throws: `InvalidArgument` for gradients that are no matrix of finite numbers, and settings out of range;
  ///   `DecompositionError` when λ is so small beside the gradients that it is lost to rounding.
  /// - Complexity: d m² operations and m² memory beside G, for one block; for blocks of B < m coordinates d m B
  ///   operations and d B memory.
  public init(gradients: Tensor<Scalar>, damping: Double = 1e-5, blockSize: Int? = nil) throws {
    try gradients.requireMatrix("gradients")
    try requireDamping(damping)
    let dimension = gradients.columns
    if let blockSize, blockSize < 1 {
      throw InvalidArgument("blockSize", found: "\(blockSize)", wanted: "at least 1")
    }
    let size = min(blockSize ?? dimension, dimension)
    self.gradients = gradients.dense
    self.damping = damping
    self.blockSize = size
    let count = gradients.rows
    let ranges = stride(from: 0, to: dimension, by: size).map { $0..<min($0 + size, dimension) }
    blocks = try self.gradients.withGradientRows { rows in
      if size == 1 {
        let shares = gradients.sumOfSquares(axes: [0]).scalars
        return zip(ranges, shares).map { Block(range: $0, factor: .scalar(damping + Double($1) / Double(count))) }
      }
      return try parallelMap(ranges.count) { i in
        let range = ranges[i]
        if range.count > count {
          let matrix = rows.gram(range) + Tensor.identity(count) * (Double(count) * damping)
          return Block(range: range, factor: .gram(try CholeskyDecomposition(of: matrix)))
        }
        let products = rows.widened(range).multipliedByOwnTranspose(transposing: true)
        let matrix = products / Double(count) + Tensor.identity(range.count) * damping
        return Block(range: range, factor: .dense(try CholeskyDecomposition(of: matrix)))
      }
    }
  }

  /// m, the number of gradients.
  public var count: Int { gradients.rows }
  /// d, the number of coordinates.
  public var dimension: Int { gradients.columns }

  /// F⁻¹ x, for x of shape [d], or [p, d] for p vectors as rows.
  ///
  /// - Throws: `InvalidArgument` for another shape or numbers that are not finite.
  /// - Complexity: O(d m) time a vector, bound by reading G twice; blocks that fit the caches are read once.
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    guard x.rank == 1 || x.rank == 2, x.shape.last == dimension else {
      throw InvalidArgument("x", found: "shape \(x.shape)", wanted: "shape [\(dimension)] or [p, \(dimension)]")
    }
    try x.requireFinite("x")
    return product(x.dense)
  }

  /// The same for dense, finite rows.
  func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    Tensor(uninitializedShape: x.shape) { result in
      guard let target = result.baseAddress else { return }
      gradients.withGradientRows { rows in
        x.withUnsafeBuffer { x in
          guard let source = x.baseAddress else { return }
          for first in stride(from: 0, to: x.count, by: dimension) {
            parallelTasks(blocks.count) { i in
              let start = first + blocks[i].range.lowerBound
              multiply(blocks[i], rows, source + start, to: target + start)
            }
          }
        }
      }
    }
  }

  private func multiply(
    _ block: Block, _ rows: GradientRows<Scalar>, _ x: UnsafePointer<Scalar>, to result: UnsafeMutablePointer<Scalar>
  ) {
    switch block.factor {
    case .scalar(let element): result[0] = Scalar(Double(x[0]) / element)
    case .dense(let factor):
      let part = Tensor((0..<block.range.count).map { Double(x[$0]) })
      for (i, value) in factor.solved(part).scalars.enumerated() { result[i] = Scalar(value) }
    case .gram(let factor):
      let products = rows.dots(with: x, columns: block.range)
      let shares = factor.solved(Tensor(products)).scalars.map { -$0 }
      rows.combine(shares, adding: x, scale: 1 / damping, columns: block.range, to: result)
    }
  }

  /// The diagonal of F⁻¹, of shape [d].
  ///
  /// - Complexity: O(d m²) time for one block.
  public func diagonal() -> Tensor<Scalar> {
    var parts: [Tensor<Double>] = []
    gradients.withGradientRows { rows in
      for block in blocks {
        switch block.factor {
        case .scalar(let element): parts.append(Tensor([1 / element]))
        case .dense(let factor): parts.append(factor.inverse().diagonal.dense)
        case .gram(let factor): parts.append(diagonal(of: block.range, factor.upper, rows))
        }
      }
    }
    return Tensor(parts.count == 1 ? parts[0] : .concatenated(parts))
  }

  /// (1 - Σᵢ Vᵢₖ²) / λ with V = R⁻ᵀ G, for the factor R of M = Rᵀ R; strip by strip.
  private func diagonal(
    of range: Range<Int>, _ upper: Tensor<Double>, _ rows: GradientRows<Scalar>
  ) -> Tensor<Double> {
    let width = 512
    let strips = stride(from: range.lowerBound, to: range.upperBound, by: width).map {
      $0..<min($0 + width, range.upperBound)
    }
    var result = Tensor<Double>.zeros([range.count])
    result.withUnsafeMutableBuffer { buffer in
      guard let start = buffer.baseAddress else { return }
      parallelTasks(strips.count) { i in
        let strip = strips[i]
        let shares = upper.solved(rows.widened(strip)).sumOfSquares(axes: [0])
        shares.withUnsafeBuffer { shares in
          let place = start + (strip.lowerBound - range.lowerBound)
          for k in 0..<strip.count { place[k] = (1 - shares[k]) / damping }
        }
      }
    }
    return result
  }

  /// One element of F⁻¹; zero between two blocks.
  ///
  /// - Complexity: O(m²) time.
  public func element(_ row: Int, _ column: Int) -> Scalar { Scalar(submatrix([row, column])[at: 0, 1]) }

  /// One column of F⁻¹, of shape [d].
  ///
  /// - Complexity: O(d m) time for one block.
  public func column(_ index: Int) -> Tensor<Scalar> {
    precondition(0 <= index && index < dimension, "column \(index) of \(dimension)")
    var unit = Tensor<Scalar>.zeros([dimension])
    unit.withUnsafeMutableBuffer { $0[index] = 1 }
    return product(unit)
  }

  /// The rows and columns of F⁻¹ at `indices`, of shape [k, k], in double precision.
  ///
  /// - Complexity: O(k m² + k² m) time for one block.
  public func submatrix(_ indices: [Int]) -> Tensor<Double> {
    for index in indices { precondition(0 <= index && index < dimension, "coordinate \(index) of \(dimension)") }
    var result = Tensor<Double>.zeros([indices.count, indices.count])
    let groups = Dictionary(grouping: indices.indices) { indices[$0] / blockSize }
    for (number, places) in groups {
      let block = blocks[number]
      let own = places.map { indices[$0] }
      let part: Tensor<Double>
      switch block.factor {
      case .scalar(let element): part = Tensor(repeating: 1 / element, shape: [own.count, own.count])
      case .dense(let factor):
        let local = Tensor<Int>(own.map { $0 - block.range.lowerBound })
        part = factor.inverse().gathered(local).gathered(local, axis: 1)
      case .gram(let factor):
        let columns = Tensor<Double>(gradients.gathered(Tensor<Int>(own), axis: 1))
        let shares = factor.upper.solved(columns).multipliedByOwnTranspose(transposing: true)
        let positions = Tensor<Int>(own)
        let isSame = Tensor<Double>(positions.expanded(axis: 1) .== positions.expanded(axis: 0))
        part = (isSame - shares) / damping
      }
      let values = part.dense.scalars
      result.withUnsafeMutableBuffer { target in
        for (i, row) in places.enumerated() {
          for (j, column) in places.enumerated() { target[row * indices.count + column] = values[i * own.count + j] }
        }
      }
    }
    return result
  }

  /// xᵀ F x, for dense x of shape [d], with the cross terms between blocks left out as in F⁻¹.
  func quadraticForm(_ x: Tensor<Scalar>) -> Double {
    gradients.withGradientRows { rows in
      x.withUnsafeBuffer { x in
        guard let source = x.baseAddress else { return 0 }
        let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
        return blocks.reduce(damping * squares) { sum, block in
          if case .scalar(let element) = block.factor {
            let value = Double(x[block.range.lowerBound])
            return sum + (element - damping) * value * value
          }
          let products = rows.dots(with: source + block.range.lowerBound, columns: block.range)
          return sum + products.reduce(0) { $0 + $1 * $1 } / Double(count)
        }
      }
    }
  }
}

extension CholeskyDecomposition where Scalar == Double {
  /// The solution of a system whose right side is finite and of the right shape.
  func solved(_ rightSide: Tensor<Double>) -> Tensor<Double> {
    do { return try solve(rightSide) } catch { preconditionFailure("\(error)") }
  }
}

extension Tensor where Scalar == Double {
  /// R⁻ᵀ b, for this upper triangle R.
  fileprivate func solved(_ rightSide: Tensor) -> Tensor {
    do { return try solveTriangular(rightSide, .upper, transposing: true) } catch { preconditionFailure("\(error)") }
  }
}

extension Tensor where Scalar: LinearScalar {
  /// Calls `body` with the rows of this dense matrix.
  func withGradientRows<Result>(_ body: (GradientRows<Scalar>) throws -> Result) rethrows -> Result {
    try withUnsafeBuffer { buffer in
      guard let start = buffer.baseAddress else { preconditionFailure("a matrix of gradients is not empty") }
      return try body(GradientRows(start: start, stride: columns, rows: rows))
    }
  }
}

func requireDamping(_ damping: Double) throws {
  guard damping > 0, damping.isFinite else {
    throw InvalidArgument("damping", found: "\(damping)", wanted: "a positive number")
  }
}
