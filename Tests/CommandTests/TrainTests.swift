import FileFormats
import Foundation
import TestSupport
import Testing

/// `apus train`, `generate` and `embed`, as a person uses them.
@Suite struct TrainTests {
  private let folder = TemporaryFolder()

  private func contents(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  /// The lines of a log without the time they were written at.
  private func log(_ run: String) throws -> [NSDictionary] {
    let text = try String(contentsOfFile: "\(run)/log.jsonl", encoding: .utf8)
    return try text.split(separator: "\n").map { line in
      var members = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      members["seconds"] = nil
      return members as NSDictionary
    }
  }

  @Test func digitsJustWork() throws {
    let run = folder.file("run")
    let outcome = try Apus.run("train", "--data", "digits", "-o", run)
    #expect(outcome.status == 0 && outcome.complaints.isEmpty, "\(outcome)")
    let line = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("Test accuracy") })
    #expect(try #require(Double(line.split(separator: " ").last ?? "")) >= 0.97)
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: run)) == [
        "checkpoint.safetensors", "config.json", "log.jsonl", "model.safetensors", "report.html",
      ])
    let names = try SafetensorsFile("\(run)/model.safetensors").entries.map(\.name)
    #expect(names == ["0.weight", "0.bias", "2.weight", "2.bias"])
    let page = try String(contentsOfFile: "\(run)/report.html", encoding: .utf8)
    #expect(page.contains("Learning rate") && page.contains("Test accuracy"))
    #expect(try log(run).count > 50)
  }

  @Test func aConvolutionalNetworkReadsDigits() throws {
    let outcome = try Apus.run(
      "train", "--data", "digits", "--model", "resnet8", "-o", folder.file("cnn"), "--json")
    let json = try #require(try outcome.json() as? [String: Any])
    #expect(outcome.status == 0 && json["model"] as? String == "resnet8")
    #expect(try #require(json["testAccuracy"] as? Double) >= 0.985)
  }

  /// Killed without notice at random moments, most of them while a checkpoint is being written, and resumed each time.
  @Test(arguments: 0..<3) func aKilledRunEndsWithTheSameBits(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let settings = [
      "--data", "digits", "--hidden", "24", "--steps", "250", "--checkpoint-every", "1", "--log-every", "3",
    ]
    let variant = [[], ["--average", "0.9", "--accumulate", "2"], ["--patience", "40", "--evaluate-every", "5"]][
      Int(seed)]
    let (whole, parts) = (folder.file("whole"), folder.file("parts"))
    #expect(try Apus.run(["train", "-o", whole] + settings + variant).status == 0)

    var kills = 0
    func logged() -> Int { (try? contents("\(parts)/log.jsonl").count) ?? 0 }
    while true {
      let canResume = FileManager.default.fileExists(atPath: "\(parts)/config.json")
      let process = Process()
      process.executableURL = Apus.executable
      process.arguments = ["train", "-o", parts] + (canResume ? ["--resume"] : settings + variant)
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      // Four lives end some steps after they began, wherever they are then; the fifth goes to the end.
      let wanted = logged() + Int.random(in: 1...1_500, using: &generator)
      while process.isRunning, kills == 4 || logged() < wanted { usleep(500) }
      usleep(UInt32.random(in: 0..<4_000, using: &generator))
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        kills += 1
      }
      process.waitUntilExit()
      if process.terminationReason == .exit {
        try #require(process.terminationStatus == 0, "seed \(seed)")
        break
      }
    }
    #expect(kills >= 1, "seed \(seed)")
    #expect(
      try contents("\(parts)/model.safetensors") == contents("\(whole)/model.safetensors"),
      "seed \(seed), \(kills) kills")
    #expect(try log(parts) == log(whole), "seed \(seed)")
    let names = try FileManager.default.contentsOfDirectory(atPath: parts)
    #expect(!names.contains { $0.hasSuffix(".partial") }, "\(names)")
  }

  @Test func controlCSavesFirst() throws {
    let run = folder.file("run")
    let settings = ["--data", "wine", "--hidden", "16", "--steps", "60000"]
    let process = Process()
    process.executableURL = Apus.executable
    process.arguments = ["train", "-o", run] + settings
    process.standardOutput = FileHandle.nullDevice
    let complaints = Pipe()
    process.standardError = complaints
    try process.run()
    let log = "\(run)/log.jsonl"
    while process.isRunning, ((try? contents(log).count) ?? 0) == 0 { usleep(1_000) }
    process.interrupt()
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGINT)
    let said = String(decoding: complaints.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    #expect(said.contains("interrupted") && said.contains("--resume"), "\(said)")
    #expect(FileManager.default.fileExists(atPath: "\(run)/checkpoint.safetensors"))
    let resumed = try Apus.run("train", "--resume", "--steps", "60000", "-o", run, "--patience", "3")
    #expect(resumed.status == 2 && resumed.sentence?.contains("patience") == true, "\(resumed)")
    #expect(try Apus.run("train", "--data", "wine", "-o", run).sentence?.contains("--resume") == true)
  }

  @Test func aLossThatIsNoNumberStopsTheRun() throws {
    let outcome = try Apus.run(
      "train", "--data", "iris", "--optimizer", "sgd", "--learning-rate", "1e30", "--steps", "50", "-o",
      folder.file("bad"))
    #expect(outcome.status == 2 && outcome.output.isEmpty)
    let sentence = try #require(outcome.sentence)
    #expect(
      sentence.contains("step ") && sentence.contains(".weight") && sentence.contains("learning rate"), "\(sentence)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("bad/model.safetensors")))
  }

  @Test(arguments: [
    ([], "--output"), (["--data", "digit"], "did you mean 'digits'?"), (["--data", "xyzzy"], "there are digits"),
    (["--data", "none.csv"], "no such file"), (["--data", "digits", "--model", "mpl"], "did you mean 'mlp'?"),
    (["--data", "digits", "--optimizer", "adamv"], "did you mean 'adam'?"),
    (["--data", "digits", "--schedule", "cosin"], "did you mean 'cosine'?"),
    (["--data", "digits", "--steps", "0"], "--steps"),
    (["--data", "digits", "--steps", "2", "--epochs", "1"], "not both"),
    (["--data", "digits", "--hidden", "3,x"], "--hidden"), (["--data", "digits", "--test", "1"], "fractions"),
    (["--data", "digits", "--learning-rate", "0"], "--learning-rate"), (["--data", "digits", "--clip=-1"], "norm"),
    (["--data", "iris", "--model", "lenet"], "needs images"),
    (["--data", "digits", "--model", "lenet"], "take resnet8"),
    (["--data", "digits", "--model", "gpt"], "learns texts"),
    (["--data", "diabetes", "--model", "resnet8"], "take mlp"),
    (["--data", "shakespeare-plays", "--model", "mlp"], "take gpt"),
    (["--data", "shakespeare-plays", "--tokenizer", "bpe:9"], "bpe:N"),
    (["--data", "shakespeare-plays", "--heads", "3"], "multiple"), (["--resume"], "--resume"),
  ])
  func wrongUsageIsTwo(arguments: [String], part: String) throws {
    let target = arguments.isEmpty ? [] : ["-o", folder.file("run")]
    let outcome = try Apus.run(["train"] + arguments + target)
    #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.sentence?.contains(part) == true, "\(outcome)")
  }

  @Test func ownFilesAreData() throws {
    let table = folder.file("table.csv")
    let rows = (0..<200).map { i in "\(i % 20),\(i * 7 % 11),\(i % 20 < 10 ? 0 : 1)" }
    try ("a,b,class\n" + rows.joined(separator: "\n")).write(toFile: table, atomically: true, encoding: .utf8)
    let outcome = try Apus.run(
      "train", "--data", table, "--hidden", "16", "--epochs", "150", "--json", "-o", folder.file("own"))
    let json = try #require(try outcome.json() as? [String: Any], "\(outcome)")
    #expect(try #require(json["testAccuracy"] as? Double) > 0.95, "\(outcome)")
    let regression = try Apus.run(
      "train", "--data", "diabetes", "--hidden", "16", "--epochs", "30", "--json", "-o", folder.file("diabetes"))
    let loss = try #require((try regression.json() as? [String: Any])?["testLoss"] as? Double, "\(regression)")
    // The variance of the targets is 5,930.
    #expect(loss < 4_500)
  }

  @Test func aTextIsContinued() throws {
    let text = folder.file("text.txt")
    try String(repeating: "abcabcabc\n", count: 400).write(toFile: text, atomically: true, encoding: .utf8)
    let run = folder.file("gpt")
    let shape = ["--width", "32", "--heads", "2", "--layers", "2", "--context", "16", "--warmup", "5"]
    let settings = ["train", "--data", text, "--steps", "120", "--store", "f16", "-o", run, "--json"]
    let trained = try Apus.run(settings + shape)
    let json = try #require(try trained.json() as? [String: Any], "\(trained)")
    #expect(try #require(json["testLoss"] as? Double) < 0.2)
    #expect(try SafetensorsFile("\(run)/model.safetensors").entries.allSatisfy { $0.type == .float16 })
    let outcome = try Apus.run("generate", run, "abcabcabc\nabc", "--tokens", "6", "--temperature", "0")
    #expect(outcome.output == "abcabcabc\nabcabcabc\n", "\(outcome)")
    let (first, second) = (
      try Apus.run("generate", run, "ab", "--seed", "3", "--temperature", "2"),
      try Apus.run("generate", run, "ab", "--seed", "3", "--temperature", "2")
    )
    #expect(first.output == second.output && first.status == 0)
    #expect(try Apus.run("generate", run, "xyz").sentence?.contains("alphabet") == true)
    #expect(try Apus.run("generate", run, "").sentence?.contains("empty") == true)
    #expect(try Apus.run("generate", run, "ab", "--temperature", "-1").sentence?.contains("temperature") == true)
    #expect(try Apus.run("generate", folder.file("none"), "ab").status == 2)
  }

  @Test func embeddingAsksForWhatItNeeds() throws {
    #expect(try Apus.run("embed", folder.path).sentence?.contains("--file") == true)
    #expect(try Apus.run("embed", folder.path, "a", "--file", "b").sentence?.contains("not both") == true)
    #expect(try Apus.run("embed", folder.path, "a", "-o", "x.foo").sentence?.contains(".npy") == true)
    #expect(try Apus.run("embed", folder.path, "a").status == 2)
  }

  static let encoder: String? = {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = package.appendingPathComponent(".cache/minilm").path
    return FileManager.default.fileExists(atPath: "\(folder)/model.safetensors") ? folder : nil
  }()

  @Test(.enabled(if: encoder != nil, "no sample checkpoint")) func sentencesBecomeVectors() throws {
    let encoder = try #require(Self.encoder)
    let output = folder.file("v.npy")
    let lines = folder.file("lines.txt")
    try "A cat sat on a mat.\nA dog lay on a rug.\nInterest rates rose.\n".write(
      toFile: lines, atomically: true, encoding: .utf8)
    let outcome = try Apus.run("embed", encoder, "--file", lines, "-o", output)
    #expect(outcome.status == 0 && outcome.output.hasPrefix("3 vectors of 384 numbers\n"), "\(outcome)")
    let vectors = try readNPY(output).asFloat()
    let cosines = vectors.matmul(vectors, transposingB: true)
    #expect(vectors.shape == [3, 384] && abs(cosines[at: 2, 2] - 1) < 1e-5)
    #expect(cosines[at: 0, 1] > cosines[at: 0, 2] + 0.2)
  }

  @Test(arguments: ["train", "generate", "embed"]) func helpHasAnExample(command: String) throws {
    let outcome = try Apus.run(command, "--help")
    #expect(
      outcome.status == 0 && outcome.output.contains("or example") && outcome.output.contains("  apus \(command)"))
  }
}
