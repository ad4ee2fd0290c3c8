import LinearAlgebra
public import Tensors

/// How the weights that stay make up for those that are removed.
public enum RemovalCompensation: Sendable, Hashable {
  /// Not at all.
  case none
  /// As if each weight were removed by itself.
  case simultaneous
  /// The best answer to all that are removed: needs a system of their number.
  case exact
}

/// What removing some weights does to a vector of them.
public struct WeightRemoval<Scalar: RealScalar>: Sendable {
  /// The weights afterwards, of shape [d]; zero where they were removed.
  public var weights: Tensor<Scalar>
  /// The places of those removed, the cheapest first.
  public var removed: [Int]
  /// s_k = w_k² / (2 [F⁻¹]_kk), of shape [d]: what removing weight k alone costs.
  public var scores: Tensor<Scalar>
  /// ½ δᵀ F δ for the change δ of all weights: by how much the quadratic model says that the loss grows.
  public var predictedIncrease: Double
}

extension InverseFisher {
  /// Removes the `count` weights that cost least by the rule of the optimal brain surgeon, together.
  ///
  /// With x_k = -w_k / [F⁻¹]_kk on those removed, the others move by F⁻¹ x; that is the exact answer for one weight.
  /// - Parameters:
  ///   - weights: w, of shape [d].
  ///   - mayRemove: of shape [d]; nil where every weight may go.
  /// - Throws: `InvalidArgument` for other shapes, numbers that are not finite, more weights than may go, and an exact
  ///   compensation of more than 4,096.
  /// - Complexity: that of ``diagonal()``; with exact compensation also k² m + k³ operations for k weights.
  /// - Source: Frantar, Kurtic and Alistarh, NeurIPS 2021, section 3.1.
  public func remove(
    _ count: Int, from weights: Tensor<Scalar>, where mayRemove: Tensor<Bool>? = nil,
    compensation: RemovalCompensation = .simultaneous
  ) throws -> WeightRemoval<Scalar> {
    for (name, shape) in [("weights", weights.shape), ("mayRemove", mayRemove?.shape ?? [dimension])]
    where shape != [dimension] {
      throw InvalidArgument(name, found: "shape \(shape)", wanted: "shape [\(dimension)]")
    }
    try weights.requireFinite("weights")
    let own = mayRemove?.trueIndices ?? Tensor<Int>(0..<dimension)
    guard 0...own.count ~= count else {
      throw InvalidArgument("count", found: "\(count)", wanted: "0 to \(own.count), the weights that may go")
    }
    let diagonal = diagonal()
    let scores = weights * weights / (diagonal * 2)
    let removed = own.gathered(scores.gathered(own).argsort()[0..<count])
    let places = removed.scalars
    var moved = weights.dense
    if count > 0 {
      var pull = Tensor<Scalar>.zeros([dimension])
      let gone = weights.gathered(removed)
      switch compensation {
      case .none: break
      case .simultaneous: pull.set(-(gone / diagonal.gathered(removed)), at: places)
      case .exact: pull.set(try jointPull(places, gone), at: places)
      }
      if compensation != .none { moved += product(pull) }
      moved.set(.zeros([count]), at: places)
    }
    return WeightRemoval(
      weights: moved, removed: places, scores: scores, predictedIncrease: quadraticForm(moved - weights) / 2)
  }

  /// -([F⁻¹] on the removed weights)⁻¹ w.
  private func jointPull(_ places: [Int], _ weights: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let most = 4_096
    guard places.count <= most else {
      throw InvalidArgument(
        "compensation", found: "\(places.count) weights to remove at once", wanted: "at most \(most) for exact")
    }
    let system = try CholeskyDecomposition(of: submatrix(places).symmetrized)
    return Tensor(-(try system.solve(Tensor<Double>(weights))))
  }
}

extension Tensor where Scalar: RealScalar {
  /// Writes numbers at places of this vector.
  mutating func set(_ values: Tensor, at places: [Int]) {
    withUnsafeMutableBuffer { target in
      values.withUnsafeBuffer { values in
        for (i, place) in places.enumerated() { target[place] = values[i] }
      }
    }
  }
}
