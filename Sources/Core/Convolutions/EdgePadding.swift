// Padding with what is already there.

public import Tensors

/// What continues a signal beyond its edges.
public enum EdgePadding: Sendable, Hashable {
  /// The signal backwards, without repeating the edge: c b | a b c | b a.
  case reflecting
  /// The edge: a a | a b c | c c.
  case replicating
  /// The signal from its other end: b c | a b c | a b.
  case wrapping
}

extension Tensor where Scalar: RealScalar {
  /// This tensor with `widths[i].before` and `.after` more places along each of its last axes.
  ///
  /// Traps where an axis is too short: a reflection needs more places than it adds at either end, wrapping as many.
  public func padded(_ widths: [(before: Int, after: Int)], by padding: EdgePadding) -> Tensor {
    precondition(widths.count <= rank, "\(widths.count) widths of padding for shape \(shape)")
    let extents = shape[(rank - widths.count)...]
    var maps: [AxisMap<Scalar>] = []
    for (extent, width) in zip(extents, widths) {
      let longest = Swift.max(width.before, width.after)
      let limit =
        switch padding {
        case .reflecting: Swift.max(extent - 1, 0)
        case .replicating: extent > 0 ? Int.max : 0
        case .wrapping: extent
        }
      precondition(
        width.before >= 0 && width.after >= 0 && longest <= limit,
        "padding (\(width.before), \(width.after)) by \(padding) of an axis of extent \(extent) of shape \(shape)")
      maps.append(
        AxisMap(to: width.before + extent + width.after, from: extent) { o in
          let place = o - width.before
          switch padding {
          case .reflecting: return [(place < 0 ? -place : place < extent ? place : 2 * (extent - 1) - place, 1)]
          case .replicating: return [(Swift.min(Swift.max(place, 0), extent - 1), 1)]
          case .wrapping: return [((place + extent) % Swift.max(extent, 1), 1)]
          }
        })
    }
    return mapped(maps)
  }
}
