import Diagnostics
import Tensors
import TestSupport
import Testing

@Suite struct WeightReportTests {
  @Test func rolesOfCommonNames() {
    let roles: [(String, TensorRole, Int?)] = [
      ("encoder.layer.3.attention.self.query.weight", .query, 3),
      ("encoder.layer.3.attention.self.key.weight", .key, 3),
      ("encoder.layer.3.attention.self.value.bias", .value, 3),
      ("encoder.layer.3.attention.output.dense.weight", .attentionOutput, 3),
      ("encoder.layer.3.attention.output.LayerNorm.weight", .other, 3),
      ("encoder.layer.11.intermediate.dense.weight", .feedForwardUp, 11),
      ("bert.encoder.layer.11.output.dense.weight", .feedForwardDown, 11),
      ("embeddings.word_embeddings.weight", .embedding, nil),
      ("embeddings.position_embeddings.weight", .embedding, nil),
      ("pooler.dense.weight", .other, nil),
      ("model.layers.7.self_attn.q_proj.weight", .query, 7),
      ("model.layers.7.self_attn.k_proj.weight", .key, 7),
      ("model.layers.7.self_attn.v_proj.weight", .value, 7),
      ("model.layers.7.self_attn.o_proj.weight", .attentionOutput, 7),
      ("model.layers.7.mlp.gate_proj.weight", .feedForwardGate, 7),
      ("model.layers.7.mlp.up_proj.weight", .feedForwardUp, 7),
      ("model.layers.7.mlp.down_proj.weight", .feedForwardDown, 7),
      ("model.layers.7.input_layernorm.weight", .other, 7),
      ("model.embed_tokens.weight", .embedding, nil),
      ("lm_head.weight", .head, nil),
      ("layers.0.attention.wq.weight", .query, 0),
      ("layers.0.attention.wo.weight", .attentionOutput, 0),
      ("layers.0.feed_forward.w1.weight", .feedForwardGate, 0),
      ("layers.0.feed_forward.w2.weight", .feedForwardDown, 0),
      ("layers.0.feed_forward.w3.weight", .feedForwardUp, 0),
      ("tok_embeddings.weight", .embedding, nil),
      ("output.weight", .head, nil),
      ("h.5.attn.c_attn.weight", .queryKeyValue, 5),
      ("h.5.attn.c_proj.weight", .attentionOutput, 5),
      ("transformer.h.5.mlp.c_fc.weight", .feedForwardUp, 5),
      ("transformer.h.5.mlp.c_proj.weight", .feedForwardDown, 5),
      ("wte.weight", .embedding, nil),
      ("h.5.ln_1.weight", .other, 5),
      ("gpt_neox.layers.2.attention.query_key_value.weight", .queryKeyValue, 2),
      ("gpt_neox.layers.2.attention.dense.weight", .attentionOutput, 2),
      ("gpt_neox.layers.2.mlp.dense_h_to_4h.weight", .feedForwardUp, 2),
      ("gpt_neox.layers.2.mlp.dense_4h_to_h.weight", .feedForwardDown, 2),
      ("embed_out.weight", .head, nil),
      ("model.layers.4.block_sparse_moe.experts.6.w2.weight", .feedForwardDown, 4),
      ("model.layers.4.block_sparse_moe.gate.weight", .other, 4),
      ("encoder.block.1.layer.0.SelfAttention.q.weight", .query, 1),
      ("encoder.block.1.layer.1.DenseReluDense.wi_0.weight", .feedForwardGate, 1),
      ("encoder.block.1.layer.1.DenseReluDense.wo.weight", .feedForwardDown, 1),
      ("blocks.9.attn.qkv.weight", .queryKeyValue, 9),
      ("blocks.9.attn.proj.weight", .attentionOutput, 9),
      ("blocks.9.mlp.fc1.weight", .feedForwardUp, 9),
      ("blocks.9.mlp.fc2.weight", .feedForwardDown, 9),
      ("encoder.layers.0.self_attn.in_proj_weight", .queryKeyValue, 0),
      ("vit.encoder.layer.0.attention.attention.query.weight", .query, 0),
      ("conv1.weight", .other, nil),
      ("", .other, nil),
    ]
    for (name, role, layer) in roles {
      #expect(TensorRole(tensorName: name) == role, "\(name)")
      #expect(TensorRole.layer(ofTensorName: name) == layer, "\(name)")
    }
  }

