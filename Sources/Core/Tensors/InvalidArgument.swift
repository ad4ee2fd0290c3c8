/// A person's data or setting that cannot be used: which one, what was found, and what is wanted.
///
/// Public entry points throw it before they compute anything. A mistake inside a program (an index out of range, shapes
/// that do not fit) traps instead, as it does in Swift's own collections.
public struct InvalidArgument: Error, Sendable, Hashable, CustomStringConvertible {
  /// The argument as the caller knows it: a parameter's label, a file, or the name of a tensor in a file.
  public var name: String
  /// What it is: "shape [3, 4]", "NaN at [0, 2]".
  public var found: String
  /// What would be right: "a square matrix", "finite numbers".
  public var wanted: String

  public init(_ name: String, found: String, wanted: String) {
    self.name = name
    self.found = found
    self.wanted = wanted
  }

  public var description: String { "\(name): found \(found), wanted \(wanted)" }
}

extension Tensor where Scalar: RealScalar {
  /// Throws unless every element is finite; the error gives the position of the first that is not.
  public func requireFinite(_ name: String) throws {
    guard !isFinite else { return }
    let position = withUnsafeBuffer { $0.firstIndex { !$0.isFinite } } ?? 0
    var index: [Int] = []
    var rest = position
    for extent in shape.reversed() {
      index.insert(rest % extent, at: 0)
      rest /= extent
    }
    throw InvalidArgument(name, found: "\(scalars[position]) at \(index)", wanted: "finite numbers")
  }

  /// Throws unless this is a matrix with at least one element, all finite.
  public func requireMatrix(_ name: String) throws {
    guard rank == 2, count > 0 else {
      throw InvalidArgument(name, found: "shape \(shape)", wanted: "a matrix with at least one row and column")
    }
    try requireFinite(name)
  }
}
