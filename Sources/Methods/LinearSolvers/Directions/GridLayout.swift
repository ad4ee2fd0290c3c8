public import LinearAlgebra
public import Tensors

/// How the unknowns of a system lie on a grid: which cells they are, and which cells belong to the domain.
public struct GridLayout: Sendable, Equatable {
  /// Two or three extents, the last one of cells that follow each other.
  public let extents: [Int]
  /// Which cells belong to the domain, of shape `extents`; nil for all.
  public let mask: Tensor<Bool>?
  /// The cell of each unknown, where unknowns are the cells of the domain alone; nil where all cells are unknowns.
  public let cells: Tensor<Int>?

  public var cellCount: Int { extents.reduce(1, *) }
  public var unknownCount: Int { cells?.count ?? cellCount }

  /// - Parameters:
  ///   - unknowns: as many as the grid has cells, or as the domain has.
  ///   - mask: which cells belong to the domain, of shape `extents`.
  /// - Throws: `InvalidArgument` for extents below one, not two or three of them, a mask of another shape or without cells,
  ///   or another number of unknowns.
  public init(_ extents: [Int], mask: Tensor<Bool>? = nil, unknowns: Int? = nil) throws {
    guard (2...3).contains(extents.count), extents.allSatisfy({ $0 >= 1 }) else {
      throw InvalidArgument("extents", found: "\(extents)", wanted: "two or three positive numbers")
    }
    let count = extents.reduce(1, *)
    if let mask {
      guard mask.shape == extents else {
        throw InvalidArgument("mask", found: "shape \(mask.shape)", wanted: "shape \(extents)")
      }
      guard mask.any else { throw InvalidArgument("mask", found: "no cells", wanted: "at least one") }
    }
    (self.extents, self.mask) = (extents, mask)
    let unknowns = unknowns ?? count
    if unknowns == count {
      cells = nil
      return
    }
    let places = mask?.flattened.trueIndices
    guard let inside = places, inside.count == unknowns else {
      let wanted = places.map { "\(count), as the grid has cells, or \($0.count), as the mask has" }
      throw InvalidArgument(
        "matrix", found: "\(unknowns) unknowns", wanted: wanted ?? "\(count), as the grid has cells")
    }
    cells = inside
  }

  /// Recognizes a matrix that couples the cells of a two- or three-dimensional grid with their nearest neighbours, also with
  /// the diagonal ones, from the places of its entries; nil for any other.
  ///
  /// Rows without couplings, such as those of prescribed values, are outside the domain.
  /// - Complexity: O(entries).
  public init?<Scalar: LinearScalar>(recognizing matrix: SparseMatrix<Scalar>) {
    guard matrix.rows == matrix.columns else { return nil }
    let couplings = Couplings(matrix)
    guard let offsets = couplings.offsets, offsets.contains(1) else { return nil }
    let count = matrix.rows
    // Lines of fewer than three cells would make grids of banded matrices.
    for width in offsets.sorted() where width >= 3 && count % width == 0 {
      let planes = [count] + offsets.sorted().filter { $0 > width && $0 % width == 0 && count % $0 == 0 }
      for plane in planes {
        let extents = plane == count ? [count / width, width] : [count / plane, plane / width, width]
        guard extents.allSatisfy({ $0 >= 2 }), couplings.areNear(extents) else { continue }
        let inside = couplings.isCoupled
        let mask = inside.contains(false) ? Tensor(shape: extents, scalars: inside) : nil
        (self.extents, self.mask, cells) = (extents, mask, nil)
        return
      }
    }
    return nil
  }

  /// Values of the unknowns on the whole grid, zero in cells that are none, shape [cells].
  func spread(_ x: Tensor<Double>) -> Tensor<Double> {
    cells.map { Tensor<Double>.zeros([cellCount]).scatterAdded(x, at: $0) } ?? x
  }

  /// The values of the unknowns from those of all cells.
  func gathered(_ x: Tensor<Double>) -> Tensor<Double> { cells.map { x.gathered($0) } ?? x }
}

/// The entries beside the diagonal.
private struct Couplings {
  private let starts, indices: [Int32]
  /// Whether a row has any.
  private(set) var isCoupled: [Bool]
  /// The distances from the diagonal; nil for more than a grid with diagonal neighbours can have.
  private(set) var offsets: Set<Int>? = []

  init<Scalar: LinearScalar>(_ matrix: SparseMatrix<Scalar>) {
    let rows = matrix.pruned().stored(by: .rows)
    (starts, indices) = (rows.starts.scalars, rows.indices.scalars)
    isCoupled = [Bool](repeating: false, count: rows.rows)
    var found: Set<Int> = []
    var last = 0
    for i in 0..<rows.rows {
      for k in Int(starts[i])..<Int(starts[i + 1]) {
        let distance = abs(Int(indices[k]) - i)
        if distance == 0 { continue }
        isCoupled[i] = true
        if distance != last { found.insert(distance) }
        last = distance
      }
      if found.count > 13 {
        offsets = nil
        return
      }
    }
    offsets = found
  }

  /// Whether all couplings are between neighbours on a grid, and some along each axis.
  func areNear(_ extents: [Int]) -> Bool {
    let (width, height) = (extents[extents.count - 1], extents[extents.count - 2])
    var alongAxes = [false, false, false]
    for i in isCoupled.indices {
      let (x, y, z) = (i % width, i / width % height, i / (width * height))
      for k in Int(starts[i])..<Int(starts[i + 1]) {
        let j = Int(indices[k])
        let apart = [abs(j % width - x), abs(j / width % height - y), abs(j / (width * height) - z)]
        if apart.contains(where: { $0 > 1 }) { return false }
        if apart.reduce(0, +) == 1, let axis = apart.firstIndex(of: 1) { alongAxes[axis] = true }
      }
    }
    return alongAxes.prefix(extents.count).allSatisfy(\.self)
  }
}
