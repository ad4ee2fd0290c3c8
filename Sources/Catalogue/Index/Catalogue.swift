public import CatalogueCore
import CompressionCatalogue
import DataSelectionCatalogue
import DiagnosticsCatalogue
import ImagingCatalogue
import LinearSolversCatalogue
import RecoveryCatalogue
import SketchingCatalogue
import SpecialFunctionsCatalogue

/// All methods: those that work, and those that are planned.
public enum Catalogue {
  /// One line of the catalogue.
  public struct Entry: Sendable {
    public let id: String
    public let module: String
    /// The paper's title.
    public let title: String
    /// The method, if it is built.
    public let method: (any CataloguedMethod)?

    /// "works" or "planned".
    public var status: String { method == nil ? "planned" : "works" }

    public var json: JSONValue {
      ["id": .string(id), "module": .string(module), "title": .string(title), "status": .string(status)]
    }
  }

  /// The methods that work, module by module.
  public static let methods: [any CataloguedMethod] =
    diagnosticsMethods + compressionMethods + dataSelectionMethods + sketchingMethods + recoveryMethods
    + imagingMethods + linearSolversMethods + specialFunctionsMethods

  /// Every method of the catalogue, by module and id.
  public static let entries: [Entry] = {
    let built = Dictionary(methods.map { ($0.card.id, $0) }, uniquingKeysWith: { first, _ in first })
    return plannedMethods.split(separator: "\n").map { line in
      let fields = line.split(separator: " | ").map(String.init)
      return Entry(id: fields[0], module: fields[1], title: fields[2], method: built[fields[0]])
    }
  }()

  /// The entry with an id.
  ///
  /// - Throws: `UsageError` that suggests the nearest id.
  public static func entry(_ id: String) throws -> Entry {
    if let entry = entries.first(where: { $0.id == id }) { return entry }
    throw UsageError(noSuch: "method '\(id)'", id, among: entries.map(\.id), listedBy: "apus methods")
  }

  /// The method with an id.
  ///
  /// - Throws: `UsageError` when there is no such method, or when it is planned and not built yet.
  public static func method(_ id: String) throws -> any CataloguedMethod {
    let entry = try entry(id)
    guard let method = entry.method else {
      throw UsageError("'\(id)' (\(entry.title)) is planned and not built yet; `apus methods` lists those that work")
    }
    return method
  }
}
