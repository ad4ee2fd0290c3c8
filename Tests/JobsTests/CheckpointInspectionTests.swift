import Diagnostics
import FileFormats
import Foundation
import Jobs
import LinearAlgebra
import Tensors
import Testing

@Suite struct CheckpointInspectionTests {
  @Test func figuresAreThoseOfTheMatrices() throws {
    let scratch = try Scratch()
    let checkpoint = try Checkpoint(scratch.checkpoint())
    let inspection = try CheckpointInspector().inspect(checkpoint)
    #expect(inspection.rows.count == checkpoint.entries.count)
    #expect(inspection.parameterCount == checkpoint.parameterCount && inspection.byteCount == checkpoint.byteCount)
    #expect(Set(inspection.roles).isSuperset(of: [.embedding, .query, .key, .value, .feedForwardUp]))
    for (row, figures) in inspection.matrices {
      let matrix = try checkpoint.tensor(named: row.entry.name, as: Double.self)
      let values = try matrix.singularValues().scalars
      #expect(zip(values, figures.spectrum ?? []).allSatisfy { abs($0 - $1) < 1e-5 * values[0] })
      #expect(abs(figures.frobeniusNorm - matrix.frobeniusNorm()) < 1e-5 * matrix.frobeniusNorm())
      #expect(try abs((figures.stableRank ?? 0) - matrix.stableRank()) < 1e-4)
      #expect(try abs((figures.effectiveRank ?? 0) - matrix.effectiveRank()) < 1e-3)
      #expect(try abs((figures.nuclearNorm ?? 0) - matrix.nuclearNorm()) < 1e-4 * matrix.nuclearNorm())
      #expect(figures.weibull != nil, "\(row.entry.name)")
    }
    // Gaussian embeddings are where an initialization is.
    let embedding = try #require(inspection.matrices.first { $0.row.role == .embedding }?.figures.weibull)
    #expect(abs(embedding.shape - 1.2054) < 0.08)
    let quick = try CheckpointInspector(includesSpectra: false).inspect(checkpoint)
    #expect(quick.matrices.allSatisfy { $0.figures.spectrum == nil && $0.figures.weibull != nil })
  }

  @Test func whatIsWrongIsFoundAndSaid() throws {
    let scratch = try Scratch()
    var broken = Tensor<Float>.ones([20, 20])
    broken[at: 1, 1] = .infinity
    try writeSafetensors(
      [
        ("infinite", AnyTensor(broken)), ("constant", AnyTensor(Tensor<Float>.ones([20, 20]))),
        ("empty", AnyTensor(Tensor<Float>.zeros([0, 4]))), ("counts", AnyTensor(Tensor<Int>([[1, 2], [3, 4]]))),
      ], to: scratch.file("odd.safetensors"))
    let inspection = try CheckpointInspector().inspect(Checkpoint(scratch.file("odd.safetensors")))
    let rows = Dictionary(uniqueKeysWithValues: inspection.rows.map { ($0.entry.name, $0) })
    #expect(rows["infinite"]?.matrix == nil && rows["infinite"]?.remark?.contains("not finite") == true)
    #expect(rows["constant"]?.matrix?.weibull == nil && rows["constant"]?.remark != nil)
    #expect(rows["constant"]?.matrix?.stableRank.map { abs($0 - 1) < 1e-5 } == true)
    #expect(rows["empty"]?.matrix == nil && rows["counts"]?.matrix == nil)
  }

  @Test func comparisonsFindEveryDifference() throws {
    let scratch = try Scratch()
    let a = Tensor<Float>([[1, 2], [3, 4]])
    try writeSafetensors(
      [("same", AnyTensor(a)), ("near", AnyTensor(a)), ("gone", AnyTensor(a)), ("shape", AnyTensor(a))],
      to: scratch.file("a.safetensors"))
    try writeSafetensors(
      [
        ("same", AnyTensor(a)), ("near", AnyTensor(a * 1.01)), ("new", AnyTensor(a)),
        ("shape", AnyTensor(a.flattened)),
      ], to: scratch.file("b.safetensors"))
    let first = try FactoredCheckpoint(scratch.file("a.safetensors"))
    let second = try FactoredCheckpoint(scratch.file("b.safetensors"))
    let comparison = try CheckpointComparer(tolerance: 0.02).compare(first, second)
    let verdicts = Dictionary(uniqueKeysWithValues: comparison.rows.map { ($0.name, $0.verdict) })
    #expect(
      verdicts == ["same": .equal, "near": .close, "gone": .onlyInFirst, "new": .onlyInSecond, "shape": .otherShape])
    #expect(!comparison.agrees)
    let near = try #require(comparison.rows.first { $0.name == "near" })
    #expect(abs((near.relativeError ?? 0) - 0.01) < 1e-5 && abs((near.cosine ?? 0) - 1) < 1e-6)
    #expect(try CheckpointComparer().compare(first, first).agrees)
    #expect(throws: InvalidArgument.self) { try CheckpointComparer(tolerance: .nan).compare(first, second) }
  }

  @Test func factorsThatLieAreRefused() throws {
    let scratch = try Scratch()
    let left = Tensor<Float>.ones([4, 2])
    let right = Tensor<Float>.ones([2, 3])
    let records = [
      "not json", #"{"w": {"left": "w.left", "right": "gone", "shape": [4, 3]}}"#,
      #"{"w": {"left": "w.left", "right": "w.right", "shape": [3, 4]}}"#,
      #"{"w": {"left": "w.right", "right": "w.left", "shape": [4, 3]}}"#,
      #"{"w": {"left": "w.left", "right": "w.right", "shape": [4, 9223372036854775807, 2]}}"#,
      #"{"w.left": {"left": "w.left", "right": "w.right", "shape": [4, 3]}}"#,
    ]
    for record in records {
      let path = scratch.file("lie.safetensors")
      try writeSafetensors(
        [("w.left", AnyTensor(left)), ("w.right", AnyTensor(right))], to: path,
        metadata: [FactoredCheckpoint.factorsKey: record])
      #expect(throws: FileError.self, "\(record)") { try FactoredCheckpoint(path) }
    }
  }
}
