import CatalogueCore
import Datasets
import FileFormats
import Foundation
import Networks
import Tensors

/// What one must know of a trained model beside its weights; with the settings it is `config.json`.
struct TrainDetails: Codable {
  var model: String
  var classNames: [String]
  /// [channels, height, width] of images.
  var imageShape: [Int]?
  /// Of a perceptron, from the input to the output.
  var widths: [Int]?
  /// What features were shifted and scaled by, if they were: for each its own, of images for each channel.
  var featureMean: [Float]?
  var featureDeviation: [Float]?
  var targetMean: [Float]?
  var targetDeviation: [Float]?
  /// The shape of a language model.
  var decoder: GPTConfiguration?

  init(model: String, classNames: [String], imageShape: [Int]? = nil) {
    self.model = model
    self.classNames = classNames
    self.imageShape = imageShape
  }

  mutating func note(features scale: Standardization<Float>?) {
    (featureMean, featureDeviation) = (scale?.mean.scalars, scale?.deviation.scalars)
  }

  mutating func note(targets scale: Standardization<Float>) {
    (targetMean, targetDeviation) = (scale.mean.scalars, scale.deviation.scalars)
  }
}

/// The file `config.json` of a run.
struct TrainConfiguration: Codable {
  var version: String
  var settings: TrainSettings
  var details: TrainDetails?

  static func path(in folder: String) -> String { "\(folder)/config.json" }

  func write(to folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var file = try AtomicFile(Self.path(in: folder))
    try file.write(String(decoding: try encoder.encode(self), as: UTF8.self) + "\n")
    try file.commit()
  }

  static func read(from folder: String) throws -> TrainConfiguration {
    let path = path(in: folder)
    guard let data = FileManager.default.contents(atPath: path) else {
      throw UsageError(
        "\(path): there is no such file, so \(folder) is no run to resume; leave --resume out to begin one")
    }
    do {
      return try JSONDecoder().decode(TrainConfiguration.self, from: data)
    } catch {
      throw UsageError("\(path): this is not the configuration of a run of `apus train`, so it cannot be resumed")
    }
  }
}
