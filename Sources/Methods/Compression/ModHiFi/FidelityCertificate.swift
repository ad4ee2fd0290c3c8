// How far errors inside of a network can reach its output.

import Convolutions
public import LinearAlgebra
public import Networks
public import Tensors

/// A bound on the change of a network's output, from the errors that its modified layers make.
///
/// With e_l(x) the error of layer l on the input that the modified network gives it, and L_k Lipschitz constants of the
/// original layers behind it: ‖f(x) - f̂(x)‖ <= Σ_l (Π_{k > l} L_k) e_l(x), for every x by itself.
public struct FidelityCertificate<Scalar: LinearScalar>: Sendable {
  /// L_k of each layer of the row: of dense layers the spectral norm, of convolutions a bound on it, of pooling and
  /// functions between them one.
  public let lipschitzConstants: [Double]
  private let original: Sequential<Scalar>
  private let modified: Sequential<Scalar>

  /// What is known of one input.
  public struct Bound: Sendable, Hashable {
    /// ‖f(x) - f̂(x)‖.
    public var error: Double
    /// What it cannot exceed.
    public var bound: Double
  }

  /// - Parameters:
  ///   - modified: layers of the same shapes, such as `PrunedNetwork.masked`.
  ///   - example: an input of one example, for the sizes of images.
  /// - Throws: `InvalidArgument` for networks of different layers and layers without a known constant.
  public init(original: Sequential<Scalar>, modified: Sequential<Scalar>, example: Tensor<Scalar>) throws {
    guard original.layers.count == modified.layers.count,
      original.parameters.tensors.map(\.shape) == modified.parameters.tensors.map(\.shape)
    else {
      throw InvalidArgument("modified", found: "other layers than the original's", wanted: "layers of the same shapes")
    }
    self.original = original
    self.modified = modified
    let outputs = original.intermediates(example)
    lipschitzConstants = try original.layers.indices.map { i in
      try original.lipschitzConstant(at: i, input: i > 0 ? outputs[i - 1] : example)
    }
  }

  /// Error and bound of every input, of shape [examples, ...].
  public func bounds(of inputs: Tensor<Scalar>) -> [Bound] {
    var x = inputs
    var bounds = [Double](repeating: 0, count: inputs.shape[0])
    for i in original.layers.indices {
      let y = modified.layers[i](x, in: .inference)
      // Layers without parameters are the same on both sides.
      if original.layers[i] is Linear<Scalar> || original.layers[i] is Convolution<Scalar> {
        let behind = lipschitzConstants[(i + 1)...].reduce(1, *)
        for (k, error) in Self.norms(original.layers[i](x, in: .inference) - y).enumerated() {
          bounds[k] += behind * error
        }
      }
      x = y
    }
    return zip(Self.norms(original(inputs) - x), bounds).map { Bound(error: $0, bound: $1) }
  }

  /// Norms over all but the first axis, in double precision.
  private static func norms(_ x: Tensor<Scalar>) -> [Double] {
    Tensor<Double>(x.reshaped([x.shape[0], -1])).sumOfSquares(axes: [1]).sqrt().scalars
  }
}

/// The largest ‖f(x) - f(x')‖ / ‖x - x'‖ over neighbouring inputs: from below, what a Lipschitz constant is on this data.
public func localLipschitzEstimate<Scalar: LinearScalar>(
  of function: (Tensor<Scalar>) -> Tensor<Scalar>, at inputs: Tensor<Scalar>
) -> Double {
  func differences(_ x: Tensor<Scalar>) -> [Double] {
    let rows = Tensor<Double>(x.reshaped([x.shape[0], -1]))
    return (rows[1...] - rows[0..<(rows.rows - 1)]).sumOfSquares(axes: [1]).sqrt().scalars
  }
  precondition(inputs.rank >= 2 && inputs.shape[0] >= 2, "inputs of shape \(inputs.shape) have no pairs")
  return zip(differences(function(inputs)), differences(inputs)).map { $1 > 0 ? $0 / $1 : 0 }.max() ?? 0
}

