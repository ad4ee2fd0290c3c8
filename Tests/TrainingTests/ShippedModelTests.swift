import Datasets
import FileFormats
import Foundation
import Networks
import Tensors
import Testing
import Training

/// The language models that come with Apus are what their records say.
@Suite struct ShippedModelTests {
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Data/Models")

  private func heldOut(_ name: String) -> TextCorpus {
    let corpus = name == "shakespeare-pairs" ? Datasets.shakespeare() : Datasets.shakespearePlays()
    return corpus.split(heldOut: 0.1).heldOut
  }

  @Test(arguments: ["shakespeare-characters", "shakespeare-pairs"]) func lossesAreAsRecorded(name: String) throws {
    let folder = Self.models.appendingPathComponent(name).path
    let path = "\(folder)/model.safetensors"
    #expect(try #require(FileManager.default.contents(atPath: path)).count <= 8_000_000)
    let model = try GPT<Float>(from: Checkpoint(path))
    let tokenizer = try readTokenizer(folder)
    #expect(tokenizer.vocabularyCount == model.configuration.vocabulary)
    let text = heldOut(name).text
    #expect(tokenizer.decode(try tokenizer.encode(String(text.prefix(2_000)))) == text.prefix(2_000))

    let record = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: "\(folder)/training.json")))
        as? [String: Any])
    #expect(record["parameters"] as? Int == model.parameterCount)
    // The 1,024 windows that were measured at the end, with the weights as they are stored.
    let windows = try TokenWindows(tokenizer.encode(text), length: model.configuration.contextLength)
    let loss = Evaluation.ofLanguageModel(on: windows, count: 1_024) { model($0) }.loss
    let recorded = try #require(record["validationLoss"] as? Double)
    #expect(abs(loss - recorded) < 1e-5, "\(loss), recorded \(recorded)")
  }
}
