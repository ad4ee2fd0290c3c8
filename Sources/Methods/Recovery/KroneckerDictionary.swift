public import LinearAlgebra
public import Tensors

/// Real or complex numbers in the shape of a tensor: real ones carry no imaginary part.
struct Numbers<Scalar: LinearScalar>: Sendable {
  var real: Tensor<Scalar>
  var imaginary: Tensor<Scalar>?

  init(_ real: Tensor<Scalar>, _ imaginary: Tensor<Scalar>? = nil) {
    (self.real, self.imaginary) = (real, imaginary)
  }

  var shape: [Int] { real.shape }
  var isFinite: Bool { real.isFinite && (imaginary?.isFinite ?? true) }
  /// |z|².
  var squares: Tensor<Scalar> {
    guard let imaginary else { return real.squared() }
    return real.squared() + imaginary.squared()
  }
  /// Zᴴ of a matrix.
  var adjoint: Numbers { Numbers(real.transposed.dense, imaginary.map { -($0.transposed.dense) }) }

  func map(_ body: (Tensor<Scalar>) -> Tensor<Scalar>) -> Numbers { Numbers(body(real), imaginary.map(body)) }
  /// Element-wise products with real numbers.
  func scaled(by factor: Tensor<Scalar>) -> Numbers { map { $0 * factor } }
  func reshaped(_ shape: [Int]) -> Numbers { map { $0.reshaped(shape) } }
  func columns(_ indices: Tensor<Int>) -> Numbers { map { $0.gathered(indices, axis: 1) } }

  static func - (a: Numbers, b: Numbers) -> Numbers {
    guard a.imaginary != nil || b.imaginary != nil else { return Numbers(a.real - b.real) }
    let zero = Tensor<Scalar>.zeros(a.shape)
    return Numbers(a.real - b.real, (a.imaginary ?? zero) - (b.imaginary ?? zero))
  }

  func matmul(_ other: Numbers) -> Numbers {
    combined(other) { $0.matmul($1) }
  }

  /// The product of a matrix with this tensor along an axis.
  func modeProduct(_ matrix: Numbers, axis: Int) -> Numbers {
    matrix.combined(self) { $1.modeProduct($0, axis: axis) }
  }

  private func combined(_ other: Numbers, _ product: (Tensor<Scalar>, Tensor<Scalar>) -> Tensor<Scalar>) -> Numbers {
    switch (imaginary, other.imaginary) {
    case (nil, nil): Numbers(product(real, other.real))
    case (let i?, nil): Numbers(product(real, other.real), product(i, other.real))
    case (nil, let j?): Numbers(product(real, other.real), product(real, j))
    case (let i?, let j?):
      Numbers(product(real, other.real) - product(i, j), product(real, j) + product(i, other.real))
    }
  }

  /// The real matrix of twice the extents that acts on real parts above imaginary ones as this matrix does; itself when
  /// real.
  var realForm: Tensor<Scalar> {
    guard let imaginary else { return real }
    return Tensor.concatenated([
      Tensor.concatenated([real, -imaginary], axis: 1), Tensor.concatenated([imaginary, real], axis: 1),
    ])
  }

  /// Eigenvalues, at least zero, and vectors (in columns) of a positive semi-definite Hermitian matrix.
  func eigen() throws -> (values: Tensor<Scalar>, vectors: Numbers) {
    let eigen = try SymmetricEigendecomposition(of: realForm.symmetrized)
    guard imaginary != nil else { return (eigen.values.maximum(0), Numbers(eigen.vectors)) }
    return hermitianEigen(eigen)
  }

  /// Every eigenvalue of the real form comes twice, with the real and imaginary parts of w and of i w, or of any mixture
  /// where eigenvalues coincide. Of each group of equal ones, half are picked, the most independent first.
  private func hermitianEigen(
    _ eigen: SymmetricEigendecomposition<Scalar>
  ) -> (values: Tensor<Scalar>, vectors: Numbers) {
    let size = real.rows
    let values = eigen.values.scalars
    let scale = values.map { abs($0) }.max() ?? 0
    var picked: [Numbers] = []
    var found: [Scalar] = []
    var first = 0
    while first < 2 * size {
      var end = first + 1
      while end < 2 * size, (end - first) % 2 == 1 || values[end] - values[end - 1] <= 1e3 * .ulpOfOne * scale {
        end += 1
      }
      var candidates = (first..<end).map { i in
        Numbers(eigen.vectors[0..<size, i].copied(), eigen.vectors[size..<2 * size, i].copied())
      }
      for _ in 0..<(end - first) / 2 {
        let lengths = candidates.map { Double($0.squares.sum().scalar) }
        let best = lengths.indices.max { lengths[$0] < lengths[$1] } ?? 0
        let length = Scalar(lengths[best].squareRoot())
        let unit = candidates.remove(at: best).map { $0 / max(length, .leastNormalMagnitude) }
        picked.append(unit)
        candidates = candidates.map { candidate in
          // uᴴ c, and its part taken out, twice for accuracy.
          let once = candidate.without(unit)
          return once.without(unit)
        }
      }
      for i in 0..<(end - first) / 2 { found.append(values[first + 2 * i]) }
      first = end
    }
    let vectors = Numbers(
      Tensor.stacked(picked.map(\.real), axis: 1), Tensor.stacked(picked.compactMap(\.imaginary), axis: 1))
    return (Tensor(found).maximum(0), vectors)
  }

