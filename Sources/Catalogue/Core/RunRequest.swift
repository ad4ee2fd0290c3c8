import FileFormats
public import LinearAlgebra
public import Tensors

/// A person's data and settings for one run of a method, read and checked against its card.
///
/// Inputs and parameters are read by the values that the card lists, which gives them their types:
///
/// ```swift
/// let plan = try SinkhornNewton(tolerance: request[tolerance]).solve(cost: request.matrix(cost))
/// ```
public struct RunRequest: Sendable {
  public let card: MethodCard
  /// The seed of everything random; the same one gives the same numbers.
  public let seed: UInt64
  public let progress: WorkProgress
  private let arrays: [String: InputArray]
  private let collections: [String: TensorCollection]
  private let sparseMatrices: [String: SparseMatrix<Double>]
  private let values: [String: any ParameterValue]

  /// Reads the words after `apus run ID`: `name=file` and `--parameter value`.
  ///
  /// - Throws: `UsageError` for unknown or missing words, `InvalidArgument` for values, shapes and numbers that cannot be
  ///   used, and the readers' errors for files.
  public init(
    _ card: MethodCard, _ words: [String], seed: UInt64 = 1, progress: WorkProgress = .silent
  ) throws {
    let arguments = try RunArguments(words, for: card)
    var arrays: [String: InputArray] = [:]
    var collections: [String: TensorCollection] = [:]
    var sparseMatrices: [String: SparseMatrix<Double>] = [:]
    var bindings = ShapePattern.Bindings()
    for input in card.inputs {
      guard let files = arguments.files[input.name] else { continue }
      switch input.kind {
      case .tensors: collections[input.name] = try TensorCollection(paths: files, of: input.name)
      case .array(let pattern):
        let array = try InputArray(readArray(files[0]), named: input.name, pattern, &bindings)
        arrays[input.name] = array
      case .sparse(let pattern):
        let matrix = try readSparse(files[0], named: input.name)
        if let wanted = pattern.mismatch(of: matrix.shape, input: input.name, bindings: &bindings) {
          throw InvalidArgument(input.name, found: "shape \(matrix.shape)", wanted: wanted)
        }
        sparseMatrices[input.name] = matrix
      }
    }
    self.card = card
    self.seed = seed
    self.progress = progress
    self.arrays = arrays
    self.collections = collections
    self.sparseMatrices = sparseMatrices
    self.values = arguments.values
  }

  /// The stream of random numbers that belongs to the seed.
  public var random: RandomStream { RandomStream(seed: seed) }

  /// The value of a parameter: what was given, or its default.
  public subscript<Value: ParameterValue>(_ parameter: MethodParameter<Value>) -> Value {
    precondition(
      card.parameters.contains { $0.name == parameter.name },
      "the card of '\(card.id)' does not list parameter '\(parameter.name)'")
    guard let given = values[parameter.name] else { return parameter.defaultValue }
    guard let value = given as? Value else {
      preconditionFailure("parameter '\(parameter.name)' has another type on the card of '\(card.id)'")
    }
    return value
  }

  /// Whether a value was given for the parameter, rather than left at its default.
  public func isGiven<Value>(_ parameter: MethodParameter<Value>) -> Bool { values[parameter.name] != nil }

  /// Whether a file was given for the input.
  public func isGiven(_ input: MethodInput) -> Bool {
    arrays[input.name] != nil || collections[input.name] != nil || sparseMatrices[input.name] != nil
  }

  // MARK: Inputs

  /// The array of a required input, all finite, as `Double` or as the type asked for.
  public func array<Scalar: RealScalar>(_ input: MethodInput, as type: Scalar.Type = Double.self) throws -> Tensor<
    Scalar
  > {
    let tensor = stored(input).real(as: type)
    try tensor.requireFinite(input.name)
    return tensor
  }

  /// The array of a required input, for methods that know what to do with numbers that are not finite.
  public func unchecked<Scalar: RealScalar>(_ input: MethodInput, as type: Scalar.Type = Double.self) -> Tensor<Scalar>
  {
    stored(input).real(as: type)
  }

