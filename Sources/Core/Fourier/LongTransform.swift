import Tensors

/// A transform of rows * columns elements as many short ones, for which lanes and caches are made.
///
/// The input is read as a matrix. Its columns are transformed, several side by side; then each element is turned by
/// exp(-2 pi i row column / (rows columns)); then the rows are transformed, and their results are columns of the result
/// (Bailey, FFTs in external or hierarchical memory, 1990).
final class LongTransform<Scalar: FourierScalar>: Sendable {
  let cost: Double
  private let rows: Int
  private let columns: Int
  private let overColumns: Passes<Scalar>
  private let overRows: Passes<Scalar>
  private let laneRoots: Table<Scalar>
  private let groupRoots: Table<Scalar>

  private static var lanes: Int { Scalar.fourier.kernels.lanes }
  private static func groups(_ count: Int) -> Int { (count + lanes - 1) / lanes }

  /// Nil if the length does not split, or has a prime factor that is too large.
  init?(length: Int) {
    guard let split = Self.bestSplit(length) else { return nil }
    (rows, columns, cost) = (split.rows, split.columns, split.cost)
    overColumns = Passes(length: rows, radices: Length.radices(rows) ?? [])
    overRows = Passes(length: columns, radices: Length.radices(columns) ?? [])
    var laneRoots: [Scalar] = []
    var groupRoots: [Scalar] = []
    for row in 0..<rows {
      let roots = (0..<Self.lanes).map { UnitRoot(-row * $0, of: length) }
      laneRoots += roots.map { Scalar($0.real) } + roots.map { Scalar($0.imaginary) }
    }
    for group in 0..<Self.groups(columns) {
      for row in 0..<rows {
        let root = UnitRoot(-row * group * Self.lanes, of: length)
        groupRoots.append(Scalar(root.real))
        groupRoots.append(Scalar(root.imaginary))
      }
    }
    self.laneRoots = Table(laneRoots)
    self.groupRoots = Table(groupRoots)
  }

  private static func bestSplit(_ length: Int) -> (rows: Int, columns: Int, cost: Double)? {
    var best: (rows: Int, columns: Int, cost: Double)?
    for small in 2...max(2, Int(Double(length).squareRoot())) where length % small == 0 {
      for (rows, columns) in [(small, length / small), (length / small, small)] where columns > 1 {
        guard let forRows = Length.radices(columns), let forColumns = Length.radices(rows) else { return nil }
        let columnCost = Passes<Scalar>.cost(length: rows, radices: forColumns, edges: 1)
        let rowCost = Passes<Scalar>.cost(length: columns, radices: forRows, edges: 1.4)
        let cost = Double(groups(columns)) * columnCost + Double(groups(rows)) * rowCost
        if cost < best?.cost ?? .infinity { best = (rows, columns, cost) }
      }
    }
    return best
  }

  /// The distance of rows of the intermediate matrix: full lanes, and no power of two, at which caches collide.
  private var stride: Int { (Self.groups(columns) + 1) * Self.lanes }
  private var laneScratch: Int { max(overColumns.scratchCount, overRows.scratchCount) }
  var scratchCount: Int { 2 * rows * stride + laneScratch }

  /// One transform, in place if wanted; `scratch` has `scratchCount` elements.
  func transform(
    _ x: PlanePointers<Scalar>, to y: PlanePointers<Scalar>, scale: Scalar, scratch: UnsafeMutablePointer<Scalar>
  ) {
    let kernels = Scalar.fourier.kernels
    let matrix = PlanePointers(scratch, count: rows * stride)
    let work = PlanePointers(scratch + 2 * rows * stride, count: 0)
    let isLarge = rows * columns >= 1 << 15
    func inParts(_ groups: Int, _ body: (Range<Int>, UnsafeMutablePointer<Scalar>) -> Void) {
      guard isLarge else { return body(0..<groups, work.re) }
      parallelParts(groups, work: 2 * rows * columns) { part in withScratch(laneScratch) { body(part, $0) } }
    }
    inParts(Self.groups(columns)) { part, scratch in
      kernels.columns(
        overColumns.kernel, laneRoots.pointer, groupRoots.pointer, columns, part.lowerBound, part.upperBound, x.re,
        x.im, matrix.re, matrix.im, stride, scratch)
    }
    inParts(Self.groups(rows)) { part, scratch in
      kernels.rows(
        overRows.kernel, rows, part.lowerBound, part.upperBound, matrix.re, matrix.im, stride, y.re, y.im, scale,
        scratch)
    }
  }
}
