public import Tensors

/// The keys and values of all positions that an attention layer has seen, for generation one token at a time.
public struct KeyValueCache<Scalar: RealScalar>: Sendable {
  /// How many positions there are.
  public private(set) var count = 0
  /// Shape [batch, capacity, heads, width].
  private var keys: Tensor<Scalar>?
  private var values: Tensor<Scalar>?

  public init() {}

  /// Appends positions of shape [batch, positions, heads, width] and returns all there are now.
  ///
  /// - Complexity: O(new positions) on average for one batch.
  public mutating func append(
    keys newKeys: Tensor<Scalar>, values newValues: Tensor<Scalar>
  ) -> (keys: Tensor<Scalar>, values: Tensor<Scalar>) {
    let end = count + newKeys.shape[1]
    Self.write(newKeys.withoutDerivative, to: &keys, at: count..<end)
    Self.write(newValues.withoutDerivative, to: &values, at: count..<end)
    count = end
    return (keys?[.all, 0..<end] ?? newKeys, values?[.all, 0..<end] ?? newValues)
  }

  private static func write(_ rows: Tensor<Scalar>, to kept: inout Tensor<Scalar>?, at range: Range<Int>) {
    if kept?.shape[1] ?? 0 < range.upperBound {
      var shape = rows.shape
      shape[1] = max(64, 2 * range.upperBound)
      var grown = Tensor<Scalar>.zeros(shape)
      if let kept, range.lowerBound > 0 { grown[.all, 0..<range.lowerBound] = kept[.all, 0..<range.lowerBound] }
      kept = grown
    }
    kept?[.all, range] = rows
  }
}