extension Sequential where Scalar: LinearScalar {
  /// A Lipschitz constant of the layer at a position, in the Euclidean norm.
  ///
  /// Functions between layers are taken to be of slope one at most, as rectification and tanh are.
  func lipschitzConstant(at i: Int, input: Tensor<Scalar>) throws -> Double {
    switch layers[i] {
    case let layer as Linear<Scalar>: return Double(try layer.weight.spectralNorm())
    case let layer as Convolution<Scalar>:
      return try convolutionNormBound(layer.weight, extents: Array(input.shape[2...]))
    case let layer as BatchNorm<Scalar>:
      let scale = (layer.weight ?? .ones(layer.runningVariance.shape)).absolute()
      return Double((scale / (layer.runningVariance + Scalar(layer.epsilon)).sqrt()).maximum().scalar)
    case let layer as MaximumPooling<Scalar>:
      // A number that lies in several windows can come out of each.
      return overlap(layer.window, layer.stride).squareRoot()
    case let layer as AveragePooling<Scalar>: return overlap(layer.window, layer.stride).squareRoot()
    case is Mapping<Scalar>, is Flatten<Scalar>, is Dropout<Scalar>, is AdaptiveAveragePooling<Scalar>: return 1
    default: throw InvalidArgument("layer \(i)", found: "\(type(of: layers[i]))", wanted: "one with a known constant")
    }
  }

  private func overlap(_ window: [Int], _ stride: [Int]) -> Double {
    let axes = 2
    return (0..<axes).reduce(1) { product, axis in
      let (w, s) = (window[min(axis, window.count - 1)], stride[min(axis, stride.count - 1)])
      return product * Double((w + s - 1) / s)
    }
  }
}

/// A bound on the spectral norm of a two-dimensional convolution on images of the given extents.
///
/// With zeros around it, a convolution is part of the one that wraps around on images larger by the kernel; that one is
/// block-diagonal in the Fourier basis. Strides leave out rows, which lowers the norm only.
/// - Complexity: for each frequency an eigenproblem of the smaller number of channels.
/// - Source: Sedghi, Gupta and Long, "The singular values of convolutional layers", ICLR 2019.
public func convolutionNormBound<Scalar: LinearScalar>(_ filters: Tensor<Scalar>, extents: [Int]) throws -> Double {
  try filters.requireFinite("filters")
  guard filters.rank == 4, extents.count == 2 else {
    throw InvalidArgument("filters", found: "shape \(filters.shape)", wanted: "[outputs, channels, height, width]")
  }
  let shape = filters.shape
  let (height, width) = (extents[0] + shape[2] - 1, extents[1] + shape[3] - 1)
  let taps = Tensor<Double>(filters).reshaped([shape[0] * shape[1], shape[2] * shape[3]])
  // Frequencies and their negatives have the same norm.
  let frequencies = (0...(height / 2)).flatMap { u in (0..<width).map { (u, $0) } }
  let angles = Tensor<Double>(
    frequencies.map { u, v in
      (0..<(shape[2] * shape[3])).map { tap in
        let phase = Double(u * (tap / shape[3])) / Double(height) + Double(v * (tap % shape[3])) / Double(width)
        return 2 * Double.pi * phase
      }
    })
  let real = taps.matmul(angles.cos(), transposingB: true)
  let imaginary = taps.matmul(angles.sin(), transposingB: true)
  let norms = try parallelMap(frequencies.count) { k -> Double in
    let a = real[.all, k].reshaped([shape[0], shape[1]])
    let b = imaginary[.all, k].reshaped([shape[0], shape[1]])
    let block = Tensor.concatenated([.concatenated([a, -b], axis: 1), .concatenated([b, a], axis: 1)])
    let gram = block.multipliedByOwnTranspose(transposing: shape[0] > shape[1])
    return max(0, try gram.symmetricEigenvalues().scalars.last ?? 0).squareRoot()
  }
  return norms.max() ?? 0
}
