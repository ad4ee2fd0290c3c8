// Labelled data from two arrays of a person's own.

public import Tensors

extension LabelledData {
  /// Examples from arrays; the classes are the numbers from zero to the largest label.
  ///
  /// - Parameters: features, shape [examples, ...], all finite; labels, shape [examples].
  /// - Throws: `InvalidArgument` for no examples, features that are not finite, labels that do not fit, are negative or
  ///   not smaller than the number of examples, or fewer than two classes; it names the place.
  public init(fromFeatures features: Tensor<Scalar>, labels: Tensor<Int>) throws {
    guard features.rank >= 2, features.count > 0 else {
      throw InvalidArgument("features", found: "shape \(features.shape)", wanted: "shape [examples, ...], not empty")
    }
    try features.requireFinite("features")
    guard labels.shape == [features.shape[0]] else {
      throw InvalidArgument("labels", found: "shape \(labels.shape)", wanted: "shape [\(features.shape[0])]")
    }
    let numbers = labels.scalars
    if let place = numbers.firstIndex(where: { $0 < 0 || $0 >= numbers.count }) {
      throw InvalidArgument(
        "labels", found: "\(numbers[place]) at [\(place)]",
        wanted: "classes numbered from 0, below \(numbers.count), the number of examples")
    }
    let classes = (numbers.max() ?? 0) + 1
    guard classes >= 2 else {
      throw InvalidArgument("labels", found: "0 everywhere", wanted: "at least two classes")
    }
    self.init(features: features, labels: labels, classNames: (0..<classes).map { "\($0)" })
  }
}
