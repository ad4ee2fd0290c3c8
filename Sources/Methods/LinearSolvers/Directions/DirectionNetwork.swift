import Convolutions
public import LinearAlgebra
public import Networks
public import Tensors

/// A convolutional network from a residual on a grid to a search direction.
///
/// One level of pooling between residual blocks of rectified convolutions; it takes grids of any extents.
/// - Source: Kaneda et al., ICML 2023, the network for 64³ cells.
public struct DirectionNetwork<Scalar: LinearScalar>: Layer {
  public let dimensions: Int
  public let filters: Int
  public let pooling: Int
  var entry: Convolution<Scalar>
  var before: [Convolution<Scalar>]
  var trunk: [Convolution<Scalar>]
  var after: [Convolution<Scalar>]
  var exit: Convolution<Scalar>

  /// - Parameters:
  ///   - dimensions: 2 or 3.
  ///   - trunkBlocks: pairs of convolutions on the coarse grid.
  public init(
    dimensions: Int = 2, filters: Int = 16, pooling: Int = 2, trunkBlocks: Int = 3, random: inout RandomStream
  ) {
    precondition((1...3).contains(dimensions), "a grid of \(dimensions) dimensions")
    (self.dimensions, self.filters, self.pooling) = (dimensions, filters, pooling)
    let options = ConvolutionOptions(padding: 1)
    let kernel = [Int](repeating: 3, count: dimensions)
    func convolutions(_ count: Int) -> [Convolution<Scalar>] {
      (0..<count).map { _ in Convolution(filters, filters, kernel: kernel, options, random: &random) }
    }
    entry = Convolution(1, filters, kernel: kernel, options, random: &random)
    before = convolutions(4)
    trunk = convolutions(2 * trunkBlocks)
    after = convolutions(4)
    exit = Convolution(filters, 1, kernel: [Int](repeating: 1, count: dimensions), random: &random)
  }

  /// - Parameter x: shape [batch, 1, extents...].
  /// - Returns: the same shape; its scale means nothing.
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let extents = Array(x.shape.dropFirst(2))
    let padded = extents.map { ($0 + pooling - 1) / pooling * pooling }
    let widths = [(before: 0, after: 0), (0, 0)] + zip(extents, padded).map { (before: 0, after: $1 - $0) }
    let input = padded == extents ? x : x.padded(widths)
    var fine = before[0](entry(input)).relu()
    var side = before[1](fine).relu()
    fine = before[2](side).relu() + fine
    side = before[3](fine).relu()
    var coarse = side.averagePooled(window: pooling)
    for block in stride(from: 0, to: trunk.count, by: 2) {
      coarse = trunk[block + 1](trunk[block](coarse).relu()).relu() + coarse
    }
    var result = coarse.resampled(to: padded, by: .nearest) + side
    for block in stride(from: 0, to: after.count, by: 2) {
      result = after[block + 1](after[block](result).relu()).relu() + result
    }
    result = exit(result)
    guard padded != extents else { return result }
    for (axis, extent) in extents.enumerated() where padded[axis] > extent {
      result = result.split(sizes: [extent, padded[axis] - extent], axis: axis + 2)[0]
    }
    return result
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("entry", &entry)
    visitor.modules("before", &before)
    visitor.modules("trunk", &trunk)
    visitor.modules("after", &after)
    visitor.module("exit", &exit)
  }
}

extension DirectionNetwork {
  /// A network with the weights of a file, which tell its dimensions, filters and depth.
  ///
  /// - Parameter weights: named as in ``Module/stateDictionary``, or with `weights.` before, as `apus run` writes them.
  /// - Throws: `InvalidArgument` for weights that belong to no such network; `StateMismatch` for missing ones.
  public init(weights: [String: Tensor<Scalar>], pooling: Int = 2) throws {
    let named = Dictionary(
      weights.map { ($0.hasPrefix("weights.") ? String($0.dropFirst(8)) : $0, $1) },
      uniquingKeysWith: { first, _ in first })
    guard let entry = named["entry.weight"], (4...5).contains(entry.rank), entry.shape[1] == 1 else {
      throw InvalidArgument(
        "weights", found: named["entry.weight"].map { "entry.weight of shape \($0.shape)" } ?? "no entry.weight",
        wanted: "the weights of a direction network, as `apus run deep-conjugate-direction --train` writes them")
    }
    let trunk = named.keys.count { $0.hasPrefix("trunk.") && $0.hasSuffix(".weight") }
    var random = RandomStream(seed: 1)
    self.init(
      dimensions: entry.rank - 2, filters: entry.shape[0], pooling: pooling, trunkBlocks: trunk / 2, random: &random)
    try load(named, allowingUnexpected: true)
  }
}

/// A network's directions on one grid: in single precision, with residuals and directions masked.
public struct NetworkDirection: DirectionModel, Sendable {
  public let network: DirectionNetwork<Float>
  public let layout: GridLayout
  private let mask: Tensor<Double>?

  /// - Throws: `InvalidArgument` for a grid of other dimensions than the network's.
  public init(_ network: DirectionNetwork<Float>, on layout: GridLayout) throws {
    guard layout.extents.count == network.dimensions else {
      throw InvalidArgument(
        "network", found: "one for \(network.dimensions) dimensions",
        wanted: "one for \(layout.extents.count), as the grid has")
    }
    (self.network, self.layout) = (network, layout)
    mask = layout.mask.map { Tensor<Double>($0.flattened.scalars.map { $0 ? 1 : 0 }) }
  }

  public init(_ network: DirectionNetwork<Float>, on grid: GridPoisson<Double>) throws {
    let mask = grid.mask.map { ($0 .> 0).reshaped(grid.extents) }
    try self.init(network, on: GridLayout(grid.extents, mask: mask))
  }

  public func direction(for residual: Tensor<Double>) -> Tensor<Double> {
    let field = layout.spread(residual)
    let input = mask.map { field * $0 } ?? field
    let output = network(Tensor<Float>(input).reshaped([1, 1] + layout.extents))
    let direction = Tensor<Double>(output).reshaped([field.count])
    // Cells outside the domain are equations of their own, solved by their residual.
    return layout.gathered(mask.map { direction * $0 + field * (Tensor(1) - $0) } ?? direction)
  }
}

/// The mean over rows b of ‖b - α A f‖² with the α that minimizes the error's energy, α = f·b / fᵀ A f: zero where f is
/// parallel to A⁻¹ b, and the same for any multiple of f. It may exceed one.
///
/// - Parameters: directions, f, and rightSides, b, of shape [batch, cells].
public func directionLoss<Scalar: LinearScalar>(
  _ grid: GridPoisson<Scalar>, directions: Tensor<Scalar>, rightSides: Tensor<Scalar>
) -> Tensor<Scalar> {
  let images = grid.applied(toRows: directions)
  let alpha =
    (directions * rightSides).sum(axis: 1, keepingAxis: true)
    / (directions * images).sum(axis: 1, keepingAxis: true)
  let rest = rightSides - images * alpha
  return rest.sumOfSquares() / Scalar(rightSides.rows)
}
