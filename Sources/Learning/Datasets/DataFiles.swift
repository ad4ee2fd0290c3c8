// A person's own files as data.

import FileFormats
public import Tensors

/// Data from files, of the kind that they turn out to be.
public enum FileData: Sendable {
  case labelled(LabelledData<Float>)
  case regression(RegressionData<Float>)
  case text(TextCorpus)
}

/// What numbers that belong to examples are.
public enum LabelKind: String, Sendable, Codable, Hashable {
  /// Classes when they are whole numbers from zero on, fewer than there are examples; otherwise targets.
  case automatic
  /// Each number that occurs is a class, in ascending order.
  case classes
  /// Numbers to be predicted.
  case targets
}

extension FileData {
  /// Reads features and, from a second file or from the last column, what belongs to them.
  ///
  /// A file that ends in `.txt` is a text.
  ///
  /// - Parameters:
  ///   - features: `.npy`, `.csv` or `.tsv` of shape [count, ...]; or `.txt`.
  ///   - labels: shape [count] or [count, outputs]; the last column of `features` when there is no such file.
  ///   - kind: whether the numbers in the second file, or in the last column, are classes.
  /// - Throws: `FileError` for a file that cannot be read, `InvalidArgument` for contents that do not fit each other.
  public init(features: String, labels: String? = nil, taking kind: LabelKind = .automatic) throws {
    if features.lowercased().hasSuffix(".txt") {
      guard labels == nil else {
        throw InvalidArgument(labels ?? "", found: "labels of a text", wanted: "a text alone: it is its own target")
      }
      self = .text(try TextCorpus(contentsOf: features))
      return
    }
    var x = try readArray(features).asFloat()
    guard x.rank >= 2, x.count > 0 else {
      throw InvalidArgument(features, found: "shape \(x.shape)", wanted: "[examples, features], at least one of each")
    }
    var y: Tensor<Float>
    if let labels {
      y = try readArray(labels).asFloat()
      if y.rank == 2, y.columns == 1 { y = y.squeezed(axis: 1) }
      if y.rank == 2, y.rows == 1 { y = y.squeezed(axis: 0) }
    } else {
      guard x.rank == 2, x.columns >= 2 else {
        throw InvalidArgument(
          features, found: "shape \(x.shape)", wanted: "a table with the labels in its last column, or FEATURES,LABELS")
      }
      y = x.slice(axis: 1, at: x.columns - 1)
      x = x.slice(axis: 1, 0..<x.columns - 1).dense
    }
    try x.requireFinite(features)
    try y.requireFinite(labels ?? features)
    guard y.rank == 1 || y.rank == 2, y.shape[0] == x.shape[0] else {
      throw InvalidArgument(
        labels ?? features, found: "shape \(y.shape)", wanted: "\(x.shape[0]) rows, as many as the features have")
    }
    switch kind {
    case .classes:
      guard y.rank == 1 else {
        throw InvalidArgument(
          labels ?? features, found: "shape \(y.shape)", wanted: "one number for each example, to be its class")
      }
      self = .labelled(Self.classes(x, y))
    case .automatic where Self.isLabels(y): self = .labelled(Self.labelled(x, y))
    case .automatic, .targets: self = .regression(Self.regression(x, y))
    }
  }

  /// Whether all are whole numbers from zero on, not many more than there are examples.
  private static func isLabels(_ y: Tensor<Float>) -> Bool {
    y.rank == 1 && y.scalars.allSatisfy { $0 >= 0 && $0 < Float(max(2, y.count)) && $0 == $0.rounded() }
  }

  /// The numbers that occur as classes, called by themselves.
  private static func classes(_ x: Tensor<Float>, _ y: Tensor<Float>) -> LabelledData<Float> {
    let values = Set(y.scalars).sorted()
    let places = Dictionary(uniqueKeysWithValues: zip(values, values.indices))
    return LabelledData(
      features: x, labels: Tensor(y.scalars.map { places[$0] ?? 0 }),
      classNames: values.map { Int(exactly: $0).map(String.init) ?? "\($0)" },
      imageShape: x.rank == 4 ? Array(x.shape.dropFirst()) : nil)
  }

  private static func labelled(_ x: Tensor<Float>, _ y: Tensor<Float>) -> LabelledData<Float> {
    let labels = Tensor(y.scalars.map { Int($0) })
    return LabelledData(
      features: x, labels: labels, classNames: (0...labels.maximum().scalar).map(String.init),
      imageShape: x.rank == 4 ? Array(x.shape.dropFirst()) : nil)
  }

  private static func regression(_ x: Tensor<Float>, _ y: Tensor<Float>) -> RegressionData<Float> {
    RegressionData(features: x, targets: y.rank == 1 ? y.expanded(axis: 1) : y)
  }
}
