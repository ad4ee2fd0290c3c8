// Resampling of images to other extents: interpolation axis by axis.

public import Tensors

/// How values between places are found.
public enum Interpolation: Sendable, Hashable {
  /// The place at or before.
  case nearest
  /// Between the two neighbours, in proportion.
  case linear
  /// Through the four neighbours, by Keys's convolution kernel with the parameter -0.75.
  ///
  /// Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981.
  case cubic
}

extension Tensor where Scalar: RealScalar {
  /// A batch of shape [batch, channels, extent...] with its 1 to 3 spatial axes resampled to other extents.
  ///
  /// - Parameter aligningCorners: whether the first and last places of both grids coincide; otherwise their outer edges
  ///   do, half a place further out. The nearest place never aligns corners.
  public func resampled(
    to extents: some PerAxis, by interpolation: Interpolation = .linear, aligningCorners: Bool = false
  ) -> Tensor {
    let (input, output) = adaptiveExtents(shape, to: extents.perAxis, name: "resampling")
    return mapped(
      zip(input, output).map { input, output in
        interpolation.map(from: input, to: output, spacing: Double(input) / Double(output), aligningCorners)
      })
  }

  /// A batch resampled to `scale` times its extents, rounded down.
  public func resampled(
    scale: Double, by interpolation: Interpolation = .linear, aligningCorners: Bool = false
  ) -> Tensor {
    precondition(scale > 0 && scale.isFinite, "resampling: a scale is positive, but \(scale) was given")
    let input = spatialExtents(shape, "resampling")
    let output = input.map { Int(Double($0) * scale) }
    _ = adaptiveExtents(shape, to: output, name: "resampling")
    return mapped(
      zip(input, output).map { interpolation.map(from: $0, to: $1, spacing: 1 / scale, aligningCorners) })
  }
}

extension Interpolation {
  /// The map along one axis; `spacing` is the distance between two results, in places of the input.
  fileprivate func map<Scalar: RealScalar>(
    from input: Int, to output: Int, spacing: Double, _ aligningCorners: Bool
  ) -> AxisMap<Scalar> {
    func clamped(_ place: Int) -> Int { min(max(place, 0), input - 1) }
    /// Where result o lies among the places of the input.
    func position(_ o: Int) -> Double {
      if aligningCorners { return output > 1 ? Double(o) * Double(input - 1) / Double(output - 1) : 0 }
      return (Double(o) + 0.5) * spacing - 0.5
    }
    switch self {
    case .nearest:
      return AxisMap(to: output, from: input) { o in [(clamped(Int(Double(o) * spacing)), 1)] }
    case .linear:
      return AxisMap(to: output, from: input) { o in
        let position = max(position(o), 0)
        let first = clamped(Int(position))
        let fraction = position - Double(first)
        let next = clamped(first + 1)
        if next == first || fraction == 0 { return [(first, 1)] }
        return [(first, 1 - fraction), (next, fraction)]
      }
    case .cubic:
      return AxisMap(to: output, from: input) { o in
        let position = position(o)
        let first = position.rounded(.down)
        let weights = Self.cubicWeights(position - first)
        // Neighbours beyond the edge are the edge.
        return weights.enumerated().map { (clamped(Int(first) - 1 + $0), $1) }
      }
    }
  }

  /// The weights of the four neighbours at -1, 0, 1 and 2 for a position `t` in [0, 1).
  private static func cubicWeights(_ t: Double) -> [Double] {
    let a = -0.75
    func near(_ x: Double) -> Double { ((a + 2) * x - (a + 3)) * x * x + 1 }
    func far(_ x: Double) -> Double { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return [far(t + 1), near(t), near(1 - t), far(2 - t)]
  }
}
