// Tensors as a person reads them.

extension Tensor: CustomStringConvertible {
  /// The numbers in aligned columns, long axes cut short in the middle, and then the shape and scalar type.
  public var description: String {
    if rank == 0 { return "\(scalar.formatted(digits: 8))  Tensor<\(Scalar.name)>" }
    let edge = count > 1_000 ? 3 : Int.max
    let cells = visibleElements(edge: edge).map { $0.formatted(digits: 6) }
    let width = cells.map(\.count).max() ?? 0
    var next = cells.makeIterator()
    let body = Tensor.text(shape[...], edge: edge, indent: 1) {
      let cell = next.next() ?? ""
      return String(repeating: " ", count: width - cell.count) + cell
    }
    return "\(body)  Tensor<\(Scalar.name)>\(shape)"
  }

  /// Positions along an axis that are printed: all, or the first and last few.
  private static func visible(_ extent: Int, edge: Int) -> [Int] {
    extent > 2 * min(edge, extent) ? Array(0..<edge) + Array(extent - edge..<extent) : Array(0..<extent)
  }

  private func visibleElements(edge: Int) -> [Scalar] {
    guard rank > 0 else { return [scalar] }
    return Tensor.visible(shape[0], edge: edge).flatMap { slice(axis: 0, at: $0).visibleElements(edge: edge) }
  }

  private static func text(_ shape: ArraySlice<Int>, edge: Int, indent: Int, _ cell: () -> String) -> String {
    guard let extent = shape.first else { return cell() }
    let isLast = shape.count == 1
    let positions = visible(extent, edge: edge)
    var parts = positions.map { _ in text(shape.dropFirst(), edge: edge, indent: indent + 1, cell) }
    if positions.count < extent { parts.insert("...", at: edge) }
    let breaks = String(repeating: "\n", count: shape.count - 1) + String(repeating: " ", count: indent)
    return "[" + parts.joined(separator: isLast ? ", " : "," + breaks) + "]"
  }
}
