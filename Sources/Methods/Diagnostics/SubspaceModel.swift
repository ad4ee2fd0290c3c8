// A network that can be trained in a random subspace only.

import FileFormats
public import LinearAlgebra
public import Networks
public import Tensors

/// A network whose parameters are θ₀ + P z: fixed starting values and a random subspace, of which z alone is learned.
///
/// It is a layer with one parameter, `coordinates`, that any optimizer and training loop takes:
///
/// ```swift
/// var model = try SubspaceModel(MLP<Float>([64, 32, 10], random: &random), dimension: 120, seed: 1)
/// let gradient = model.valueAndGradient { crossEntropy($0(x), labels: y) }.gradient
/// optimizer.update(&model, along: gradient)
/// ```
///
/// Columns of P have unit length, so that a step of length r in z is one of length r in the parameters: a rate for single
/// coordinates is about √(D / d) times that of direct training.
public struct SubspaceModel<Base: Layer>: Layer where Base.Scalar: LinearScalar {
  public typealias Scalar = Base.Scalar

  /// The network at z = 0, with its parameters θ₀ and its buffers.
  public private(set) var base: Base
  public let subspace: RandomSubspace<Scalar>
  /// z, shape [dimension].
  public var coordinates: Tensor<Scalar>
  private let start: Tensor<Scalar>

  /// - Throws: `InvalidArgument` for a model without parameters, or a dimension that is none of a subspace of them.
  public init(
    _ base: Base, dimension: Int, kind: SubspaceProjection = .fastfood, seed: UInt64
  ) throws {
    let parameters = base.parameters
    subspace = try RandomSubspace(
      parameterCount: parameters.tensors.reduce(0) { $0 + $1.count }, dimension: dimension, kind: kind, seed: seed)
    self.base = base
    start = Tensor.concatenated(parameters.tensors.map(\.flattened))
    coordinates = .zeros([dimension])
  }

  /// The whole network at the present coordinates.
  public var model: Base {
    let flat = start + subspace.offset(coordinates)
    var position = 0
    let tensors = base.parameters.tensors.map { tensor in
      defer { position += tensor.count }
      return flat[position..<position + tensor.count].reshaped(tensor.shape)
    }
    precondition(
      position == start.count, "the model has \(position) parameters, but the subspace is of \(start.count)")
    return base.with(parameters: tensors)
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    model(x, in: pass)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("coordinates", &coordinates)
    base.forEachTensor { name, role, tensor in
      if role == .buffer { visitor.buffer("base.\(name)", &tensor) }
    }
  }

  /// The size of a description of the trained network: d numbers, and a seed of 64 bits each for P and θ₀.
  public func descriptionBits(bitsPerCoordinate: Int = 32) -> Int { subspace.dimension * bitsPerCoordinate + 128 }

  /// This model with its coordinates rounded to 2^bits equally spaced values over their range.
  ///
  /// - Throws: `InvalidArgument` for bits outside 1...24.
  public func quantized(bits: Int) throws -> SubspaceModel {
    guard (1...24).contains(bits) else { throw InvalidArgument("bits", found: "\(bits)", wanted: "1 through 24") }
    var result = self
    let (low, high) = (coordinates.minimum().scalar, coordinates.maximum().scalar)
    let step = (high - low) / Scalar((1 << bits) - 1)
    guard step > 0 else { return result }
    result.coordinates = ((coordinates - low) / step).rounded() * step + low
    return result
  }
}

/// A network trained in a random subspace, as what is left of it: seeds and coordinates.
public struct CompressedModel<Scalar: LinearScalar & StorableScalar>: Sendable {
  public let kind: SubspaceProjection
  /// Of the subspace.
  public let seed: UInt64
  /// Of whatever made the network's starting values.
  public let initializationSeed: UInt64
  public let parameterCount: Int
  /// Shape [dimension].
  public let coordinates: Tensor<Scalar>

  public init<Base: Layer>(_ model: SubspaceModel<Base>, initializationSeed: UInt64) where Base.Scalar == Scalar {
    kind = model.subspace.kind
    seed = model.subspace.seed
    parameterCount = model.subspace.parameterCount
    coordinates = model.coordinates
    self.initializationSeed = initializationSeed
  }

  /// The trained network again.
  ///
  /// - Parameter makeBase: makes the network with its starting values from `initializationSeed`.
  /// - Throws: `InvalidArgument` when it makes another number of parameters.
  public func restored<Base: Layer>(_ makeBase: (UInt64) throws -> Base) throws -> SubspaceModel<Base>
  where Base.Scalar == Scalar {
    let base = try makeBase(initializationSeed)
    guard base.parameterCount == parameterCount else {
      throw InvalidArgument("model", found: "\(base.parameterCount) parameters", wanted: "\(parameterCount)")
    }
    var model = try SubspaceModel(base, dimension: coordinates.count, kind: kind, seed: seed)
    model.coordinates = coordinates
    return model
  }

  /// Writes a safetensors file of the coordinates, with the rest in its metadata.
  public func save(to path: String) throws {
    try writeSafetensors(
      [(name: "coordinates", tensor: AnyTensor(coordinates))], to: path,
      metadata: [
        "apus.subspace.kind": kind.rawValue, "apus.subspace.seed": "\(seed)",
        "apus.subspace.initialization": "\(initializationSeed)", "apus.subspace.parameters": "\(parameterCount)",
      ])
  }

  /// Reads what `save` wrote.
  ///
  /// - Throws: `FileError` when the file cannot be read, `InvalidArgument` when it holds something else.
  public init(contentsOf path: String) throws {
    let file = try SafetensorsFile(path)
    func field(_ name: String) throws -> String {
      guard let text = file.metadata["apus.subspace.\(name)"] else {
        throw InvalidArgument(path, found: "no entry '\(name)'", wanted: "a network saved by its subspace")
      }
      return text
    }
    func number<Number: FixedWidthInteger>(_ name: String) throws -> Number {
      let text = try field(name)
      guard let number = Number(text) else {
        throw InvalidArgument(path, found: "\(name) '\(text)'", wanted: "a number")
      }
      return number
    }
    let kindName = try field("kind")
    guard let kind = SubspaceProjection(rawValue: kindName) else {
      throw InvalidArgument(
        path, found: "kind '\(kindName)'",
        wanted: SubspaceProjection.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self.kind = kind
    seed = try number("seed")
    initializationSeed = try number("initialization")
    parameterCount = try number("parameters")
    coordinates = try Checkpoint(path).tensor(named: "coordinates", as: Scalar.self)
    guard coordinates.rank == 1, coordinates.count >= 1, coordinates.count <= parameterCount else {
      throw InvalidArgument(
        path, found: "coordinates of shape \(coordinates.shape)", wanted: "a vector of at most \(parameterCount)")
    }
  }
}
