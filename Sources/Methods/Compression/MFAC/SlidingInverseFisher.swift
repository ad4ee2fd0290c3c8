public import LinearAlgebra
public import Tensors

/// The inverse of the damped empirical Fisher matrix of the last `window` gradients, as new ones replace the oldest.
///
/// Until the window is full the missing gradients count as zeros: the mean is always over `window`. A push costs one
/// pass over the window and the Cholesky factorisation of M = mλI + G Gᵀ, of order `window`; a product one or two
/// passes more.
/// - Source: Frantar, Kurtic and Alistarh, NeurIPS 2021, section 4 ("dynamic algorithm").
public struct SlidingInverseFisher<Scalar: LinearScalar>: Sendable {
  /// m.
  public let window: Int
  /// d.
  public let dimension: Int
  /// λ.
  public let damping: Double
  /// Gradients taken so far, those that were replaced included.
  public private(set) var pushCount = 0
  /// Room for gradients, grown as they come: shape [capacity, d].
  private var rows: Tensor<Scalar>
  /// G Gᵀ of the rows in use, of shape [filled, filled].
  private var gram = Tensor<Double>.zeros([0, 0])
  private var factor: CholeskyDecomposition<Double>?

  /// - Throws: `InvalidArgument` for a window or dimension below one, or a damping that is not positive.
  public init(window: Int, dimension: Int, damping: Double = 1e-5) throws {
    guard window >= 1 else { throw InvalidArgument("window", found: "\(window)", wanted: "at least 1") }
    guard dimension >= 1 else { throw InvalidArgument("dimension", found: "\(dimension)", wanted: "at least 1") }
    try requireDamping(damping)
    self.window = window
    self.dimension = dimension
    self.damping = damping
    rows = .zeros([0, dimension])
  }

  /// Gradients in the window.
  public var filled: Int { min(pushCount, window) }

  /// The gradients in the window, of shape [filled, d]; the next one replaces row `pushCount` modulo `window`.
  public var gradients: Tensor<Scalar> { rows[0..<filled] }

  /// Takes a gradient, of shape [d], in place of the oldest.
  ///
  /// - Throws: `InvalidArgument` for another shape or numbers that are not finite, `DecompositionError` when λ is lost to
  ///   rounding beside it; nothing is changed then.
  /// - Complexity: O(d m + m³) time.
  public mutating func push(_ gradient: Tensor<Scalar>) throws { _ = try replaceOldest(gradient) }

  /// Takes a gradient and returns F⁻¹ of it, with one pass over the window less than the two by themselves.
  public mutating func pushAndApply(_ gradient: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let products = try replaceOldest(gradient)
    return combined(products, gradient.dense)
  }

  /// F⁻¹ x, for x of shape [d].
  ///
  /// - Throws: `InvalidArgument` for another shape or numbers that are not finite.
  /// - Complexity: O(d m) time.
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try require(x, "x")
    let x = x.dense
    return combined(products(with: x, count: filled), x)
  }

  private func require(_ x: Tensor<Scalar>, _ name: String) throws {
    guard x.shape == [dimension] else {
      throw InvalidArgument(name, found: "shape \(x.shape)", wanted: "shape [\(dimension)]")
    }
    try x.requireFinite(name)
  }

  /// Writes a gradient to its row, and returns G g.
  private mutating func replaceOldest(_ gradient: Tensor<Scalar>) throws -> [Double] {
    try require(gradient, "gradient")
    let row = pushCount % window
    let count = max(filled, row + 1)
    reserve(count)
    let previous = rows[row].copied()
    write(gradient, to: row)
    let products = products(with: gradient.dense, count: count)
    let wanted = gram.replacing(row, by: products)
    do {
      let matrix = wanted + Tensor.identity(count) * (Double(window) * damping)
      factor = try CholeskyDecomposition(of: matrix)
    } catch {
      write(previous, to: row)
      throw error
    }
    gram = wanted
    pushCount += 1
    return products
  }

  private mutating func reserve(_ count: Int) {
    guard rows.rows < count else { return }
    let capacity = min(window, max(8, 2 * rows.rows))
    rows = .concatenated([rows, .zeros([capacity - rows.rows, dimension])])
  }

  private mutating func write(_ gradient: Tensor<Scalar>, to row: Int) {
    let start = row * dimension
    rows.withUnsafeMutableBuffer { rows in
      gradient.withUnsafeBuffer { gradient in
        guard let target = rows.baseAddress, let source = gradient.baseAddress else { return }
        (target + start).update(from: source, count: gradient.count)
      }
    }
  }

  private func products(with x: Tensor<Scalar>, count: Int) -> [Double] {
    guard count > 0 else { return [] }
    return withRows(count) { rows in
      x.withUnsafeBuffer { x in x.baseAddress.map { rows.dots(with: $0, columns: 0..<dimension) } ?? [] }
    }
  }

  /// (x - Gᵀ M⁻¹ a) / λ, for a = G x.
  private func combined(_ products: [Double], _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    guard let factor, !products.isEmpty else { return x / Scalar(damping) }
    let shares = factor.solved(Tensor(products)).scalars.map { -$0 }
    return Tensor(uninitializedShape: [dimension]) { result in
      withRows(products.count) { rows in
        x.withUnsafeBuffer { x in
          guard let target = result.baseAddress else { return }
          rows.combine(shares, adding: x.baseAddress, scale: 1 / damping, columns: 0..<dimension, to: target)
        }
      }
    }
  }

  private func withRows<Result>(_ count: Int, _ body: (GradientRows<Scalar>) -> Result) -> Result {
    rows.withUnsafeBuffer { buffer in
      guard let start = buffer.baseAddress else { preconditionFailure("the window is empty") }
      return body(GradientRows(start: start, stride: dimension, rows: count))
    }
  }

  // MARK: State

  /// Goes on from gradients in the window, as `gradients` gave them after `pushCount` pushes.
  init(window: Int, damping: Double, gradients: Tensor<Scalar>, pushCount: Int) throws {
    try self.init(window: window, dimension: gradients.columns, damping: damping)
    guard gradients.rows == min(pushCount, window) else {
      throw InvalidArgument(
        "window", found: "\(gradients.rows) gradients after \(pushCount) steps",
        wanted: "\(min(pushCount, window)) for a window of \(window)")
    }
    for row in 0..<gradients.rows { try push(gradients[row]) }
    self.pushCount = pushCount
  }
}

extension Tensor where Scalar == Double {
  /// This symmetric matrix with row and column `index` replaced, or added at the end.
  fileprivate func replacing(_ index: Int, by line: [Double]) -> Tensor {
    var result = index < rows ? self : padded([(0, 1), (0, 1)])
    let size = line.count
    result.withUnsafeMutableBuffer { buffer in
      for (i, value) in line.enumerated() {
        buffer[index * size + i] = value
        buffer[i * size + index] = value
      }
    }
    return result
  }
}
