public import CatalogueCore
import Tensors

extension ModelCompression {
  /// Writes the model, in factors or multiplied out, in the type that most of the original's numbers have.
  ///
  /// - Throws: `InvalidArgument` when that is the original itself; `FileError`.
  public func save(to path: String, replacing original: String, isDense: Bool = false) throws {
    try model.save(
      to: path, replacing: original, isDense: isDense,
      metadata: ["apus.method": method, "apus.budget": "keeping \(ratio)"])
  }

  /// The figures that some layer has, in the order in which they were met.
  private var figureNames: [String] {
    var names: [String] = []
    for layer in layers { for figure in layer.figures where !names.contains(figure.name) { names.append(figure.name) } }
    return names
  }

  public var table: Table {
    let names = figureNames
    var table = Table(
      "Layers", columns: ["layer", "shape", "rank", "kept", "weight error", "output error"] + names,
      caption: "Output errors are relative, on the inputs that the original network gives the layer.")
    for layer in layers {
      var cells: [any DatumConvertible] = [
        layer.name, text(layer.shape), layer.rank, Double(layer.keptParameters) / Double(layer.originalParameters),
        layer.weightError, layer.outputError,
      ]
      for name in names { cells.append(layer.figures.first { $0.name == name }?.value) }
      table.add(cells)
    }
    return table
  }

  public var section: Report.Section {
    let places = layers.indices.map { Double($0 + 1) }
    return Report.Section(
      id: "compress-\(method)", title: "Compressed by \(method)",
      blocks: [
        .facts([
          Fact("Method", method), Fact("Layers worked on", layers.count),
          Fact("Numbers of these layers kept", keptFraction), Fact("Parameters of the model", model.parameterCount),
          Fact("Warnings", warnings.count), Fact("Seconds", (seconds * 100).rounded() / 100),
        ]),
        .plot(
          Plot(
            "Errors by layer", caption: "In the order of the network.", x: "layer", y: "relative error",
            [
              Series("weights", x: places, y: layers.map(\.weightError), .lineAndPoints),
              Series("outputs", x: places, y: layers.map { $0.outputError ?? .nan }, .lineAndPoints),
            ])),
        .table(table),
      ])
  }

  public var json: JSONValue {
    [
      "method": .string(method), "ratio": .number(ratio), "kept_fraction": .number(keptFraction),
      "parameters": .integer(model.parameterCount), "seconds": .number(seconds),
      "warnings": .array(warnings.map { .string($0) }),
      "layers": .array(
        layers.map { layer in
          .object(
            [
              .init("name", .string(layer.name)), .init("shape", .array(layer.shape.map { .integer($0) })),
              .init("rank", layer.rank.map { .integer($0) } ?? .null),
              .init("original_parameters", .integer(layer.originalParameters)),
              .init("kept_parameters", .integer(layer.keptParameters)),
              .init("weight_error", .number(layer.weightError)),
              .init("output_error", layer.outputError.map { .number($0) } ?? .null),
              .init("figures", .object(layer.figures.map { .init($0.name, .number($0.value)) })),
            ])
        }),
    ]
  }
}