  /// The matrix of a required input, with at least one element, all finite.
  public func matrix<Scalar: RealScalar>(_ input: MethodInput, as type: Scalar.Type = Double.self) throws -> Tensor<
    Scalar
  > {
    let tensor = stored(input).real(as: type)
    try tensor.requireMatrix(input.name)
    return tensor
  }

  /// The vector of a required input, with at least one element, all finite.
  public func vector<Scalar: RealScalar>(_ input: MethodInput, as type: Scalar.Type = Double.self) throws -> Tensor<
    Scalar
  > {
    let tensor = try array(input, as: type)
    guard tensor.rank == 1, tensor.count > 0 else {
      throw InvalidArgument(input.name, found: "shape \(tensor.shape)", wanted: "a vector with at least one element")
    }
    return tensor
  }

  /// Labels, counts or positions: an array of whole numbers.
  public func integers(_ input: MethodInput) throws -> Tensor<Int> { try stored(input).asInt() }

  /// The named arrays of a required input, each read when it is asked for.
  public func tensors(_ input: MethodInput) -> TensorCollection {
    guard let collection = collections[input.name] else { preconditionFailure(notThere(input, "named arrays")) }
    return collection
  }

  /// The sparse matrix of a required input, by rows, all finite.
  public func sparse(_ input: MethodInput) -> SparseMatrix<Double> {
    guard let matrix = sparseMatrices[input.name] else { preconditionFailure(notThere(input, "a sparse matrix")) }
    return matrix
  }

  private func stored(_ input: MethodInput) -> InputArray {
    guard let array = arrays[input.name] else { preconditionFailure(notThere(input, "an array")) }
    return array
  }

  /// Reading an optional input without asking `isGiven` first is a mistake in the adapter.
  private func notThere(_ input: MethodInput, _ kind: String) -> String {
    "input '\(input.name)' of '\(card.id)' was not given as \(kind); ask isGiven before reading an optional input"
  }
}

/// An array that fits the shape on the card.
private struct InputArray: Sendable {
  private let tensor: AnyTensor
  private let shape: [Int]
  private let name: String

  /// A file with one row or one column is a vector where a vector is wanted: text files know matrices only.
  init(_ tensor: AnyTensor, named name: String, _ pattern: ShapePattern, _ bindings: inout ShapePattern.Bindings) throws
  {
    var shape = tensor.shape
    if let wanted = pattern.mismatch(of: shape, input: name, bindings: &bindings) {
      let isLine = shape.count == 2 && shape.contains(1)
      guard isLine, pattern.mismatch(of: [tensor.count], input: name, bindings: &bindings) == nil else {
        throw InvalidArgument(name, found: "shape \(tensor.shape)", wanted: wanted)
      }
      shape = [tensor.count]
    }
    self.tensor = tensor
    self.shape = shape
    self.name = name
  }

  func real<Scalar: RealScalar>(as type: Scalar.Type) -> Tensor<Scalar> { tensor.real(as: type).reshaped(shape) }
  func asInt() throws -> Tensor<Int> { try tensor.asInt(name).reshaped(shape) }
}

/// The entries of a Matrix Market file, or those of another file that are not zero.
private func readSparse(_ path: String, named name: String) throws -> SparseMatrix<Double> {
  let matrix: SparseMatrix<Double>
  if path.hasSuffix(".mtx") {
    let file = try readMatrixMarket(path)
    matrix = try SparseMatrix(
      rows: file.rows, columns: file.columns, rowIndices: file.rowIndices, columnIndices: file.columnIndices,
      values: file.values)
  } else {
    let dense = try readArray(path).real(as: Double.self)
    guard dense.rank == 2 else { throw InvalidArgument(name, found: "shape \(dense.shape)", wanted: "a matrix") }
    matrix = try SparseMatrix(dense)
  }
  try matrix.requireFinite(name)
  return matrix
}
