import Compression
import FileFormats
import Foundation
import Jobs
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct ModelCompressionTests {
  private let folder = TemporaryFolder()
  private let text = randomText(lines: 120)

  private func scores(_ model: TextModel) throws -> Tensor<Float> {
    guard case .decoder(let network) = model.network else { throw TestFailure("no decoder") }
    return network(Tensor(shape: [1, 12], scalars: (0..<12).map { 97 + $0 }))
  }

  @Test(arguments: NetworkMethods.ids) func everyMethodKeepsWhatItIsTold(method: String) throws {
    let path = folder.file("a.safetensors")
    let model = try randomDecoder(path)
    let job = ModelCompressionJob(method: method, ratio: 0.6)
    let statistics = try job.calibration.map { gathering in
      var gathering = gathering
      gathering.tokens = 1_024
      return try gathering.run(model, on: text, named: "text")
    }
    let result = try job.run(model, calibration: statistics, text: text, tokens: 1_024)
    #expect(result.keptFraction <= 0.6 + 1e-9 && result.keptFraction > 0.3, "\(result.keptFraction)")
    #expect(result.layers.count == 14 && result.layers.allSatisfy { $0.weightError.isFinite && $0.weightError > 0 })
    #expect(result.model.parameterCount < model.parameterCount)
    // It is the same model after it was stored, in factors and multiplied out.
    let (small, dense) = (folder.file("small.safetensors"), folder.file("dense.safetensors"))
    try result.save(to: small, replacing: path)
    try result.save(to: dense, replacing: path, isDense: true)
    let wanted = try scores(result.model)
    #expect(distance(try scores(TextModel(small)), wanted) < 1e-6)
    #expect(distance(try scores(TextModel(dense)), wanted) < 1e-5)
    #expect(try Set(Checkpoint(dense).entries.map(\.name)) == Set(Checkpoint(path).entries.map(\.name)))
    #expect(try Checkpoint(small).byteCount < Checkpoint(path).byteCount)
    #expect(throws: InvalidArgument.self) { try result.save(to: path, replacing: path) }
  }

  @Test func onlyTheLayersThatAreMeantChange() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    var job = ModelCompressionJob(method: "svd", ratio: 0.5, included: ["*mlp*"], excluded: ["*.1.*"])
    let result = try job.run(model)
    #expect(
      Set(result.layers.map(\.name))
        == Set(["gate", "up", "down"].map { "model.layers.0.mlp.\($0)_proj" }))
    let changed = zip(model.linearLayers, result.model.linearLayers).filter { $0.0.layer.weight != $0.1.layer.weight }
    #expect(changed.count == 3)
    job.included = ["*.attention.*"]
    #expect(throws: InvalidArgument.self) { try job.run(model) }
  }

  @Test(arguments: [0, 1, -0.5, Double.nan, 2]) func ratiosThatMeanNothingAreRefused(ratio: Double) throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    #expect(throws: InvalidArgument.self) { try ModelCompressionJob(method: "svd", ratio: ratio).run(model) }
  }

  /// Codes on disk are the model that was rounded, with a repair and without.
  @Test(arguments: WeightFormats.names) func quantizedCheckpointsRun(format: String) throws {
    let path = folder.file("a.safetensors")
    let model = try randomDecoder(path)
    let statistics = try CalibrationJob(tokens: 1_024).run(model, on: text, named: "text")
    let plain = CheckpointQuantizationJob(format: format)
    let repaired = CheckpointQuantizationJob(format: format, repair: QERA(rank: 3))
    let outputs = ["plain", "repaired", "dense"].map { folder.file("\($0).safetensors") }
    let rounded = try plain.run(FactoredCheckpoint(path), to: outputs[0], calibration: statistics)
    let corrected = try repaired.run(FactoredCheckpoint(path), to: outputs[1], calibration: statistics)
    var dense = plain
    dense.isDense = true
    _ = try dense.run(FactoredCheckpoint(path), to: outputs[2])
    #expect(rounded.rows.count == 14 && rounded.bitsPerWeight < 33.0 / 2 && rounded.bytesAfter < rounded.bytesBefore)
    for (before, after) in zip(rounded.rows, corrected.rows) {
      #expect(try #require(after.outputError) < #require(before.outputError), "\(before.name)")
      #expect(after.uncorrectedOutputError == before.outputError)
    }
    #expect(distance(try scores(TextModel(outputs[0])), try scores(TextModel(outputs[2]))) < 1e-6)
    let evaluator = ModelEvaluator(tokens: 256)
    let errors = try outputs.prefix(2).map { try evaluator.evaluate(TextModel($0), against: model, on: text) }
    #expect(try errors.allSatisfy { try #require($0.damage).isFinite })
    // A part that is not there, and statistics that are not there.
    #expect(throws: InvalidArgument.self) { try repaired.run(FactoredCheckpoint(path), to: folder.file("x")) }
    #expect(throws: InvalidArgument.self) { try plain.run(FactoredCheckpoint(path), to: path) }
  }

  @Test func theFrontierIsOne() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    var job = FrontierJob()
    job.ratios = [0.4, 0.8]
    job.formats = ["int8", "nf4"]
    job.repairRank = 4
    job.tokens = 1_024
    job.evaluator = ModelEvaluator(tokens: 256)
    job.tolerance = 10
    let frontier = try job.run(model, calibration: text, heldOut: randomText(lines: 60, seed: 4), named: "text")
    #expect(frontier.points.count + frontier.failures.count == 2 * NetworkMethods.ids.count + 3)
    #expect(frontier.reference.damage == 0)
    let efficient = frontier.efficient
    for (larger, smaller) in zip(efficient, efficient.dropFirst()) {
      #expect(larger.size > smaller.size && larger.damage < smaller.damage)
    }
    // Everything is tolerated: the smallest is advised.
    #expect(frontier.recommendation?.size == frontier.points.map(\.size).min())
    #expect(frontier.advice.contains("Take"))
    #expect(frontier.plots.count == 4 && frontier.table.rows.count == frontier.points.count)
  }
}
