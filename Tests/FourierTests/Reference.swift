import Foundation

/// What Tests/Reference/fourier.py wrote.
struct Reference: Decodable {
  /// The transform of `pattern` of the same length.
  struct Spectrum: Decodable {
    var real, imaginary: [Double]
  }
  struct Trigonometric: Decodable {
    var type: Int
    var sine, orthonormal: Bool
    var input, output, inverse: [Double]
  }
  var complex: [Spectrum]
  var trigonometric: [Trigonometric]

  static func load() throws -> Reference {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/fourier.json")
    return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
  }
}
