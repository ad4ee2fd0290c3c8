import CatalogueCore
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

  /// Below what rank one takes, nothing is done, whether a method plans over all layers or not.
  @Test(arguments: NetworkMethods.ids) func ratiosThatNoRankReachesAreRefused(method: String) throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let gathering = CalibrationJob(tokens: 512, includesFisher: true)
    let statistics = try gathering.run(model, on: text, named: "text")
    let job = ModelCompressionJob(method: method, ratio: 0.01)
    do {
      _ = try job.run(model, calibration: statistics, text: text, tokens: 512)
      Issue.record("kept a hundredth")
    } catch let error as InvalidArgument {
      #expect(error.wanted.contains("at least 0."), "\(error)")
    }
    var frontier = FrontierJob()
    (frontier.methods, frontier.ratios, frontier.formats, frontier.tokens) = ([method], [0.01], [], 512)
    #expect(throws: UsageError.self) { try frontier.run(model, calibration: text, heldOut: text, named: "text") }
  }

  /// Fewer tokens than inputs: it works, regularised, and says how many would do.
  @Test(arguments: ["whitened-svd", "saes-svd", "cospadi"]) func fewTokensAreReported(method: String) throws {
    let path = folder.file("a.safetensors")
    let model = try randomDecoder(path)
    let statistics = try CalibrationJob(tokens: 16).run(model, on: text, named: "text")
    let job = ModelCompressionJob(method: method, ratio: 0.6)
    let result = try job.run(model, calibration: statistics, text: text, tokens: 16)
    #expect(result.layers.allSatisfy { $0.warnings.contains { $0.contains("take at least") } })
    #expect(result.layers.allSatisfy { layer in layer.outputError.map { $0.isFinite } ?? false })
    let repaired = try CheckpointQuantizationJob(format: "nf4", repair: QERA(rank: 3)).run(
      FactoredCheckpoint(path), to: folder.file("nf4"), calibration: statistics)
    #expect(repaired.warnings.count == 1 && repaired.rows.allSatisfy { $0.weightError.isFinite })
  }

  /// A tensor that is not finite is named, by everything that reads a model.
  @Test func brokenWeightsAreNamed() throws {
    let path = folder.file("a.safetensors")
    let model = try randomDecoder(path)
    guard case .decoder(var network) = model.network else { throw TestFailure("no decoder") }
    let name = "model.layers.1.mlp.up_proj"
    network.forEachLinear { if $0 == name { $1.weight[at: 2, 3] = .nan } }
    let broken = folder.file("broken.safetensors")
    try network.save(to: broken, metadata: network.configuration.metadata)
    do {
      _ = try TextModel(broken)
      Issue.record("read a model of numbers that are none")
    } catch let error as InvalidArgument {
      #expect(error.name == "\(name).weight" && error.found.contains("[2, 3]"), "\(error)")
    }
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
    // The bits that are counted are those of the file.
    for (output, rows) in [(outputs[0], rounded.rows), (outputs[1], corrected.rows)] {
      let checkpoint = try Checkpoint(output)
      for row in rows {
        let stored = checkpoint.entries.filter { $0.name.hasPrefix("\(row.name).") }.reduce(0) { $0 + $1.byteCount }
        let counted = row.bitsPerWeight * Double(row.shape.reduce(1, *)) / 8
        #expect(abs(Double(stored) / counted - 1) < 0.02, "\(row.name): \(stored) bytes for \(counted)")
      }
    }
    // A part that is not there, and statistics that are not there.
    #expect(throws: InvalidArgument.self) { try repaired.run(FactoredCheckpoint(path), to: folder.file("x")) }
    #expect(throws: InvalidArgument.self) { try plain.run(FactoredCheckpoint(path), to: path) }
  }

  /// LoftQ looks at weights alone, and comes nearer to them than rounding does.
  @Test func weightsAreRepairedWithoutStatistics() throws {
    let path = folder.file("a.safetensors")
    _ = try randomDecoder(path)
    let output = folder.file("loftq.safetensors")
    let repaired = try CheckpointQuantizationJob(format: "nf4", repair: .loftQ(rank: 4)).run(
      FactoredCheckpoint(path), to: output)
    let plain = try CheckpointQuantizationJob(format: "nf4").run(FactoredCheckpoint(path), to: folder.file("plain"))
    for (before, after) in zip(plain.rows, repaired.rows) {
      #expect(after.weightError < before.weightError && after.outputError == nil, "\(before.name)")
    }
    #expect(try Checkpoint(output).metadata["apus.method"] == "nf4 + loftq")
    #expect(repaired.repair == "loftq, rank 4")
  }

  /// A model that was read has the size of its file, however its matrices are stored.
  @Test func sizesAreThoseOfTheFiles() throws {
    let path = folder.file("a.safetensors")
    let model = try randomDecoder(path)
    let statistics = try CalibrationJob(tokens: 1_024).run(model, on: text, named: "text")
    var files = [path]
    for method in ["svd", "concat-svd", "cospadi"] {
      let result = try ModelCompressionJob(method: method, ratio: 0.6).run(model, calibration: statistics)
      files.append(folder.file("\(method).safetensors"))
      try result.save(to: files[files.count - 1], replacing: path)
      // What is made of a model has the size of the file that it is going to be.
      #expect(
        abs(result.model.sizeInBits / 8 - Double(try Checkpoint(files[files.count - 1]).byteCount)) < 1, "\(method)")
    }
    for repair in [nil, QERA(rank: 3)] {
      files.append(folder.file("nf4-\(repair?.rank ?? 0).safetensors"))
      _ = try CheckpointQuantizationJob(format: "nf4", repair: repair).run(
        FactoredCheckpoint(path), to: files[files.count - 1], calibration: statistics)
    }
    for file in files {
      let read = try TextModel(file)
      let bytes = Double(try Checkpoint(file).byteCount)
      #expect(abs(read.sizeInBits / 8 - bytes) < 1, "\(file)")
      #expect(try ModelEvaluator(tokens: 64).evaluate(read, on: text).bytes == read.sizeInBits / 8)
    }
  }

  /// Rounded weights are read, and nothing is made of them.
  @Test func roundedWeightsAreNoBeginning() throws {
    let path = folder.file("a.safetensors")
    let model = try randomDecoder(path)
    let (codes, dense) = (folder.file("nf4.safetensors"), folder.file("dense.safetensors"))
    _ = try CheckpointQuantizationJob(format: "nf4").run(FactoredCheckpoint(path), to: codes)
    _ = try CheckpointQuantizationJob(format: "nf4", isDense: true).run(FactoredCheckpoint(path), to: dense)
    let rounded = try TextModel(codes)
    #expect(rounded.isQuantized && !model.isQuantized)
    #expect(throws: FileError.self) { try ModelCompressionJob(method: "svd", ratio: 0.5).run(rounded) }
    #expect(throws: FileError.self) { try ModelPruningJob(method: "magnitude", sparsity: 0.5).run(rounded) }
    #expect(throws: FileError.self) {
      try FrontierJob().run(rounded, calibration: text, heldOut: text, named: "text")
    }
    #expect(try CalibrationJob(tokens: 64).run(rounded, on: text, named: "text").record.isComplete)
    // Codes compare as the numbers that they stand for, as factors do.
    let same = try CheckpointComparer(tolerance: 1e-6).compare(FactoredCheckpoint(codes), FactoredCheckpoint(dense))
    #expect(same.agrees && same.rows.contains { $0.types == "nf4 / F32" })
    let other = try CheckpointComparer().compare(FactoredCheckpoint(path), FactoredCheckpoint(codes))
    #expect(other.rows.count == same.rows.count && !other.agrees)
    #expect(try #require(other.worst?.relativeError) < 0.2)
  }

  /// What the ratio of sparse dictionaries counts is what the file takes.
  @Test func codesTakeTheBytesThatAreCounted() throws {
    var random = RandomStream(seed: 4)
    let configuration = GPTConfiguration(
      vocabulary: 256, width: 96, layers: 1, heads: 2, hidden: 160, contextLength: 16)
    let path = folder.file("a.safetensors")
    try GPT<Float>(configuration, random: &random).save(to: path, as: .float16, metadata: configuration.metadata)
    let model = try TextModel(path)
    let statistics = try CalibrationJob(tokens: 512).run(model, on: text, named: "text")
    let result = try ModelCompressionJob(method: "cospadi", ratio: 0.5).run(model, calibration: statistics)
    let small = folder.file("small.safetensors")
    try result.save(to: small, replacing: path)
    let checkpoint = try Checkpoint(small)
    for layer in result.layers {
      let kept = try #require(layer.figures.first { $0.name == "kept" }).value
      let counted = kept * 2 * Double(layer.originalParameters)
      let stored = checkpoint.entries.filter { $0.name.hasPrefix("\(layer.name).weight.") }
        .reduce(0) { $0 + $1.byteCount }
      #expect(abs(Double(stored) / counted - 1) < 0.05, "\(layer.name): \(stored) bytes for \(counted)")
    }
  }

  @Test func theFrontierIsOne() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    var job = FrontierJob()
    job.ratios = [0.8, 0.4]
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
    #expect(frontier.plots.suffix(2).allSatisfy { $0.title.hasSuffix("at 0.4") }, "the least ratio, wherever it stands")
    // What is compared is what was measured, and a verdict other than that it holds has a reason.
    let checks = frontier.ordering
    #expect(checks.count == 5 * 2 + 1)
    for check in checks {
      let points = [check.better, check.worse].map { method in
        frontier.points.first { $0.method == method && $0.setting == check.setting }
      }
      #expect(points[0]?.damage == check.betterDamage && points[1]?.damage == check.worseDamage)
      let difference = check.betterDamage - check.worseDamage
      switch check.verdict {
      case .holds: #expect(difference < -2 * check.standardError && check.reason.isEmpty)
      case .level: #expect(abs(difference) <= 2 * check.standardError && !check.reason.isEmpty)
      case .fails: #expect(difference > 2 * check.standardError && !check.reason.isEmpty)
      }
    }
    let tables = frontier.section.blocks.compactMap { if case .table(let table) = $0 { table.title } else { nil } }
    #expect(tables.contains("The order that the papers claim") && tables.contains("Ranks and output errors at 0.4"))
  }
}
