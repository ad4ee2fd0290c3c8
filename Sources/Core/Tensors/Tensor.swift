/// A multi-dimensional array of numbers with value semantics.
///
/// Elements lie in row-major order. Transposes, slices and broadcasts are views: they share memory with the tensor they
/// were taken from, without being visible from it. Writing to a tensor never changes another one; memory that is shared
/// is copied first.
///
/// Element-wise operators work on equal shapes or stretch axes of extent one, as NumPy does. A mismatch traps, with a
/// message that names both shapes: it is a mistake in the program, like an index out of range of an array. Methods that
/// take a person's data check it first and throw.
///
/// ```swift
/// let x = Tensor<Double>([[1, 2, 3], [4, 5, 6]])
/// let centred = x - x.mean(axis: 0)
/// let gram = centred.transposed.matmul(centred)
/// ```
public struct Tensor<Scalar: TensorScalar>: Sendable {
  var storage: Storage
  /// The extent along each axis; empty for a single number.
  public let shape: [Int]
  /// Distances between neighbours, in elements; empty means dense, which is the common case and the fast one.
  let storedStrides: [Int]
  /// Position of the first element in the storage, in elements.
  let offset: Int
  /// The number of elements, the product of `shape`.
  public let count: Int
  /// Where this tensor stands on the tape of a derivative that is being taken, if there is one.
  var trace: Node?

  init(storage: Storage, shape: [Int], strides: [Int] = [], offset: Int = 0, count: Int) {
    self.storage = storage
    self.shape = shape
    self.storedStrides = strides
    self.offset = offset
    self.count = count
    self.trace = nil
  }

  // MARK: Shape

  /// The number of axes.
  public var rank: Int { shape.count }
  public var isEmpty: Bool { count == 0 }
  /// Whether the elements lie one behind the other in row-major order.
  public var isDense: Bool { storedStrides.isEmpty }
  /// Distances between neighbours along each axis, in elements.
  public var strides: [Int] { storedStrides.isEmpty ? Shape.denseStrides(shape) : storedStrides }

  /// The two extents of a matrix; traps on another rank.
  public var rows: Int { matrixShape.rows }
  public var columns: Int { matrixShape.columns }
  private var matrixShape: (rows: Int, columns: Int) {
    precondition(rank == 2, "a matrix was expected, but the shape is \(shape)")
    return (shape[0], shape[1])
  }

  // MARK: Creation

  /// A tensor whose elements `body` writes, all of them, in row-major order.
  public init(uninitializedShape shape: [Int], _ body: (UnsafeMutableBufferPointer<Scalar>) throws -> Void) rethrows {
    self.init(uninitializedShape: shape)
    try body(UnsafeMutableBufferPointer(start: base, count: count))
  }

  /// Memory for a tensor; whoever asks must write every element.
  init(uninitializedShape shape: [Int]) {
    let count = Shape.count(shape)
    self.init(storage: Storage(byteCount: count * MemoryLayout<Scalar>.stride), shape: shape, count: count)
  }

  /// The numbers `scalars` in row-major order. Traps when there are more or fewer than `shape` holds.
  public init(shape: [Int], scalars: some Collection<Scalar>) {
    self.init(uninitializedShape: shape) { buffer in
      precondition(
        scalars.count == buffer.count,
        "shape \(shape) holds \(buffer.count) numbers, but \(scalars.count) were given")
      _ = buffer.initialize(fromContentsOf: scalars)
    }
  }

  /// A single number: a tensor without axes.
  public init(_ scalar: Scalar) { self.init(repeating: scalar, shape: []) }

  /// A vector.
  public init(_ scalars: [Scalar]) { self.init(shape: [scalars.count], scalars: scalars) }

  /// A matrix from its rows, which must be equally long.
  public init(_ rows: [[Scalar]]) {
    let columns = rows.first?.count ?? 0
    for (i, row) in rows.enumerated() {
      precondition(row.count == columns, "row \(i) has \(row.count) numbers, but row 0 has \(columns)")
    }
    self.init(shape: [rows.count, columns], scalars: Array(rows.joined()))
  }

  /// A tensor of shape [planes, rows, columns] from its planes.
  public init(_ planes: [[[Scalar]]]) {
    let parts = planes.map { Tensor($0) }
    for (i, part) in parts.enumerated() {
      precondition(part.shape == parts[0].shape, "plane \(i) has shape \(part.shape), but plane 0 \(parts[0].shape)")
    }
    self.init(shape: [planes.count] + (parts.first?.shape ?? [0, 0]), scalars: parts.flatMap(\.scalars))
  }

  public init(repeating scalar: Scalar, shape: [Int]) {
    self.init(uninitializedShape: shape) { buffer in
      guard let start = buffer.baseAddress, !buffer.isEmpty else { return }
      // By doubling what is there: a loop over a generic scalar would not be specialised for other modules.
      start.initialize(to: scalar)
      var done = 1
      while done < buffer.count {
        let next = min(done, buffer.count - done, 1 << 15)
        (start + done).initialize(from: start, count: next)
        done += next
      }
    }
  }

