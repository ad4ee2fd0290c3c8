import Compression
import FileFormats
import Foundation
import Jobs
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct CheckpointCompressionTests {
  private func job(_ id: String, _ budget: CompressionBudget, isDense: Bool = false) throws -> CheckpointCompressionJob
  {
    CheckpointCompressionJob(
      method: id, compressor: try CheckpointMethods.compressor(id), budget: budget, isDense: isDense)
  }

  @Test(arguments: CheckpointMethods.ids)
  func factorsMultiplyOutToWhatTheTableSays(id: String) throws {
    let scratch = try Scratch()
    let input = try FactoredCheckpoint(scratch.checkpoint())
    let result = try job(id, .keepingParameters(0.5)).run(input, to: scratch.file("small.safetensors"))
    #expect(result.plan.keptFraction <= 0.5 && result.plan.keptFraction > 0.3)
    let output = try FactoredCheckpoint(scratch.file("small.safetensors"))
    #expect(output.isFactored && output.entries.map(\.name) == input.entries.map(\.name))
    #expect(output.checkpoint.byteCount == result.bytesAfter && result.bytesAfter < result.bytesBefore)
    #expect(output.checkpoint.parameterCount == result.parametersAfter)
    #expect(output.checkpoint.metadata["format"] == "pt" && output.checkpoint.metadata["apus.method"] == id)
    for row in result.rows {
      let before = try input.tensor(named: row.name)
      let after = try output.tensor(named: row.name)
      let error = Double((before - after).frobeniusNorm() / before.frobeniusNorm())
      #expect(abs(error - row.relativeError) < 1e-5, "\(row.name)")
      #expect(row.rank == nil || row.relativeError > 0)
      if let rank = row.rank, row.sharedWith == 0 {
        // Nothing of this rank is nearer (Eckart and Young).
        let values = try before.singularValues().scalars
        let tail = values[rank...].reduce(0) { $0 + $1 * $1 }
        let all = values.reduce(0) { $0 + $1 * $1 }
        #expect(abs(error - Double((tail / all).squareRoot())) < 1e-4, "\(row.name)")
      }
    }
    // What no method worked on is the same to the bit.
    for name in ["embed_tokens.weight", "position_ids", "layers.1.norm.weight"] {
      try input.checkpoint.withBytes(of: name) { a in
        try output.checkpoint.withBytes(of: name) { b in #expect(a.elementsEqual(b), "\(name)") }
      }
    }
  }

  @Test(arguments: CheckpointMethods.ids)
  func denseOutputHasTheOriginalNamesAndTheSameNumbers(id: String) throws {
    let scratch = try Scratch()
    let input = try FactoredCheckpoint(scratch.checkpoint())
    _ = try job(id, .rank(6)).run(input, to: scratch.file("factored.safetensors"))
    _ = try job(id, .rank(6), isDense: true).run(input, to: scratch.file("dense.safetensors"))
    let dense = try Checkpoint(scratch.file("dense.safetensors"))
    #expect(Set(dense.entries.map(\.name)) == Set(input.checkpoint.entries.map(\.name)))
    #expect(dense.entries.allSatisfy { $0.shape == input.entry(named: $0.name)?.shape })
    let comparison = try CheckpointComparer(tolerance: 1e-6).compare(
      FactoredCheckpoint(scratch.file("factored.safetensors")), FactoredCheckpoint(scratch.file("dense.safetensors")))
    #expect(comparison.agrees)
  }

  @Test(arguments: CheckpointMethods.ids)
  func errorBudgetsHoldForEveryMatrix(id: String) throws {
    let scratch = try Scratch()
    let input = try FactoredCheckpoint(scratch.checkpoint())
    let result = try job(id, .relativeError(0.2)).run(input, to: scratch.file("small.safetensors"))
    #expect(result.rows.contains { $0.rank != nil })
    if id == "concat-svd" {
      // The certificate is for a group as a whole.
      #expect(result.totalRelativeError <= 0.2)
    } else {
      #expect(result.rows.allSatisfy { $0.relativeError <= 0.2 + 1e-5 })
    }
  }

  @Test func sixteenBitCheckpointsStaySo() throws {
    let scratch = try Scratch()
    let input = try FactoredCheckpoint(scratch.checkpoint(type: .bfloat16))
    let result = try job("welore", .keepingParameters(0.5)).run(input, to: scratch.file("small.safetensors"))
    let output = try FactoredCheckpoint(scratch.file("small.safetensors"))
    #expect(output.entries.allSatisfy { $0.type == .bfloat16 || $0.name == "position_ids" })
    for row in result.rows {
      let before = try input.tensor(named: row.name)
      let after = try output.tensor(named: row.name)
      // Rounding each factor to eight bits adds about 2^-9 of each.
      let error = Double((before - after).frobeniusNorm() / before.frobeniusNorm())
      #expect(abs(error - row.relativeError) < 0.01, "\(row.name)")
    }
  }

  @Test func aCompressedCheckpointCanBeCompressedAgain() throws {
    let scratch = try Scratch()
    let first = scratch.file("first.safetensors")
    let second = scratch.file("second.safetensors")
    _ = try job("svd", .keepingParameters(0.6)).run(FactoredCheckpoint(scratch.checkpoint()), to: first)
    let result = try job("svd", .keepingParameters(0.3)).run(FactoredCheckpoint(first), to: second)
    #expect(result.plan.keptFraction <= 0.3)
    #expect(try FactoredCheckpoint(second).entries.map(\.name) == FactoredCheckpoint(first).entries.map(\.name))
  }

  @Test func patternsChooseTensors() throws {
    let scratch = try Scratch()
    let input = try FactoredCheckpoint(scratch.checkpoint())
    func names(_ selection: MatrixSelection) throws -> Set<String> {
      var job = try job("svd", .keepingParameters(0.5))
      job.selection = selection
      return Set(try job.run(input, to: scratch.file("out.safetensors")).rows.map(\.name))
    }
    #expect(try names(MatrixSelection()).count == 12)
    #expect(try names(MatrixSelection(includesEmbeddings: true)).contains("embed_tokens.weight"))
    #expect(try names(MatrixSelection(included: ["*.mlp.*"])).count == 4)
    #expect(try names(MatrixSelection(included: ["*.mlp.*"], excluded: ["layers.0.*"])).count == 2)
  }

  @Test func badRequestsAreRefusedAndLeaveNothingBehind() throws {
    let scratch = try Scratch()
    let path = try scratch.checkpoint()
    let input = try FactoredCheckpoint(path)
    let output = scratch.file("small.safetensors")
    let before = scratch.contents
    let budgets: [CompressionBudget] = [
      .keepingParameters(0), .keepingParameters(1.5), .keepingParameters(.nan), .keepingParameters(0.001), .rank(0),
      .relativeError(-1), .relativeError(.nan),
    ]
    for budget in budgets {
      for id in CheckpointMethods.ids {
        #expect(throws: InvalidArgument.self, "\(id), \(budget)") { try job(id, budget).run(input, to: output) }
      }
    }
    var lost = try job("svd", .rank(4))
    lost.selection.included = ["nothing.*"]
    #expect(throws: InvalidArgument.self) { try lost.run(input, to: output) }
    #expect(throws: InvalidArgument.self) { try job("svd", .rank(4)).run(input, to: path) }
    #expect(throws: FileError.self) { try job("svd", .rank(4)).run(input, to: scratch.file("no/such/folder")) }
    #expect(throws: FileError.self) { try job("svd", .rank(4)).run(input, to: "/dev/full") }
    #expect(throws: (any Error).self) { try CheckpointMethods.compressor("nothing") }
    #expect(scratch.contents == before)
  }

  @Test func aTensorThatIsNotFiniteIsNamed() throws {
    let scratch = try Scratch()
    var weight = Tensor<Float>.ones([20, 20])
    weight[at: 3, 4] = .nan
    try writeSafetensors([("layers.0.q_proj.weight", AnyTensor(weight))], to: scratch.file("bad.safetensors"))
    let input = try FactoredCheckpoint(scratch.file("bad.safetensors"))
    for id in CheckpointMethods.ids {
      let error = #expect(throws: InvalidArgument.self) {
        try job(id, .rank(2)).run(input, to: scratch.file("out.safetensors"))
      }
      #expect(error?.name == "layers.0.q_proj.weight", "\(id)")
    }
  }

  @Test func cancellingLeavesNothingBehind() async throws {
    let scratch = try Scratch()
    let input = try FactoredCheckpoint(scratch.checkpoint())
    let before = scratch.contents
    let job = try job("svd", .rank(4))
    let work = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      _ = try job.run(input, to: scratch.file("small.safetensors"))
    }
    await #expect(throws: CancellationError.self) { try await work.value }
    #expect(scratch.contents == before)
  }
}