  /// This vector less its part along a unit vector.
  private func without(_ unit: Numbers) -> Numbers {
    guard let imaginary, let unitImaginary = unit.imaginary else { return self }
    let re = (unit.real * real + unitImaginary * imaginary).sum().scalar
    let im = (unit.real * imaginary - unitImaginary * real).sum().scalar
    return Numbers(
      real - (unit.real * re - unitImaginary * im), imaginary - (unit.real * im + unitImaginary * re))
  }
}

/// A dictionary A = A₁ ⊗ A₂ ⊗ ... of real or complex factors, which is never formed.
///
/// Vectors are tensors laid out row by row: the first mode varies slowest.
public struct KroneckerDictionary<Scalar: LinearScalar>: Sendable {
  let factors: [Numbers<Scalar>]

  /// M_i and N_i: the extents of each factor.
  public var rowExtents: [Int] { factors.map { $0.shape[0] } }
  public var columnExtents: [Int] { factors.map { $0.shape[1] } }
  public var rows: Int { rowExtents.reduce(1, *) }
  public var columns: Int { columnExtents.reduce(1, *) }
  public var isComplex: Bool { factors.contains { $0.imaginary != nil } }

  /// - Throws: `InvalidArgument` unless there is a factor, and all are matrices of finite numbers.
  public init(_ factors: [Tensor<Scalar>]) throws { try self.init(numbers: factors.map { Numbers($0) }) }

  /// - Throws: as the other.
  public init(_ factors: [ComplexTensor<Scalar>]) throws {
    try self.init(numbers: factors.map { Numbers($0.real, $0.imaginary) })
  }

  private init(numbers: [Numbers<Scalar>]) throws {
    guard !numbers.isEmpty else { throw InvalidArgument("factors", found: "none", wanted: "at least one matrix") }
    for (i, factor) in numbers.enumerated() {
      try factor.real.requireMatrix("factors[\(i)]")
      try factor.imaginary?.requireFinite("factors[\(i)]")
    }
    factors = numbers
  }

  /// A x, for x of shape [columns].
  public func apply(_ x: Tensor<Scalar>) -> ComplexTensor<Scalar> { Self.complex(apply(Numbers(x))) }
  public func apply(_ x: ComplexTensor<Scalar>) -> ComplexTensor<Scalar> {
    Self.complex(apply(Numbers(x.real, x.imaginary)))
  }

  /// Aᴴ y, for y of shape [rows].
  public func adjoint(_ y: ComplexTensor<Scalar>) -> ComplexTensor<Scalar> {
    Self.complex(adjoint(Numbers(y.real, y.imaginary)))
  }

  func apply(_ x: Numbers<Scalar>) -> Numbers<Scalar> {
    Self.alongModes(x.reshaped(columnExtents), factors).reshaped([rows])
  }

  func adjoint(_ y: Numbers<Scalar>) -> Numbers<Scalar> {
    Self.alongModes(y.reshaped(rowExtents), factors.map(\.adjoint)).reshaped([columns])
  }

  /// Each matrix along its own axis.
  static func alongModes(_ x: Numbers<Scalar>, _ matrices: [Numbers<Scalar>]) -> Numbers<Scalar> {
    matrices.enumerated().reduce(x) { $0.modeProduct($1.element, axis: $1.offset) }
  }

  /// The matrix itself; for small ones.
  func dense() -> Numbers<Scalar> {
    factors.dropFirst().reduce(factors[0]) { a, b in
      let shape = [a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]]
      func product(_ x: Tensor<Scalar>, _ y: Tensor<Scalar>) -> Tensor<Scalar> {
        (x.reshaped([x.rows, 1, x.columns, 1]) * y.reshaped([1, y.rows, 1, y.columns])).reshaped(shape)
      }
      guard a.imaginary != nil || b.imaginary != nil else { return Numbers(product(a.real, b.real)) }
      let i = a.imaginary ?? .zeros(a.shape)
      let j = b.imaginary ?? .zeros(b.shape)
      return Numbers(product(a.real, b.real) - product(i, j), product(a.real, j) + product(i, b.real))
    }
  }

  private static func complex(_ x: Numbers<Scalar>) -> ComplexTensor<Scalar> {
    ComplexTensor(real: x.real, imaginary: x.imaginary ?? .zeros(x.shape))
  }
}
