import LinearAlgebra
public import Tensors

/// What is remembered of the inputs x of a linear layer: sums over all tokens, in double precision, in one pass.
///
/// Inputs are never stored. Sums of disjoint sets of tokens merge into those of all.
public struct ActivationMoments: Sendable {
  /// The number of inputs n.
  public let width: Int
  /// How many tokens were seen.
  public private(set) var tokens = 0
  /// H = Σ x xᵀ, shape [n, n].
  public private(set) var gram: Tensor<Double>
  /// D = Σ (x' - x) xᵀ with x' the same token's input in a reference network, shape [n, n]: nothing without one.
  public private(set) var cross: Tensor<Double>?
  /// Σ x, Σ |x| and max |x| by channel, shape [n].
  public private(set) var sums: Tensor<Double>
  public private(set) var absoluteSums: Tensor<Double>
  public private(set) var maxima: Tensor<Double>
  /// The largest mean of |x| over a batch by channel, shape [n].
  public private(set) var largestMeans: Tensor<Double>

  /// Nothing seen yet.
  public init(width: Int) {
    self.width = width
    gram = .zeros([width, width])
    sums = .zeros([width])
    absoluteSums = .zeros([width])
    maxima = .zeros([width])
    largestMeans = .zeros([width])
  }

  /// Moments from stored sums.
  ///
  /// - Throws: `InvalidArgument` for a count that is not positive, shapes that do not fit `gram`, or numbers that are not
  ///   finite.
  public init(
    tokens: Int, gram: Tensor<Double>, cross: Tensor<Double>? = nil, sums: Tensor<Double>, absoluteSums: Tensor<Double>,
    maxima: Tensor<Double>, largestMeans: Tensor<Double>
  ) throws {
    guard tokens > 0 else { throw InvalidArgument("tokens", found: "\(tokens)", wanted: "at least one") }
    try gram.requireMatrix("gram")
    let width = gram.columns
    guard gram.rows == width, cross.map({ $0.shape == gram.shape }) ?? true else {
      throw InvalidArgument("gram", found: "shape \(gram.shape)", wanted: "square matrices of one size")
    }
    try cross?.requireFinite("cross")
    for (name, vector) in [
      ("sums", sums), ("absoluteSums", absoluteSums), ("maxima", maxima), ("largestMeans", largestMeans),
    ] {
      guard vector.shape == [width] else {
        throw InvalidArgument(name, found: "shape \(vector.shape)", wanted: "[\(width)]")
      }
      try vector.requireFinite(name)
    }
    (self.width, self.tokens, self.gram, self.cross) = (width, tokens, gram, cross)
    (self.sums, self.absoluteSums, self.maxima, self.largestMeans) = (sums, absoluteSums, maxima, largestMeans)
  }

  /// Adds the tokens of a batch.
  ///
  /// - Parameters:
  ///   - inputs: shape [..., n].
  ///   - reference: the inputs of the same tokens in a reference network; in every batch or in none.
  /// - Throws: `InvalidArgument` for another width, a reference of another shape, or numbers that are not finite.
  /// - Complexity: O(tokens n²) time; memory of n² numbers and of a strip of the batch in double precision.
  public mutating func add(_ inputs: Tensor<Float>, reference: Tensor<Float>? = nil) throws {
    guard inputs.shape.last == width else {
      throw InvalidArgument("inputs", found: "shape \(inputs.shape)", wanted: "[..., \(width)]")
    }
    if let reference, reference.shape != inputs.shape {
      throw InvalidArgument(
        "reference", found: "shape \(reference.shape)", wanted: "\(inputs.shape), as the inputs have")
    }
    guard tokens == 0 || (reference != nil) == (cross != nil) else {
      throw InvalidArgument(
        "reference", found: reference == nil ? "none" : "one after batches without",
        wanted: "a reference for every batch or for none")
    }
    try inputs.requireFinite("inputs")
    try reference?.requireFinite("reference")
    let rows = inputs.reshaped([-1, width])
    let others = reference?.reshaped([-1, width])
    let strip = max(width, 2048)
    var batchAbsolute = Tensor<Double>.zeros([width])
    for start in stride(from: 0, to: rows.rows, by: strip) {
      let range = start..<min(start + strip, rows.rows)
      let x = Tensor<Double>(rows[range])
      gram += x.multipliedByOwnTranspose(transposing: true)
      if let others {
        let difference = Tensor<Double>(others[range]) - x
        let product = difference.matmul(x, transposingA: true)
        cross = cross.map { $0 + product } ?? product
      }
      let size = x.absolute()
      sums += x.sum(axis: 0)
      batchAbsolute += size.sum(axis: 0)
      maxima = maxima.maximum(size.maximum(axis: 0))
    }
    absoluteSums += batchAbsolute
    if rows.rows > 0 { largestMeans = largestMeans.maximum(batchAbsolute / Double(rows.rows)) }
    tokens += rows.rows
  }

  /// Takes in what was seen of other tokens.
  ///
  /// - Throws: `InvalidArgument` when the widths differ or one has cross moments and the other does not.
  public mutating func merge(_ other: ActivationMoments) throws {
    guard other.width == width else {
      throw InvalidArgument("moments", found: "width \(other.width)", wanted: "\(width)")
    }
    if other.tokens == 0 { return }
    if tokens == 0 {
      self = other
      return
    }
    guard (cross != nil) == (other.cross != nil) else {
      throw InvalidArgument("moments", found: "cross moments in one of two", wanted: "in both or in neither")
    }
    tokens += other.tokens
    gram += other.gram
    if let mine = cross, let theirs = other.cross { cross = mine + theirs }
    sums += other.sums
    absoluteSums += other.absoluteSums
    maxima = maxima.maximum(other.maxima)
    largestMeans = largestMeans.maximum(other.largestMeans)
  }

  /// E[x xᵀ], shape [n, n].
  public var secondMoment: Tensor<Double> { gram / Double(max(tokens, 1)) }
  public var means: Tensor<Double> { sums / Double(max(tokens, 1)) }
  public var meanMagnitudes: Tensor<Double> { absoluteSums / Double(max(tokens, 1)) }
  /// Whether there are fewer tokens than inputs: the second moment is then singular.
  public var isUnderdetermined: Bool { tokens < width }
}
