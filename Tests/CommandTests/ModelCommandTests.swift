import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

/// The commands on language models, as a person uses them: on the model that comes with Apus.
@Suite struct ModelCommandTests {
  private let folder = TemporaryFolder()
  private static let model = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Data/Models/shakespeare-characters").path

  private func json(_ words: String...) throws -> [String: Any] {
    let outcome = try Apus.run(words + ["--json"])
    #expect(outcome.status == 0 && outcome.complaints.isEmpty, "\(words): \(outcome)")
    return try #require(try outcome.json() as? [String: Any])
  }

  private func loss(_ path: String) throws -> Double {
    try #require(json("evaluate", path, "--against", Self.model, "--tokens", "2048")["loss"] as? Double)
  }

  @Test func fromCalibrationToEvaluation() throws {
    let statistics = folder.file("stats")
    let first = try json("calibrate", Self.model, "--tokens", "2048", "--fisher", "-o", statistics)
    #expect(first["tokens"] as? Int == 2_048 && first["examples"] as? Int == 16)
    let original = try loss(Self.model)
    var losses: [String: Double] = [:]
    for method in ["svd", "whitened-svd", "fwsvd"] {
      let output = folder.file("\(method).safetensors")
      let words = ["compress", Self.model, "--method", method, "--ratio", "0.5", "-o", output]
      let outcome = try Apus.run(words + (method == "svd" ? [] : ["--calibration", statistics]))
      #expect(outcome.status == 0, "\(outcome)")
      losses[method] = try loss(output)
    }
    #expect(try #require(losses["whitened-svd"]) < #require(losses["svd"]))
    #expect(losses.values.allSatisfy { $0 > original })
    let dense = folder.file("dense.safetensors")
    _ = try json(
      "compress", Self.model, "--method", "whitened-svd", "--ratio", "0.5", "--calibration", statistics, "--dense",
      "-o", dense)
    #expect(try abs(loss(dense) - #require(losses["whitened-svd"])) < 1e-3)
    #expect(
      try Set(Checkpoint(dense).entries.map(\.name))
        == Set(Checkpoint("\(Self.model)/model.safetensors").entries.map(\.name)))
  }

  @Test func quantizedPrunedAndContinued() throws {
    let small = folder.file("nf4.safetensors")
    let result = try json(
      "quantize", Self.model, "--format", "nf4", "--repair", "qera", "--rank", "4", "--tokens", "1024", "-o", small)
    #expect(try #require(result["bits_per_weight"] as? Double) < 6)
    let original = try loss(Self.model)
    #expect(try loss(small) < original + 0.05)
    let text = try json("generate", small, "To be", "--tokenizer", Self.model, "--tokens", "5")
    #expect((text["text"] as? String)?.count == 5)
    for method in ["magnitude", "modhifi"] {
      let output = folder.file("\(method).safetensors")
      let pruned = try json(
        "prune", Self.model, "--method", method, "--sparsity", "0.25", "--tokens", "1024", "-o", output)
      #expect(try abs(#require(pruned["sparsity"] as? Double) - 0.25) < 0.01)
      #expect(try loss(output) < original + 0.5)
    }
  }

  @Test func roundedWeightsAreReadAndNotMadeSmallerAgain() throws {
    let small = folder.file("nf4.safetensors")
    _ = try json("quantize", Self.model, "--format", "nf4", "--repair", "loftq", "--rank", "4", "-o", small)
    let tokenizer = ["--tokenizer", Self.model]
    for words in [
      ["compress", small, "--method", "svd", "--ratio", "0.5", "-o", folder.file("x")],
      ["compress", small, "--method", "whitened-svd", "--ratio", "0.5", "-o", folder.file("x")] + tokenizer,
      ["quantize", small, "--format", "int8", "-o", folder.file("x")],
      ["prune", small, "--method", "magnitude", "--sparsity", "0.5", "-o", folder.file("x")] + tokenizer,
      ["frontier", small, "--ratios", "0.5"] + tokenizer, ["tour", small, "--report", folder.file("tour")],
    ] {
      let outcome = try Apus.run(words)
      #expect(outcome.status == 2 && outcome.sentence?.contains("--dense") == true, "\(words): \(outcome)")
    }
    let evaluation = try json("evaluate", small, "--against", Self.model, "--tokens", "1024")
    let original = try #require(evaluation["original"] as? [String: Any])
    #expect(evaluation["bytes"] as? Double == Double(try Checkpoint(small).byteCount))
    #expect(original["bytes"] as? Double == Double(try Checkpoint("\(Self.model)/model.safetensors").byteCount))
    let comparison = try Apus.run("compare", Self.model, small, "--tolerance", "0.2")
    #expect(comparison.status == 0 && comparison.output.contains("nf4"), "\(comparison)")
    #expect(
      try Apus.run("calibrate", small, "--tokens", "256", "-o", folder.file("stats"), "--tokenizer", Self.model).status
        == 0)
  }

  @Test func theFrontierHasAPage() throws {
    let report = folder.file("report")
    let result = try json(
      "frontier", Self.model, "--ratios", "0.5", "--methods", "svd,whitened-svd", "--formats", "int8", "--tokens",
      "1024",
      "--measured-tokens", "1024", "--report", report)
    #expect((result["points"] as? [Any])?.count == 3 && (result["advice"] as? String)?.isEmpty == false)
    let page = try String(contentsOfFile: "\(report)/report.html", encoding: .utf8)
    #expect(page.contains("What each size costs") && page.contains("The order that the papers claim"))
    let checks = try #require(result["ordering"] as? [[String: Any]])
    #expect(checks.count == 1 && checks[0]["better"] as? String == "whitened-svd")
  }

  @Test func aClassIsForgotten() throws {
    let run = folder.file("run")
    #expect(try Apus.run("train", "--data", "digits", "-o", run).status == 0)
    let result = try json("unlearn", run, "--class", "3", "-o", folder.file("without"))
    #expect(try #require(result["forget_before"] as? Double) > 0.9)
    #expect(try #require(result["forget_after"] as? Double) < 0.5)
    #expect(try #require(result["retain_after"] as? Double) > 0.8)
  }

  @Test func verbsDoWhatTheirMethodsDo() throws {
    var random = RandomStream(seed: 2)
    let rows: Tensor<Double> = random.normal([3_000, 8])
    let truth: Tensor<Double> = random.normal([8])
    let (features, targets) = (folder.file("x.npy"), folder.file("y.npy"))
    try writeArray(rows, to: features, name: "x")
    try writeArray(rows.matmul(truth), to: targets, name: "y")
    for method in ["linf", "lp"] {
      let outcome = try Apus.run("regress", features, targets, "--method", method)
      #expect(outcome.status == 0, "\(outcome)")
    }
    #expect(try Apus.run("sample", features, "--rows", "100", "--p", "1").status == 0)
    let eigen = try json("eigen", "--stream", features, "-o", folder.file("v.npy"))
    #expect(eigen["rows"] as? Int == 3_000)
    #expect(try readMatrix(folder.file("v.npy")).count == 8)
    let wrong = try Apus.run("regress", features, targets, "--method", "linff")
    #expect(wrong.status == 2 && wrong.complaints.contains("linf"))
    #expect(try Apus.run("sample", features, targets, "--rows", "3").status == 2)
  }

  @Test func systemsAreSolved() throws {
    let size = 400
    var entries: [(Int, Int, Double)] = []
    for i in 0..<size {
      entries.append((i, i, 2.01))
      if i > 0 { entries += [(i, i - 1, -1), (i - 1, i, -1)] }
    }
    let lines = entries.map { "\($0.0 + 1) \($0.1 + 1) \($0.2)" }.joined(separator: "\n")
    let matrix = folder.file("a.mtx")
    try "%%MatrixMarket matrix coordinate real general\n\(size) \(size) \(entries.count)\n\(lines)\n"
      .write(toFile: matrix, atomically: true, encoding: .utf8)
    let side = folder.file("b.npy")
    try writeArray(Tensor<Double>.ones([size]), to: side, name: "b")
    for method in ["amg", "cg", "sor"] {
      let result = try json("solve", matrix, side, "--method", method)
      #expect(try #require(result["relative_residual"] as? Double) < 1e-6, "\(method)")
    }
    #expect(try Apus.run("solve", matrix, side, "--method", "cg", "--iterations", "2").status == 1)
  }

  @Test func wrongUseIsSaid() throws {
    let none = folder.file("none")
    for words in [
      ["evaluate", none], ["calibrate", Self.model, "--tokens", "0", "-o", none],
      ["compress", Self.model, "--method", "saes", "--ratio", "0.5", "-o", none],
      ["quantize", Self.model, "--format", "int9", "-o", none],
      ["prune", Self.model, "--method", "magnitude", "--sparsity", "1.5", "-o", none],
      ["frontier", Self.model, "--ratios", "2"], ["unlearn", none, "--class", "1", "-o", none],
      ["evaluate", Self.model, "--text", none],
    ] {
      let outcome = try Apus.run(words)
      #expect(outcome.status == 2 && !outcome.complaints.isEmpty && outcome.output.isEmpty, "\(words): \(outcome)")
      #expect(!FileManager.default.fileExists(atPath: none))
    }
  }
}
