import FileFormats
import Foundation
import Jobs
import Tensors
import TestSupport
import Testing

@Suite struct CalibrationTests {
  private let folder = TemporaryFolder()
  private let text = randomText(lines: 120)

  /// Two files with the same sums, to the last bit.
  private func same(_ a: String, _ b: String) throws -> Bool {
    let (a, b) = (try Checkpoint(a), try Checkpoint(b))
    return try a.entries.map(\.name) == b.entries.map(\.name)
      && a.entries.allSatisfy { entry in
        try a.tensor(named: entry.name, as: Double.self) == b.tensor(named: entry.name, as: Double.self)
      }
  }

  @Test func statisticsAreThoseOfTheInputs() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let file = try CalibrationJob(tokens: 1_024, includesFisher: true).run(
      model, on: text, named: "text", keptIn: folder.file("stats"))
    #expect(file.record.isComplete && file.calibration.fewestTokens == 1_024)
    let layer = "model.layers.1.mlp.down_proj"
    let moments = try #require(file.calibration[layer]?.activations)
    #expect(moments.gram.shape == [40, 40] && moments.gram.diagonal.minimum().scalar >= 0)
    // Layers of one input share one matrix.
    #expect(
      file.calibration["model.layers.0.self_attn.k_proj"]?.activations?.gram
        == file.calibration["model.layers.0.self_attn.q_proj"]?.activations?.gram)
    let fisher = try #require(file.calibration[layer]?.fisher)
    #expect(fisher.examples == 64 && fisher.squares.shape == [24, 40])
    let again = try CalibrationFile(contentsOf: folder.file("stats"))
    #expect(again.record == file.record && again.calibration[layer]?.activations?.gram == moments.gram)
  }

  /// Cancelled after every few batches, again and again.
  @Test func anInterruptedPassGoesOn() async throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let job = CalibrationJob(tokens: 4_096)
    let (whole, parts) = (folder.file("whole"), folder.file("parts"))
    _ = try job.run(model, on: text, named: "text", keptIn: whole)
    var stops = 0
    while stops < 50 {
      let task = Task {
        let reports = Counter()
        let progress = WorkProgress { _, _, _ in
          if reports.next() == 1 { withUnsafeCurrentTask { $0?.cancel() } }
        }
        _ = try job.run(model, on: text, named: "text", keptIn: parts, progress: progress)
      }
      do {
        try await task.value
        break
      } catch is CancellationError {
        stops += 1
      }
    }
    #expect(stops >= 1)
    #expect(try same(whole, parts))
  }

  @Test func statisticsOfSomethingElseAreRefused() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let other = try randomDecoder(folder.file("b.safetensors"), seed: 9)
    let path = folder.file("stats")
    let job = CalibrationJob(tokens: 512)
    let file = try job.run(model, on: text, named: "text", keptIn: path)
    #expect(throws: InvalidArgument.self) { try file.requireStatistics(of: other) }
    #expect(throws: InvalidArgument.self) { try job.run(other, on: text, named: "text", keptIn: path) }
    #expect(throws: InvalidArgument.self) {
      try CalibrationJob(tokens: 1_024).run(model, on: text, named: "text", keptIn: path)
    }
    #expect(throws: InvalidArgument.self) {
      try ModelCompressionJob(method: "svd", ratio: 0.5).run(other, calibration: file)
    }
    let broken = folder.file("broken")
    try Data(repeating: 7, count: 200).write(to: URL(fileURLWithPath: broken))
    #expect(throws: FileError.self) { try CalibrationFile(contentsOf: broken) }
    #expect(throws: FileError.self) { try CalibrationFile(contentsOf: folder.file("a.safetensors")) }
  }

  @Test func statisticsOfTwoTextsMerge() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let job = CalibrationJob(tokens: 512)
    var file = try job.run(model, on: text, named: "one")
    let other = try job.run(model, on: randomText(lines: 120, seed: 8), named: "two")
    let layer = "model.layers.0.mlp.up_proj"
    let sum = try #require(file.calibration[layer]?.activations).gram + other.calibration[layer]!.activations!.gram
    try file.merge(other)
    let merged = try #require(file.calibration[layer]?.activations)
    #expect(merged.tokens == 1_024 && distance(merged.gram, sum) < 1e-9)
  }

  @Test func mergingAgainChangesNothing() throws {
    let model = try randomDecoder(folder.file("a.safetensors"))
    let (one, both) = (folder.file("one"), folder.file("both"))
    let other = randomText(lines: 120, seed: 8)
    let job = CalibrationJob(tokens: 512)
    _ = try job.run(model, on: text, named: "one", keptIn: one)
    func merged(_ others: [String]) throws -> CalibrationFile {
      try job.run(model, on: other, named: "two", keptIn: both, merging: others)
    }
    #expect(try merged([one]).calibration.fewestTokens == 1_024)
    let before = try Data(contentsOf: URL(fileURLWithPath: both))
    #expect(try merged([one]).calibration.fewestTokens == 1_024)
    #expect(try Data(contentsOf: URL(fileURLWithPath: both)) == before)
    // As after a kill between the pass and the merge.
    try FileManager.default.removeItem(atPath: both)
    _ = try job.run(model, on: other, named: "two", keptIn: both)
    #expect(try merged([one]).calibration.fewestTokens == 1_024)
    let kept = folder.file("kept")
    try before.write(to: URL(fileURLWithPath: kept))
    #expect(try same(both, kept))
    // Into itself, the same pass twice, another set of passes, and another kind.
    #expect(throws: InvalidArgument.self) { try merged([both]) }
    #expect(throws: InvalidArgument.self) { try merged([one, one]) }
    #expect(throws: InvalidArgument.self) { try merged([]) }
    #expect(throws: InvalidArgument.self) {
      try job.run(model, on: text, named: "one", keptIn: folder.file("new"), merging: [both])
    }
    #expect(throws: InvalidArgument.self) {
      try CalibrationJob(tokens: 512, includesFisher: true).run(
        model, on: other, named: "two", keptIn: folder.file("new"), merging: [one])
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("new")), "refused before anything is gathered")
  }

  @Test func encodersAreCalibratedWithoutTheirPadding() throws {
    let model = try randomEncoder(folder.file("encoder"))
    let file = try CalibrationJob(tokens: 600, includesFisher: true).run(model, on: text, named: "text")
    #expect(try #require(file.calibration.fewestTokens) >= 600)
    #expect(file.warnings.isEmpty && file.calibration["encoder.layer.0.output.dense"]?.fisher != nil)
    #expect(try CalibrationJob(tokens: 30).run(model, on: text, named: "text").warnings.count == 1)
  }
}
