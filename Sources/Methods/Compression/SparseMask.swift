// Which weights of a network exist.

public import Networks
public import Tensors

/// A fixed choice of the weights of a network that are not zero, by parameter.
///
/// Only weights with two axes or more are masked: biases and scales of normalisations stay whole. Trained with a mask, a
/// network is sparse from its first step to its last:
///
/// ```swift
/// let mask = try SparseMask(of: model, density: 0.1, rule: .erk(), seed: 1)
/// mask.apply(to: &model)
/// for batch in batches {
///   var gradient = model.valueAndGradient { ... }.gradient
///   mask.apply(to: &gradient)            // an optimizer's memory stays zero where the mask is
///   optimizer.update(&model, along: gradient)
///   mask.apply(to: &model)
/// }
/// ```
public struct SparseMask: Sendable, Equatable {
  /// The mask of one parameter.
  public struct Part: Sendable, Equatable {
    public let name: String
    /// True where the weight stays; of the parameter's shape.
    public let isKept: Tensor<Bool>
    public let keptCount: Int

    public init(_ name: String, isKept: Tensor<Bool>) {
      self.name = name
      self.isKept = isKept
      keptCount = isKept.withUnsafeBuffer { kept in kept.reduce(0) { $0 + ($1 ? 1 : 0) } }
    }

    public var density: Double { Double(keptCount) / Double(max(isKept.count, 1)) }
  }

  public let parts: [Part]
  /// Parameters that were offered and left whole, because they have fewer than two axes.
  public let unmasked: [String]
  private let positions: [String: Int]

  /// A mask from choices made elsewhere.
  public init(parts: [Part], unmasked: [String] = []) {
    self.parts = parts
    self.unmasked = unmasked
    positions = Dictionary(parts.enumerated().map { ($1.name, $0) }) { first, _ in first }
  }

  /// Random positions in each weight.
  ///
  /// - Parameters:
  ///   - shapes: names and shapes; those with fewer than two axes are left whole.
  ///   - densities: one for each of the others.
  ///   - isExact: whether each weight keeps exactly the rounded number of positions, each choice being equally likely;
  ///     otherwise each position is kept by itself with the probability of its density.
  /// - Throws: `InvalidArgument` for densities that do not fit.
  /// - Complexity: O(weights); the weights of a network are spread over the threads.
  public init(shapes: [(name: String, shape: [Int])], densities: [Double], seed: UInt64, isExact: Bool = true) throws {
    let masked = shapes.filter { $0.shape.count >= 2 }
    let densities = try layerDensities(shapes: masked.map(\.shape), density: 1, rule: .custom(densities))
    let random = RandomStream(seed: seed)
    let parts = try parallelMap(masked.count) { i in
      let (name, shape) = masked[i]
      let stream = random.child(UInt64(i))
      return Part(name, isKept: Self.positions(in: shape, density: densities[i], isExact: isExact, stream))
    }
    self.init(parts: parts, unmasked: shapes.filter { $0.shape.count < 2 }.map(\.name))
  }

  /// Random positions in the weights of a model, its layers' densities by `rule`.
  ///
  /// - Parameter isMaskable: which parameters may be masked, by name; those with fewer than two axes never are.
  /// - Throws: `InvalidArgument` as `layerDensities` does.
  public init<Model: Module>(
    of model: Model, density: Double, rule: LayerDensityRule = .erk(), seed: UInt64, isExact: Bool = true,
    where isMaskable: (String) -> Bool = { _ in true }
  ) throws {
    let parameters = model.parameters
    let shapes = zip(parameters.names, parameters.tensors.map(\.shape)).filter { isMaskable($0.0) }
    let weights = shapes.filter { $0.1.count >= 2 }.map(\.1)
    let densities = try layerDensities(shapes: weights, density: density, rule: rule)
    try self.init(shapes: shapes.map { (name: $0.0, shape: $0.1) }, densities: densities, seed: seed, isExact: isExact)
  }

