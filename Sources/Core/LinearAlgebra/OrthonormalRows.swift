import Tensors

/// A growing set of orthonormal vectors, kept as the rows of a matrix.
struct OrthonormalRows<Scalar: LinearScalar> {
  private var rows: Tensor<Scalar>
  private(set) var count = 0
  private var length: Int { rows.columns }

  init(length: Int, capacity: Int) { rows = .zeros([capacity, length]) }

  subscript(_ index: Int) -> Tensor<Scalar> { rows[index] }
  private var filled: Tensor<Scalar> { rows[0..<count, .all] }

  /// Splits `vector` into its components along the rows and a rest, and appends the direction of the rest.
  ///
  /// A rest that is nothing but rounding has no direction: its length counts as zero, and a random direction takes its
  /// place, unless the rows span the whole space already.
  mutating func append(
    _ vector: Tensor<Scalar>, random: inout RandomStream
  ) -> (components: Tensor<Scalar>, length: Scalar) {
    var (components, rest) = (Tensor<Scalar>.zeros([count]), vector)
    let whole = vector.frobeniusNorm()
    var size = whole
    var previous = Scalar.infinity
    var passes = 0
    // Once a pass no longer shortens the rest by much, it is orthogonal to working precision.
    while count > 0 && passes < 4 && (passes < 2 || size < previous / 2) {
      let along = filled.matmul(rest)
      rest -= along.matmul(filled)
      components += along
      previous = size
      size = rest.frobeniusNorm()
      passes += 1
    }
    let isNothing = count == length || size <= 8 * .ulpOfOne * whole
    if !isNothing {
      rows[count] = rest / size
      count += 1
      return (components, size)
    }
    appendRandom(&random)
    return (components, 0)
  }

  /// Appends a random direction orthogonal to the rows, if there is one.
  mutating func appendRandom(_ random: inout RandomStream) {
    guard count < length else { return }
    var vector: Tensor<Scalar> = random.normal([length])
    for _ in 0..<(count > 0 ? 3 : 0) { vector -= filled.matmul(vector).matmul(filled) }
    rows[count] = vector / vector.frobeniusNorm()
    count += 1
  }

  /// The vectors with these coefficients, one a column of `coefficients`, of shape [k, number of columns]; as rows, and
  /// with standard signs if wanted.
  func combined(_ coefficients: Tensor<Scalar>, standardizing: Bool = false) -> Tensor<Scalar> {
    var result = coefficients.matmul(rows[0..<coefficients.rows, .all], transposingA: true)
    if standardizing {
      result.withUnsafeMutableBuffer {
        _ = standardizeSigns($0.baseAddress!, count: coefficients.columns, length: length)
      }
    }
    return result
  }

  /// Replaces the rows that `coefficients` speaks of by their combinations; rows beyond them follow.
  mutating func restart(with coefficients: Tensor<Scalar>) {
    let beyond = rows[coefficients.rows..<max(count, coefficients.rows), .all].dense
    let kept = coefficients.columns
    rows[0..<kept, .all] = combined(coefficients)
    if beyond.rows > 0 { rows[kept..<kept + beyond.rows, .all] = beyond }
    count = kept + beyond.rows
  }
}