  @Test func attentionFromHeads() throws {
    #expect(try AttentionArchitecture(queryHeads: 12, keyValueHeads: 12) == .multiHead)
    #expect(try AttentionArchitecture(queryHeads: 32, keyValueHeads: 8) == .groupedQuery(sharing: 4))
    #expect(try AttentionArchitecture(queryHeads: 8, keyValueHeads: 1) == .multiQuery)
    #expect(try AttentionArchitecture(queryRows: 4096, keyRows: 1024, headDimension: 128) == .groupedQuery(sharing: 4))
    #expect(try AttentionArchitecture(queryRows: 4096, keyRows: 128, headDimension: 128) == .multiQuery)
    #expect(try AttentionArchitecture(queryRows: 384, keyRows: 384) == .multiHead)
    #expect(throws: InvalidArgument.self) { try AttentionArchitecture(queryHeads: 12, keyValueHeads: 5) }
    #expect(throws: InvalidArgument.self) { try AttentionArchitecture(queryHeads: 0, keyValueHeads: 1) }
    #expect(throws: InvalidArgument.self) { try AttentionArchitecture(queryHeads: 4, keyValueHeads: 0) }
    #expect(throws: InvalidArgument.self) {
      try AttentionArchitecture(queryRows: 384, keyRows: 384, headDimension: 100)
    }
  }

  @Test func regimes() {
    #expect(WeibullRegime(shape: 1.2, rSquared: 0.99) == .transmission)
    #expect(WeibullRegime(shape: 1.18, rSquared: 0.99) == .transmission)
    #expect(WeibullRegime(shape: 1.2, rSquared: 0.94) == .mildSelection)
    #expect(WeibullRegime(shape: 1.1799, rSquared: 0.99) == .mildSelection)
    #expect(WeibullRegime(shape: 0.95, rSquared: 0.5) == .mildSelection)
    #expect(WeibullRegime(shape: 0.9499, rSquared: 0.99) == .strongSelection)
    #expect(WeibullRegime(shape: 1.2101, rSquared: 0.99) == .aboveAnchor)
    #expect(WeibullRegime(shape: 1.2150, rSquared: 0.99, atInitialization: true) == .initialization)
    #expect(WeibullRegime(shape: 1.2160, rSquared: 0.99, atInitialization: true) == .aboveAnchor)
    #expect(WeibullRegime(shape: 1.1, rSquared: 0.99, atInitialization: true) == .mildSelection)
  }

  /// A model of six layers whose query matrices are Laplace-like, with one matrix that does not fit its class.
  private func model() -> [(name: String, tensor: Tensor<Float>)] {
    var tensors: [(name: String, tensor: Tensor<Float>)] = []
    tensors.append(("embed_tokens.weight", gaussian([500, 64], standardDeviation: 0.02, seed: 1000, of: Float.self)))
    for layer in 0..<6 {
      let seed = UInt64(layer)
      let heavy = gaussian([64, 64], standardDeviation: 0.1, seed: seed, of: Float.self)
      let query = heavy * gaussian([64, 64], seed: 50 + seed, of: Float.self)
      tensors.append(("layers.\(layer).self_attn.q_proj.weight", query))
      tensors.append(
        (
          "layers.\(layer).self_attn.k_proj.weight",
          gaussian([16, 64], standardDeviation: 0.1, seed: 100 + seed, of: Float.self)
        ))
      let up = gaussian([256, 64], standardDeviation: 0.05, seed: 150 + seed, of: Float.self)
      tensors.append(("layers.\(layer).mlp.up_proj.weight", layer == 4 ? up * up : up))
      tensors.append(("layers.\(layer).norm.weight", Tensor<Float>(repeating: 1, shape: [64])))
    }
    tensors.append(("layers.6.mask", Tensor<Float>(repeating: 0, shape: [32, 32])))
    var broken = gaussian([40, 40], seed: 7, of: Float.self)
    broken[at: 1, 2] = .nan
    tensors.append(("layers.6.mlp.up_proj.weight", broken))
    return tensors
  }

  @Test func diagnosisOfAModel() throws {
    let tensors = model()
    let report = try WeightDiagnosis().diagnose(named: tensors)
    #expect(report.rows.count == 19)
    #expect(
      report.skipped.map(\.name) == (0..<6).map { "layers.\($0).norm.weight" } + [
        "layers.6.mask", "layers.6.mlp.up_proj.weight",
      ])
    #expect(report.skipped[0].reason == .notAMatrix(shape: [64]))
    guard case .unusable(let error) = report.skipped[7].reason else {
      Issue.record("a tensor with a NaN was not reported as unusable")
      return
    }
    #expect(error.found == "nan at [1, 2]")
    #expect(report.outliers.map(\.name) == ["layers.4.mlp.up_proj.weight"])
    #expect(report.attention == .groupedQuery(sharing: 4))
    let roles = report.roles
    #expect(roles.map(\.role) == [.embedding, .query, .key, .feedForwardUp])
    #expect(roles[1].medianShape < 0.85 && roles[1].count == 6)
    #expect((roles[3].medianShape - 1.2054).magnitude < 0.03)
    #expect((roles[3].medianScale / 0.05 / 0.8875 - 1).magnitude < 0.03)
    #expect(report.rows[1].regime == .strongSelection)
    let separate = try WeibullFitting().fit(tensors[1].tensor)
    #expect(report.rows[1].fit == separate)
  }

  @Test func textAndValuesOfAReport() throws {
    let report = try WeightDiagnosis().diagnose(named: model())
    let text = report.text
    for expected in [
      "layers.4.mlp.up_proj.weight", "strong selection", "Skipped: layers.0.norm.weight", "nan at [1, 2]",
    ] {
      #expect(text.contains(expected), "\(expected)")
    }
    #expect(!text.contains(" \n"))
    let lines = report.csv.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    #expect(lines.count == 20)
    #expect(lines.allSatisfy { $0.count == lines[0].count })
    let column = try #require(lines[0].firstIndex(of: "k"))
    #expect(Double(String(lines[2][column])) == report.rows[1].fit.shape)
    let odd = ReportTable(columns: ["a,b", "c"], rows: [["say \"hi\"", "1"], ["x", "22"]])
    #expect(odd.csv == "\"a,b\",c\n\"say \"\"hi\"\"\",1\nx,22\n")
    #expect(odd.text == "a,b        c\nsay \"hi\"   1\nx         22")
  }

  @Test func progressAndCancellation() throws {
    let tensors = model()
    let seen = Recorder()
    _ = try WeightDiagnosis().diagnose(
      named: tensors, progress: WorkProgress { completed, total, _ in seen.append(completed, total) })
    #expect(seen.values.map(\.0) == Array(1...tensors.count))
    #expect(seen.values.allSatisfy { $0.1 == tensors.count })
    struct Unreadable: Error {}
    let names = tensors.map(\.name)
    #expect(throws: Unreadable.self) {
      try WeightDiagnosis().diagnose(names: names) { i -> Tensor<Float> in
        if i == 1 { throw Unreadable() }
        return tensors[i].tensor
      }
    }
    let refusal = InvalidArgument("q", found: "whole numbers", wanted: "weights")
    let partial = try WeightDiagnosis().diagnose(names: Array(names.prefix(3))) { i -> Tensor<Float> in
      if i == 1 { throw refusal }
      return tensors[i].tensor
    }
    #expect(partial.rows.map(\.name) == [names[0], names[2]])
    #expect(partial.skipped == [.init(name: names[1], reason: .unusable(refusal))])
    let none = try WeightDiagnosis().diagnose(named: [(name: String, tensor: Tensor<Float>)]())
    #expect(none.rows.isEmpty && none.roles.isEmpty && none.attention == nil)
    #expect(!none.text.isEmpty)
  }
}

private final class Recorder: @unchecked Sendable {
  // Filled by the thread that runs the diagnosis.
  private(set) var values: [(Int, Int)] = []
  func append(_ completed: Int, _ total: Int) { values.append((completed, total)) }
}
