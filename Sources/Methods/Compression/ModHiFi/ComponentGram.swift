public import Convolutions
public import LinearAlgebra
public import Tensors

/// How the parts of a layer's output that single input components contribute go together.
///
/// A layer y = W x is the sum of its components' contributions, y = Σ_c y_c: a column of W times its input for a dense
/// layer, a block of columns for a head of attention or a flattened channel, the slice of the filters over a channel for
/// a convolution. Their inner products over the inputs, G_cd = E⟨y_c, y_d⟩, come from the second moments of the inputs
/// alone: G = (WᵀW) ⊙ E[x xᵀ], summed over blocks, without a single y_c.
///
/// ```swift
/// var moments = InputMoments<Float>(components: 256, width: 1)
/// moments.add(x)
/// let gram = try ComponentGram(weight: w, moments: moments)
/// ```
/// - Source: Kashyap et al., NeurIPS 2025, arXiv 2511.19566.
public struct ComponentGram: Sendable {
  /// G, of shape [C, C], symmetric.
  public let matrix: Tensor<Double>
  /// b_c = E⟨y_c, y⟩ = Σ_d G_cd, of shape [C].
  public let shares: Tensor<Double>
  /// E‖y‖² = Σ_cd G_cd.
  public let total: Double

  /// - Throws: `InvalidArgument` unless `matrix` is square, symmetric, finite, and its sum positive.
  public init(_ matrix: Tensor<Double>) throws {
    try matrix.requireMatrix("gram")
    guard matrix.rows == matrix.columns else {
      throw InvalidArgument("gram", found: "shape \(matrix.shape)", wanted: "a square matrix")
    }
    self.matrix = matrix.symmetrized.dense
    shares = self.matrix.sum(axis: 1)
    total = shares.sum().scalar
    guard total > 0 else {
      throw InvalidArgument("gram", found: "a layer whose output is zero on all inputs", wanted: "some output")
    }
  }

  /// The Gram matrix of a layer's contributions.
  ///
  /// - Parameters:
  ///   - weight: W, of shape [outputs, C · width], or filters [outputs, C, taps...].
  ///   - isCentred: whether contributions are taken without their means; those then belong to the bias.
  /// - Throws: `InvalidArgument` for other shapes, no inputs, and a layer whose output is zero.
  /// - Complexity: O((C · width)² outputs) time.
  public init<Scalar: LinearScalar>(
    weight: Tensor<Scalar>, moments: InputMoments<Scalar>, isCentred: Bool = false
  ) throws {
    let flat = weight.reshaped([weight.shape[0], -1])
    try flat.requireMatrix("weight")
    guard flat.columns == moments.dimension else {
      throw InvalidArgument(
        "weight", found: "shape \(weight.shape)", wanted: "\(moments.dimension) inputs, as the moments have")
    }
    guard moments.exampleCount > 0 else { throw InvalidArgument("moments", found: "no inputs", wanted: "at least one") }
    let products = gramMatrix(flat, transposing: true) * moments.secondMoment(isCentred: isCentred)
    let (count, width) = (moments.components, moments.width)
    try self.init(products.reshaped([count, width, count, width]).sum(axes: [1, 3]))
  }

  /// The Gram matrix of groups that are kept or removed in several layers together, as residual paths need.
  ///
  /// - Throws: `InvalidArgument` for layers of different numbers of components.
  public init(sumOf grams: [ComponentGram]) throws {
    guard let first = grams.first, grams.allSatisfy({ $0.count == first.count }) else {
      throw InvalidArgument(
        "grams", found: "groups of \(grams.map(\.count)) components", wanted: "layers of equal width")
    }
    try self.init(grams.dropFirst().reduce(first.matrix) { $0 + $1.matrix })
  }

  /// C.
  public var count: Int { matrix.rows }

  /// F({c}) = b_c² / (G_cc E‖y‖²): how much of the output a component explains by itself.
  public var singletonFidelities: [Double] {
    zip(shares.scalars, matrix.diagonal.scalars).map { share, own in
      own <= leastEnergy ? 0 : share * share / (own * total)
    }
  }

  /// Components of less energy contribute nothing.
  var leastEnergy: Double { 1e-12 * total }
}

/// The second moments of a layer's inputs, accumulated in double precision over batches.
public struct InputMoments<Scalar: LinearScalar>: Sendable {
  /// C.
  public let components: Int
  /// Inputs that make up a component: one for a dense layer, the width of a head, the taps of a filter.
  public let width: Int
  /// Examples so far.
  public private(set) var exampleCount = 0
  private var placeCount = 0
  private var products: Tensor<Double>
  private var sums: Tensor<Double>
  private let windows: Windows?
  /// In place of `products` and `sums`, for windows of stride one.
  private var correlations: WindowCorrelations?

  private struct Windows: Sendable {
    let kernel: [Int]
    let options: ConvolutionOptions
  }

  /// Inputs of a dense layer on its last axis, a component being `width` neighbours.
  public init(components: Int, width: Int = 1) { self.init(components: components, width: width, windows: nil) }