  /// The positions of the largest scores of all weights together, such as magnitudes or |gradient · weight|.
  ///
  /// - Parameter scores: by parameter; those with fewer than two axes are left whole.
  /// - Throws: `InvalidArgument` for a density outside (0, 1], no weights, or scores that are not finite.
  public init<Scalar: RealScalar>(largest scores: NamedTensors<Scalar>, density: Double) throws {
    let masked = zip(scores.names, scores.tensors).filter { $0.1.rank >= 2 }
    guard density > 0, density <= 1 else {
      throw InvalidArgument("density", found: "\(density)", wanted: "above 0 and at most 1")
    }
    guard !masked.isEmpty else { throw InvalidArgument("scores", found: "no weights", wanted: "at least one") }
    for (name, tensor) in masked { try tensor.requireFinite(name) }
    let all = Tensor.concatenated(masked.map { $0.1.flattened })
    let count = max(1, Int((density * Double(all.count)).rounded()))
    let order = all.argsort(descending: true)[0..<count].scalars
    var isKept = [Bool](repeating: false, count: all.count)
    for position in order { isKept[position] = true }
    var start = 0
    let parts = masked.map { name, tensor in
      defer { start += tensor.count }
      return Part(name, isKept: Tensor(shape: tensor.shape, scalars: Array(isKept[start..<start + tensor.count])))
    }
    self.init(parts: parts, unmasked: zip(scores.names, scores.tensors).filter { $0.1.rank < 2 }.map(\.0))
  }

  // MARK: What is kept

  /// The share of the masked weights that stay.
  public var density: Double {
    let total = parts.reduce(0) { $0 + $1.isKept.count }
    return Double(keptCount) / Double(max(total, 1))
  }

  /// The number of masked weights that stay.
  public var keptCount: Int { parts.reduce(0) { $0 + $1.keptCount } }

  /// The mask of a parameter; nil when it is whole.
  public subscript(name: String) -> Tensor<Bool>? { positions[name].map { parts[$0].isKept } }

  // MARK: Application

  /// Sets the weights that do not exist to zero; traps when a masked parameter has another shape.
  public func apply<Model: Module>(to model: inout Model) {
    model.forEachParameter { name, parameter in
      if let part = positions[name] { parts[part].clear(&parameter) }
    }
  }

  /// Sets the gradients of weights that do not exist to zero.
  public func apply<Scalar: RealScalar>(to gradient: inout NamedTensors<Scalar>) {
    for (i, name) in gradient.names.enumerated() {
      if let part = positions[name] { parts[part].clear(&gradient.tensors[i]) }
    }
  }

  /// Multiplies the weights that stay by 1 / √density of their parameter, so that sums over inputs keep their variance
  /// although there are fewer of them.
  public func rescaleInitialization<Model: Module>(of model: inout Model) {
    model.forEachParameter { name, parameter in
      guard let part = positions[name], parts[part].keptCount > 0 else { return }
      parameter = parameter / Model.Scalar(parts[part].density.squareRoot())
    }
  }

  // MARK: Sampling

  private static func positions(
    in shape: [Int], density: Double, isExact: Bool, _ stream: RandomStream
  ) -> Tensor<Bool> {
    var random = stream
    guard isExact else { return random.bernoulli(shape, probability: density) }
    let total = shape.reduce(1, *)
    let wanted = Int((density * Double(total)).rounded())
    // The smaller of the two sets is drawn; places drawn before are drawn again, which leaves all choices equally likely.
    let drawsKept = 2 * wanted <= total
    var rest = drawsKept ? wanted : total - wanted
    return Tensor(uninitializedShape: shape) { isKept in
      isKept.update(repeating: !drawsKept)
      while rest > 0 {
        let draws = random.integers([min(1 << 16, rest + rest / 8 + 8)], in: 0..<total)
        rest = draws.withUnsafeBuffer { mark($0, in: isKept, as: drawsKept, atMost: rest) }
      }
    }
  }

  /// Marks places until `limit` new ones are; returns how many are missing.
  private static func mark(
    _ places: UnsafeBufferPointer<Int>, in isKept: UnsafeMutableBufferPointer<Bool>, as value: Bool, atMost limit: Int
  ) -> Int {
    var rest = limit
    for place in places where isKept[place] != value {
      isKept[place] = value
      rest -= 1
      if rest == 0 { break }
    }
    return rest
  }
}

extension SparseMask.Part {
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  fileprivate func clear<Scalar: RealScalar>(_ tensor: inout Tensor<Scalar>) {
    precondition(
      tensor.shape == isKept.shape, "\(name) has shape \(tensor.shape), but its mask shape \(isKept.shape)")
    isKept.withUnsafeBuffer { isKept in
      tensor.withUnsafeMutableBuffer { tensor in
        guard let mask = isKept.baseAddress, let to = tensor.baseAddress else { return }
        parallelRanges(tensor.count, grain: 1 << 15) { range in
          for i in range { to[i] = mask[i] ? to[i] : 0 }
        }
      }
    }
  }
}
