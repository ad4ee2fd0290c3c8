import ArgumentParser
import CatalogueCore
import FileFormats
import Tensors

/// How a command takes rows that go by once.
struct RowStreamOptions: ParsableArguments {
  enum Numbers: String, ExpressibleByArgument, CaseIterable {
    case f32, f64

    var type: StoredType { self == .f32 ? .float32 : .float64 }
  }

  @Option(
    help: ArgumentHelp(
      "Rows without a header, of so many numbers each; without it, a .npy array is expected.", valueName: "d"))
  var columns: Int?

  @Option(help: ArgumentHelp("Of rows without a header: f32 or f64, little-endian.", valueName: "type"))
  var type = Numbers.f64

  @Option(help: ArgumentHelp("Rows that are read at a time.", valueName: "rows"))
  var chunk = 4_096

  func validate() throws {
    guard chunk >= 1 else { throw UsageError("--chunk \(chunk) must be at least 1") }
    if let columns, columns < 1 { throw UsageError("--columns \(columns) must be at least 1") }
  }

  /// Opens a path, or standard input for "-".
  func open(_ path: String) throws -> RowStream {
    let stream = try RowStream(path, layout: columns.map { .raw(columns: $0, type: type.type) } ?? .numPy)
    guard stream.rowShape.count == 1, stream.expectedRows != 0 else {
      let shape = [stream.expectedRows ?? 0] + stream.rowShape
      throw FileError(.unsuitable, stream.path, "an array of shape \(shape), where rows of numbers were expected")
    }
    return stream
  }

  /// Hands all rows to `body`, some at a time.
  func forEachPiece(
    of stream: consuming RowStream, _ progress: WorkProgress, _ body: (Tensor<Double>) throws -> Void
  ) throws {
    var stream = stream
    while let rows = try stream.next(atMost: chunk, as: Double.self) {
      try body(rows)
      // Where nobody knows the length, the line counts.
      let label = stream.expectedRows == nil ? "\(stream.position) rows" : "rows"
      try progress.report(stream.position, of: stream.expectedRows ?? 0, label)
    }
  }
}