  /// Inputs of a convolution, a component being a channel.
  ///
  /// - Throws: `InvalidArgument` for filters in groups, whose outputs are no sum over all channels, or padding that
  ///   differs in front and behind.
  public init(convolutionOf filters: [Int], _ options: ConvolutionOptions) throws {
    guard options.groups == 1, options.paddingBehind == nil || options.paddingBehind == options.padding,
      filters.count >= 3
    else {
      throw InvalidArgument(
        "layer", found: "filters of shape \(filters) in \(options.groups) groups",
        wanted: "filters over all channels, padded evenly")
    }
    let kernel = Array(filters[2...])
    self.init(
      components: filters[1], width: kernel.reduce(1, *), windows: Windows(kernel: kernel, options: options))
    let isPlain = (options.stride + options.dilation).allSatisfy { $0 == 1 }
    if isPlain, kernel.count == 2, width > 1 {
      let padding = options.padding.count == 1 ? [options.padding[0], options.padding[0]] : options.padding
      correlations = WindowCorrelations(channels: components, kernel: kernel, padding: padding)
      (products, sums) = (.zeros([0, 0]), .zeros([0]))
    }
  }

  private init(components: Int, width: Int, windows: Windows?) {
    precondition(components > 0 && width > 0, "\(components) components of \(width) inputs")
    self.components = components
    self.width = width
    self.windows = windows
    products = .zeros([components * width, components * width])
    sums = .zeros([components * width])
  }

  /// C · width.
  public var dimension: Int { components * width }

  /// Takes a batch of inputs: [examples, ..., inputs], or [examples, channels, extents...] for a convolution.
  ///
  /// - Throws: `InvalidArgument` for another shape or numbers that are not finite.
  /// - Complexity: O(places · dimension²) time; for two-dimensional filters of stride one O(places · components²).
  public mutating func add(_ inputs: Tensor<Scalar>) throws {
    let isImage = windows != nil
    guard inputs.rank >= 2, inputs.shape[isImage ? 1 : inputs.rank - 1] == (isImage ? components : dimension),
      !isImage || inputs.rank == 2 + (windows?.kernel.count ?? 0)
    else {
      throw InvalidArgument(
        "inputs", found: "shape \(inputs.shape)",
        wanted: isImage ? "[examples, \(components), extents...]" : "[examples, ..., \(dimension)]")
    }
    try inputs.requireFinite("inputs")
    guard inputs.count > 0 else { return }
    if try addCorrelations(of: inputs) { return }
    // About as many places at a time as a place has numbers: windows of images take many times their room.
    let places = rows(of: inputs[0..<1]).rows
    let batch = max(1, max(dimension, 1_024) / places)
    let starts = Array(stride(from: 0, to: inputs.shape[0], by: batch))
    // Small products side by side, a few at a time; large ones take all threads by themselves.
    let together = dimension <= 1_024 ? 8 : 1
    for first in stride(from: 0, to: starts.count, by: together) {
      let parts = try parallelMap(min(together, starts.count - first)) { [self] i in
        let start = starts[first + i]
        let rows = rows(of: inputs[start..<min(start + batch, inputs.shape[0])])
        return (gramMatrix(rows, transposing: true), Tensor<Double>(rows).sum(axis: 0))
      }
      for (product, sum) in parts {
        products += product
        sums += sum
      }
    }
    placeCount += places * inputs.shape[0]
    exampleCount += inputs.shape[0]
  }

  /// Whether these are images whose windows need not be written out.
  private mutating func addCorrelations(of images: Tensor<Scalar>) throws -> Bool {
    guard var own = correlations else { return false }
    let extents = Array(images.shape[2...])
    let outputs = own.outputs(of: extents)
    guard outputs.allSatisfy({ $0 > 0 }) else {
      throw InvalidArgument(
        "inputs", found: "images of \(extents)", wanted: "at least as large as the filters without their padding")
    }
    correlations = nil
    // About 128 MB of spectra at a time.
    let batch = max(1, (1 << 23) / (components * extents.reduce(1, *)))
    for start in stride(from: 0, to: images.shape[0], by: batch) {
      own.add(Tensor<Double>(images[start..<min(start + batch, images.shape[0])]))
    }
    correlations = own
    placeCount += outputs.reduce(1, *) * images.shape[0]
    exampleCount += images.shape[0]
    return true
  }

  /// What is multiplied with the weight's columns, one place of the output a row.
  private func rows(of inputs: Tensor<Scalar>) -> Tensor<Scalar> {
    guard let windows else { return inputs.reshaped([-1, dimension]) }
    let columns = inputs.unfolded(
      window: windows.kernel, stride: windows.options.stride, padding: windows.options.padding,
      dilation: windows.options.dilation)
    return columns.permuted([0, 2, 1]).reshaped([-1, dimension])
  }

  /// E Σ x xᵀ over the places of an example, of shape [dimension, dimension]; around the mean input when centred.
  public func secondMoment(isCentred: Bool = false) -> Tensor<Double> {
    let products = correlations?.secondMoment ?? products
    guard isCentred else { return products / Double(exampleCount) }
    return (products - (correlations?.sum ?? sums).outer(mean)) / Double(exampleCount)
  }

  /// The mean input over all examples and places, of shape [dimension].
  public var mean: Tensor<Double> { (correlations?.sum ?? sums) / Double(max(placeCount, 1)) }
}
