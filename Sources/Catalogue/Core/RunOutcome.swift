public import FileFormats
public import Tensors

/// What a run gives back: arrays to write, a summary to print, and what a report shows.
public struct RunOutcome: Sendable {
  /// The answer in a few lines.
  public var summary: [Fact]
  public var tables: [Table]
  public var plots: [Plot]
  /// Sentences a person should read: renormalised input, an iteration that did not converge.
  public var notes: [String]
  public var outputs: [OutputArray]

  public init(
    summary: [Fact] = [], tables: [Table] = [], plots: [Plot] = [], notes: [String] = [], outputs: [OutputArray] = []
  ) {
    self.summary = summary
    self.tables = tables
    self.plots = plots
    self.notes = notes
    self.outputs = outputs
  }

  /// The outcome as `apus run --json` prints it, without the arrays' elements.
  public func json(id: String, seconds: Double, writtenTo path: String?) -> JSONValue {
    let shapes = outputs.map { output in
      JSONValue.object([
        .init("name", .string(output.name)), .init("shape", .array(output.shape.map { .integer($0) })),
      ])
    }
    let named = zip(jsonNames(tables.map(\.title)), tables).map { JSONValue.Member($0, $1.json) }
    return [
      "id": .string(id),
      "seconds": .number(seconds),
      "summary": summary.json,
      "tables": .object(named),
      "notes": .array(notes.map { .string($0) }),
      "outputs": .array(shapes),
      "path": path.map { .string($0) } ?? .null,
    ]
  }
}

/// A computed array with the name it is written under.
public struct OutputArray: Sendable {
  public let name: String
  public let array: AnyTensor

  /// The array of an output that the card lists.
  public init<Scalar: StorableScalar>(_ output: MethodOutput, _ tensor: Tensor<Scalar>) {
    self.init(output.name, tensor)
  }

  /// An array whose name depends on the input, such as a factor of one matrix of a checkpoint.
  public init<Scalar: StorableScalar>(_ name: String, _ tensor: Tensor<Scalar>) {
    self.name = name
    self.array = AnyTensor(tensor)
  }

  public var shape: [Int] { array.shape }
}
