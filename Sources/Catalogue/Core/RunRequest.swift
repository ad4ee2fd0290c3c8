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
  private let arrays: [String: AnyTensor]
  private let collections: [String: TensorCollection]
  private let values: [String: any ParameterValue]

  /// Reads the words after `apus run ID`: `name=file` and `--parameter value`.
  ///
  /// - Throws: `UsageError` for unknown or missing words, `InvalidArgument` for values, shapes and numbers that cannot be
  ///   used, and the readers' errors for files.
  public init(
    _ card: MethodCard, _ words: [String], seed: UInt64 = 1, progress: WorkProgress = .silent
  ) throws {
    let arguments = try RunArguments(words, for: card)
    var arrays: [String: AnyTensor] = [:]
    var collections: [String: TensorCollection] = [:]
    var bindings = ShapePattern.Bindings()
    for input in card.inputs {
      guard let files = arguments.files[input.name] else { continue }
      switch input.kind {
      case .tensors: collections[input.name] = try TensorCollection(paths: files, of: input.name)
      case .array(let pattern):
        let array = try readArray(files[0], of: input.name)
        if let wanted = pattern.mismatch(of: array.shape, input: input.name, bindings: &bindings) {
          throw InvalidArgument(input.name, found: "shape \(array.shape)", wanted: wanted)
        }
        arrays[input.name] = array
      }
    }
    self.card = card
    self.seed = seed
    self.progress = progress
    self.arrays = arrays
    self.collections = collections
    self.values = arguments.values
  }

  /// The value of a parameter: what was given, or its default.
  public subscript<Value: ParameterValue>(_ parameter: MethodParameter<Value>) -> Value {
    precondition(
      card.parameters.contains { $0.name == parameter.name },
      "the card of '\(card.id)' does not list parameter '\(parameter.name)'")
    return values[parameter.name] as? Value ?? parameter.defaultValue
  }

  /// Whether a value was given for the parameter, rather than left at its default.
  public func isGiven<Value>(_ parameter: MethodParameter<Value>) -> Bool { values[parameter.name] != nil }

  /// Whether a file was given for the input.
  public func isGiven(_ input: MethodInput) -> Bool {
    arrays[input.name] != nil || collections[input.name] != nil
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
  public func integers(_ input: MethodInput) throws -> Tensor<Int> { try stored(input).asInt(input.name) }

  /// The named arrays of a required input, each read when it is asked for.
  public func tensors(_ input: MethodInput) -> TensorCollection {
    guard let collection = collections[input.name] else { preconditionFailure(notThere(input, "named arrays")) }
    return collection
  }

  private func stored(_ input: MethodInput) -> AnyTensor {
    guard let array = arrays[input.name] else { preconditionFailure(notThere(input, "an array")) }
    return array
  }

  /// Reading an optional input without asking `isGiven` first is a mistake in the adapter.
  private func notThere(_ input: MethodInput, _ kind: String) -> String {
    "input '\(input.name)' of '\(card.id)' was not given as \(kind); ask isGiven before reading an optional input"
  }
}
