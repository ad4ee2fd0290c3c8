import Datasets
import FileFormats
import Foundation
import Jobs
import Networks
import Tensors
import TestSupport
import Testing
import Training

@Suite struct EvaluationTests {
  private let folder = TemporaryFolder()
  private let text = randomText(lines: 80)

  @Test func aDecoderBesideItselfLosesNothing() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let result = try ModelEvaluator(tokens: 512).evaluate(model, against: model, on: text)
    guard case .decoder(let quality) = result.quality else { throw TestFailure("no decoder") }
    let comparison = try #require(quality.comparison)
    #expect(quality.tokens == 512 && quality.loss == comparison.originalLoss)
    #expect(comparison.agreement == 1 && abs(comparison.divergence) < 1e-6 && result.damage == 0)
    // The loss is that of the text's first windows.
    guard case .decoder(let network) = model.network else { return }
    let windows = try TokenWindows(text.utf8.map(Int.init), length: 16)
    let wanted = Evaluation.ofLanguageModel(on: windows, count: 32) { network($0) }.loss
    #expect(abs(quality.loss - wanted) < 1e-6)
    #expect(abs(quality.bitsPerByte - quality.loss / Double.log(2)) < 1e-12)
    #expect(abs(quality.perplexity - Double.exp(quality.loss)) < 1e-9)
  }

  @Test func anotherDecoderIsFarther() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let other = try randomDecoder(folder.file("b.safetensors"), seed: 2)
    let result = try ModelEvaluator(tokens: 256).evaluate(other, against: model, on: text)
    guard case .decoder(let quality) = result.quality else { throw TestFailure("no decoder") }
    #expect(try #require(quality.comparison).divergence > 1e-6)
    #expect(result.section.blocks.count == 2)
  }

  /// Measured once, an original serves any number of models, and each is measured as it is alone beside it.
  @Test func aReferenceServesMany() throws {
    let (first, second) = (folder.file("a.safetensors"), folder.file("b.safetensors"))
    let decoders = [try randomDecoder(first), try randomDecoder(second, seed: 2)]
    let encoders = try [UInt64(1), 2].map { try randomEncoder(folder.file("encoder\($0)"), seed: $0) }
    let evaluator = ModelEvaluator(tokens: 512, sentences: 60)
    for models in [decoders, encoders] {
      let reference = try evaluator.reference(of: models[0], on: text)
      #expect(abs(try #require(reference.evaluation.damage)) < 1e-12)
      for model in models {
        let alone = try evaluator.evaluate(model, against: models[0], on: text)
        let beside = try evaluator.evaluate(model, against: reference)
        #expect(alone.damage == beside.damage && alone.original == beside.original)
        #expect(beside.originalBytes == reference.evaluation.bytes && beside.tokensPerSecond > 0)
        if case .decoder(let a) = alone.quality, case .decoder(let b) = beside.quality {
          #expect(a.comparison?.divergence == b.comparison?.divergence && a.windowLosses == b.windowLosses)
          #expect(abs(a.windowLosses.reduce(0, +) / Double(a.windowLosses.count) - a.loss) < 1e-12)
        }
        if case .encoder(let a) = alone.quality, case .encoder(let b) = beside.quality {
          #expect(a.retrievalOverlap == b.retrievalOverlap && a.cosines == b.cosines && a.cosines.count == 60)
        }
      }
    }
    let reference = try evaluator.reference(of: decoders[0], on: text)
    #expect(throws: InvalidArgument.self) { try evaluator.evaluate(encoders[0], against: reference) }
  }

  @Test func anEncoderBesideItselfLosesNothing() throws {
    let model = try randomEncoder(folder.file("encoder"))
    let result = try ModelEvaluator(sentences: 60).evaluate(model, against: model, on: text)
    guard case .encoder(let quality) = result.quality else { throw TestFailure("no encoder") }
    #expect(quality.sentences == 60 && abs(quality.meanCosine - 1) < 1e-6 && abs(quality.lowCosine - 1) < 1e-6)
    #expect(quality.retrievalOverlap == 1 && quality.probeAccuracy == quality.originalProbeAccuracy)
  }

  @Test func aProbeSeesLabels() throws {
    let model = try randomEncoder(folder.file("encoder"))
    var random = RandomStream(seed: 5)
    let lines = (0..<200).map { i in
      let letters = Array(i % 2 == 0 ? "abcdefgh" : "stuvwxyz")
      let words = (0..<5).map { _ in String(random.integers([4], in: 0..<8).scalars.map { letters[$0] }) }
      return "\(i % 2 == 0 ? "early" : "late")\t\(words.joined(separator: " "))"
    }
    let result = try ModelEvaluator(sentences: 200).evaluate(model, on: lines.joined(separator: "\n"))
    guard case .encoder(let quality) = result.quality else { throw TestFailure("no encoder") }
    #expect(quality.probeAccuracy > 0.9 && quality.probeMeaning.contains("2 labels"))
  }

  @Test func whatDoesNotFitIsSaid() throws {
    let decoder = try randomDecoder(folder.file("a.safetensors"))
    let encoder = try randomEncoder(folder.file("encoder"))
    let evaluator = ModelEvaluator()
    #expect(throws: InvalidArgument.self) { try evaluator.evaluate(decoder, against: encoder, on: text) }
    #expect(throws: InvalidArgument.self) { try evaluator.evaluate(encoder, on: "one line only") }
    #expect(throws: InvalidArgument.self) { try evaluator.evaluate(decoder, on: "") }
    #expect(throws: InvalidArgument.self) { try ModelEvaluator(tokens: 0).evaluate(decoder, on: text) }
    let plain = folder.file("plain.safetensors")
    try writeSafetensors([("x", AnyTensor(Tensor<Float>([1, 2])))], to: plain)
    #expect(throws: FileError.self) { try TextModel(plain) }
  }
}

struct TestFailure: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}
