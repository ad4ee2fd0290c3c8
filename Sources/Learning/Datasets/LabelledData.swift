// Examples with what is known of them: a class, or numbers.

public import Tensors

/// Examples that can be chosen from by their numbers.
public protocol Examples: Sendable {
  var count: Int { get }
  /// The examples at these positions, in this order; one may occur several times.
  func taken(_ positions: Tensor<Int>) -> Self
  /// The groups whose shares a split keeps: the classes, or all zero.
  var strata: Tensor<Int> { get }
}

/// Examples, each of one class.
public struct LabelledData<Scalar: RealScalar>: Examples {
  /// Shape [count, features], or [count, channels, height, width].
  public var features: Tensor<Scalar>
  /// Shape [count]; the position of each example's class in `classNames`.
  public var labels: Tensor<Int>
  public var classNames: [String]
  /// One for each column of `features`, or none.
  public var featureNames: [String]
  /// [channels, height, width], when the features of an example are the pixels of an image.
  public var imageShape: [Int]?

  /// Traps when the parts do not belong together.
  public init(
    features: Tensor<Scalar>, labels: Tensor<Int>, classNames: [String], featureNames: [String] = [],
    imageShape: [Int]? = nil
  ) {
    precondition(
      features.rank >= 1 && labels.shape == [features.shape[0]],
      "features of shape \(features.shape) need as many labels, not \(labels.shape)")
    precondition(
      labels.isEmpty || (labels.minimum().scalar >= 0 && labels.maximum().scalar < classNames.count),
      "a label is the number of one of \(classNames.count) classes")
    self.features = features
    self.labels = labels
    self.classNames = classNames
    self.featureNames = featureNames
    self.imageShape = imageShape
  }

  public var count: Int { labels.count }
  public var classes: Int { classNames.count }
  public var strata: Tensor<Int> { labels }

  /// Whether the features are pixels.
  public var isImages: Bool { imageShape != nil || features.rank == 4 }

  /// The features as images, shape [count, channels, height, width]. Traps when they are not pixels.
  public var images: Tensor<Scalar> {
    if features.rank == 4 { return features }
    guard let imageShape else { preconditionFailure("features of shape \(features.shape) are not images") }
    return features.reshaped([count] + imageShape)
  }

  public func taken(_ positions: Tensor<Int>) -> LabelledData {
    var result = self
    result.features = features.gathered(positions)
    result.labels = labels.gathered(positions)
    return result
  }

  /// The same examples with other features.
  public func with(features: Tensor<Scalar>) -> LabelledData {
    precondition(features.shape.first == count, "features of shape \(features.shape) for \(count) examples")
    var result = self
    result.features = features
    return result
  }
}

/// Examples with numbers to be predicted.
public struct RegressionData<Scalar: RealScalar>: Examples {
  /// Shape [count, features].
  public var features: Tensor<Scalar>
  /// Shape [count, outputs].
  public var targets: Tensor<Scalar>
  public var featureNames: [String]
  public var targetNames: [String]

  /// Traps when the parts do not belong together.
  public init(
    features: Tensor<Scalar>, targets: Tensor<Scalar>, featureNames: [String] = [], targetNames: [String] = []
  ) {
    precondition(
      features.rank >= 1 && targets.rank == 2 && targets.rows == features.shape[0],
      "features of shape \(features.shape) need targets of shape [\(features.shape.first ?? 0), outputs], not \(targets.shape)"
    )
    self.features = features
    self.targets = targets
    self.featureNames = featureNames
    self.targetNames = targetNames
  }

  public var count: Int { targets.rows }
  public var strata: Tensor<Int> { .zeros([count]) }

  public func taken(_ positions: Tensor<Int>) -> RegressionData {
    var result = self
    result.features = features.gathered(positions)
    result.targets = targets.gathered(positions)
    return result
  }
}
