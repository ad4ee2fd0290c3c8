import Foundation
import Testing

/// What Tests/Reference/special_functions.py wrote: rows of arguments followed by the value.
struct Reference: Decodable {
  var digamma, trigamma, gamma, logGamma, signGamma, gammaP, gammaQ, beta: [[Double]]
  var erf, erfc, scaledErfc, inverseErf, inverseErfc, normalCDF, normalQuantile: [[Double]]
  /// Nodes with their weights, from the greatest node down (Legendre) or up (Hermite), by the number of nodes.
  var legendre, hermite: [String: [[Double]]]
  /// Some nodes of the rule of 200 with their weights, by index from the greatest node.
  var legendre200: [String: [Double]]

  static func load() throws -> Reference {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/special_functions.json")
    return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
  }
}

/// |value - wanted| / |wanted|, or the absolute error of a wanted zero.
func relativeError(_ value: Double, _ wanted: Double) -> Double {
  if value == wanted { return 0 }
  return (value - wanted).magnitude / (wanted == 0 ? 1 : wanted.magnitude)
}

/// Expects every row of a table within a relative error.
func expect(
  _ name: String, _ table: [[Double]], within tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation,
  _ function: ([Double]) -> Double
) {
  #expect(!table.isEmpty, sourceLocation: sourceLocation)
  for row in table {
    let value = function(row)
    let wanted = row[row.count - 1]
    let error = relativeError(value, wanted)
    #expect(
      error <= tolerance, "\(name)\(row.dropLast()) = \(value), wanted \(wanted), error \(error)",
      sourceLocation: sourceLocation)
  }
}