  /// Memory that somebody else keeps, read in place and without a copy: `owner` is held until the last view is gone.
  ///
  /// The memory must stay unchanged and hold valid values of `Scalar` at their natural alignment.
  public init(reading pointer: UnsafeRawPointer, shape: [Int], owner: AnyObject) {
    let count = Shape.count(shape)
    precondition(
      UInt(bitPattern: pointer) % UInt(MemoryLayout<Scalar>.alignment) == 0, "memory of a tensor must be aligned")
    let bytes = count * MemoryLayout<Scalar>.stride
    self.init(storage: Storage(reading: pointer, byteCount: bytes, owner: owner), shape: shape, count: count)
  }

  // MARK: Access

  /// The first element's address. Valid while `storage` lives; reading only, unless `makeWritable` came before.
  var base: UnsafeMutablePointer<Scalar> {
    storage.pointer.assumingMemoryBound(to: Scalar.self) + offset
  }

  /// Calls `body` with the elements in row-major order; a view that is not dense is copied first.
  public func withUnsafeBuffer<Result>(_ body: (UnsafeBufferPointer<Scalar>) throws -> Result) rethrows -> Result {
    let dense = self.dense
    return try withExtendedLifetime(dense.storage) {
      try body(UnsafeBufferPointer(start: dense.base, count: dense.count))
    }
  }

  /// Calls `body` with the elements in row-major order, to change them in place.
  public mutating func withUnsafeMutableBuffer<Result>(
    _ body: (UnsafeMutableBufferPointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    makeWritable()
    return try body(UnsafeMutableBufferPointer(start: base, count: count))
  }

  /// Makes this tensor dense and the only owner of its memory.
  mutating func makeWritable() {
    precondition(trace == nil, "a tensor cannot be changed in place while it is being differentiated")
    if !isDense || storage.isForeign || !isKnownUniquelyReferenced(&storage) { self = copied() }
  }

  /// Whether these numbers can be changed in place without a copy.
  var isOnlyOwner: Bool {
    mutating get { trace == nil && isDense && !storage.isForeign && isKnownUniquelyReferenced(&storage) }
  }

  /// The same numbers in memory of their own, row by row: independent of a mapped file, and dense.
  public func copied() -> Tensor {
    var result = Tensor(uninitializedShape: shape)
    copyElements(to: result.base)
    result.trace = trace
    return result
  }

  /// The same numbers one behind the other: itself when it is dense already.
  public var dense: Tensor {
    isDense ? self : copied()
  }

  /// All elements in row-major order.
  public var scalars: [Scalar] { withUnsafeBuffer { Array($0) } }

  /// The only element of a tensor with one.
  public var scalar: Scalar {
    precondition(count == 1, "one number was expected, but the shape is \(shape)")
    return withExtendedLifetime(storage) { base.pointee }
  }

  /// One element, given an index for each axis.
  public subscript(at indices: Int...) -> Scalar {
    get { withExtendedLifetime(storage) { base[position(indices)] } }
    set {
      makeWritable()
      base[position(indices)] = newValue
    }
  }

  private func position(_ indices: [Int]) -> Int {
    precondition(indices.count == rank, "\(indices.count) indices into shape \(shape)")
    let strides = self.strides
    var position = 0
    for axis in indices.indices {
      precondition(
        0 <= indices[axis] && indices[axis] < shape[axis], "index \(indices) is out of range of shape \(shape)")
      position += indices[axis] * strides[axis]
    }
    return position
  }
}

extension Tensor: Equatable {
  /// Whether shapes and elements are equal. A NaN equals nothing, as in its scalars.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  @specialized(where Scalar == Int)
  @specialized(where Scalar == Int32)
  public static func == (a: Tensor, b: Tensor) -> Bool {
    guard a.shape == b.shape else { return false }
    return a.withUnsafeBuffer { a in b.withUnsafeBuffer { b in a.elementsEqual(b) } }
  }
}

extension Tensor where Scalar: NumericScalar {
  public static func zeros(_ shape: [Int]) -> Tensor { Tensor(repeating: 0, shape: shape) }
  public static func ones(_ shape: [Int]) -> Tensor { Tensor(repeating: 1, shape: shape) }

  /// The identity matrix, or its first `columns` columns.
  public static func identity(_ rows: Int, columns: Int? = nil) -> Tensor {
    let columns = columns ?? rows
    var result = Tensor.zeros([rows, columns])
    result.withUnsafeMutableBuffer { buffer in
      for i in 0..<min(rows, columns) { buffer[i * columns + i] = 1 }
    }
    return result
  }

  /// A square matrix with `diagonal` on its diagonal and zeros elsewhere.
  public init(diagonal: Tensor) {
    precondition(diagonal.rank == 1, "a diagonal is a vector, but the shape is \(diagonal.shape)")
    self = diagonal.placedOnDiagonal(of: .zeros([diagonal.count, diagonal.count]))
  }
}

extension Tensor where Scalar: NumericScalar & Strideable, Scalar.Stride: SignedNumeric {
  /// The numbers of a half-open range, in steps of one.
  public init(_ range: Range<Scalar>) {
    self.init(Array(stride(from: range.lowerBound, to: range.upperBound, by: 1)))
  }
}

extension Tensor where Scalar: RealScalar {
  /// `count` equally spaced numbers from `start` through `end`, both included.
  public init(from start: Scalar, through end: Scalar, count: Int) {
    let step = count > 1 ? (end - start) / Scalar(count - 1) : 0
    self.init(uninitializedShape: [count]) { buffer in
      for i in 0..<count { buffer[i] = i == count - 1 && count > 1 ? end : start + Scalar(i) * step }
    }
  }
}
