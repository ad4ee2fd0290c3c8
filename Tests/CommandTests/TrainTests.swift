import FileFormats
import Foundation
import Tensors
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
    // Numbers with which nothing can be trained.
    (["--data", "shakespeare-plays", "--validation", "2"], "fractions"),
    (["--data", "shakespeare-plays", "--validation", "nan"], "fractions"),
    (["--data", "shakespeare-plays", "--width", "9223372036854775807"], "--width"),
    (["--data", "shakespeare-plays", "--batch", "9223372036854775807"], "--batch"),
    (["--data", "shakespeare-plays", "--batch", "1000000", "--context", "60000"], "GB"),
    (["--data", "shakespeare-plays", "--width", "65536", "--layers", "1000"], "GB"),
    (["--data", "shakespeare-plays", "--layers", "0"], "--layers"),
    (["--data", "shakespeare-plays", "--heads", "0"], "--heads"),
    (["--data", "digits", "--hidden", "1000000,1000000"], "GB"),
    (["--data", "digits", "--steps", "9223372036854775807"], "--steps"),
    (["--data", "digits", "--epochs", "1e300"], "--epochs"), (["--data", "digits", "--warmup", "1e3"], "--warmup"),
    (["--data", "digits", "--warmup", "9223372036854775807"], "--warmup"),
    (["--data", "digits", "--accumulate", "0"], "--accumulate"), (["--data", "digits", "--average", "1"], "--average"),
    (["--data", "digits", "--patience", "0"], "--patience"), (["--data", "digits", "--log-every", "0"], "--log-every"),
    // Options that would do nothing.
    (["--data", "digits", "--model", "resnet8", "--hidden", "3"], "--hidden has no effect"),
    (["--data", "digits", "--layers", "3"], "--layers has no effect"),
    (["--data", "digits", "--tokenizer", "bytes"], "--tokenizer has no effect"),
    (["--data", "iris", "--shift", "1"], "--shift has no effect"),
    (["--data", "diabetes", "--smoothing", "0.1"], "--smoothing has no effect"),
    (["--data", "digits", "--classes"], "--classes has no effect"),
    (["--data", "digits", "--schedule", "constant", "--floor", "0.1"], "--floor has no effect"),
    (["--data", "digits", "--validation", "0", "--patience", "3"], "--patience has no effect"),
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
    #expect(try #require(json["validationLoss"] as? Double) < 0.2 && json["testLoss"] is NSNull)
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

  /// A resumed run that is killed goes on with the settings that it was resumed with.
  @Test func moreStepsAreKeptFromTheBeginning() throws {
    let run = folder.file("longer")
    let settings = ["train", "--data", "iris", "--hidden", "8", "--checkpoint-every", "5", "-o", run]
    #expect(try Apus.run(settings + ["--steps", "20"]).status == 0)
    let process = Process()
    process.executableURL = Apus.executable
    process.arguments = ["train", "--resume", "--steps", "50000", "-o", run]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    let before = try contents("\(run)/checkpoint.safetensors")
    try process.run()
    while process.isRunning, try contents("\(run)/checkpoint.safetensors") == before { usleep(1_000) }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try #require(process.terminationReason == .uncaughtSignal)
    let file = try JSONSerialization.jsonObject(with: contents("\(run)/config.json")) as? [String: Any]
    #expect((file?["settings"] as? [String: Any])?["steps"] as? Int == 50_000)
  }

  @Test func wholeNumbersAreWhatThePersonSays() throws {
    let table = folder.file("grades.csv")
    let rows = (0..<120).map { i in "\(i % 12),\(i * 7 % 11),\(i % 12 < 6 ? 10 : 200)" }
    try rows.joined(separator: "\n").write(toFile: table, atomically: true, encoding: .utf8)
    func train(_ name: String, _ more: [String] = []) throws -> Apus.Outcome {
      try Apus.run(["train", "--data", table, "--hidden", "8", "--steps", "60", "-o", folder.file(name)] + more)
    }
    let silent = try train("numbers", ["--regression"])
    #expect(silent.status == 0 && silent.complaints.isEmpty && silent.output.contains("a number"), "\(silent)")
    let guessed = try train("guessed")
    #expect(guessed.status == 0 && guessed.output.contains("a number"))
    #expect(guessed.sentence?.contains("--classes") == true && guessed.sentence?.contains("10 to 200") == true)
    let classes = try train("classes", ["--classes"])
    #expect(
      classes.status == 0 && classes.complaints.isEmpty && classes.output.contains("one of 2 classes"), "\(classes)")
    let page = try String(contentsOfFile: folder.file("classes/config.json"), encoding: .utf8)
    #expect(page.contains("\"10\"") && page.contains("\"200\""))
    #expect(try train("both", ["--classes", "--regression"]).sentence?.contains("not both") == true)
  }

  /// Images of any range, and so small that a batch of one would have a single value a channel.
  @Test(arguments: ["mlp", "resnet8"]) func ownImagesAreScaled(model: String) throws {
    var generator = TestGenerator(seed: 1)
    let noise: Tensor<Float> = generator.tensor([130, 1, 4, 4])
    let labels = (0..<130).map { $0 % 2 }
    let offsets = Tensor<Float>(labels.map { Float($0) }).reshaped([130, 1, 1, 1])
    try writeNPY(noise * 2_000 + offsets * 4_000 + 20_000, to: folder.file("x.npy"))
    try writeNPY(Tensor(labels), to: folder.file("y.npy"))
    let data = "\(folder.file("x.npy")),\(folder.file("y.npy"))"
    // 91 of the images are trained on: the last batch of 30 has one.
    let settings = ["--data", data, "--model", model, "--batch", "30", "--steps", "120", "--json"]
    let outcome = try Apus.run(["train"] + settings + ["-o", folder.file("images")])
    let json = try #require(try outcome.json() as? [String: Any], "\(outcome)")
    #expect(try #require(json["testAccuracy"] as? Double) >= 0.95, "\(outcome)")
    let config = try JSONSerialization.jsonObject(with: contents(folder.file("images/config.json"))) as? [String: Any]
    let mean = (config?["details"] as? [String: Any])?["featureMean"] as? [Double]
    #expect(mean.map { $0.count == 1 && abs($0[0] - 22_000) < 500 } == true, "\(String(describing: mean))")
    guard model == "resnet8" else { return }
    let single = try Apus.run("train", "--data", data, "--model", model, "--batch", "1", "-o", folder.file("one"))
    #expect(single.status == 2 && single.sentence?.contains("--batch") == true, "\(single)")
  }

  @Test func aTextHasThreeParts() throws {
    let text = folder.file("text.txt")
    try String(repeating: "abcabcabc\n", count: 500).write(toFile: text, atomically: true, encoding: .utf8)
    let run = folder.file("parts")
    let shape = ["--width", "16", "--heads", "2", "--layers", "1", "--context", "16", "--warmup", "2", "--batch", "8"]
    let settings = ["train", "--data", text, "-o", run, "--json"] + shape
    // An epoch is all windows of the training part: 3,500 tokens make 218 of them, 28 batches.
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    try Data("old".utf8).write(to: URL(fileURLWithPath: "\(run)/tokenizer.json"))
    let outcome = try Apus.run(
      settings + ["--tokenizer", "bytes", "--epochs", "1", "--validation", "0.1", "--test", "0.2"])
    let json = try #require(try outcome.json() as? [String: Any], "\(outcome)")
    #expect(json["steps"] as? Int == 28 && json["testLoss"] is Double && json["validationLoss"] is Double, "\(json)")
    // Bytes need no file; that of an earlier run would be read instead.
    #expect(!FileManager.default.fileExists(atPath: "\(run)/tokenizer.json"))
    #expect(try Apus.run("generate", run, "abc", "--tokens", "3").status == 0)
    let without = try Apus.run(["train", "--data", text, "-o", folder.file("two"), "--steps", "3"] + shape)
    #expect(without.output.contains("Validation loss (nats a token)") && !without.output.contains("Test"), "\(without)")
  }

  /// Muon makes the steps of hidden matrices orthogonal; those of the last layer are AdamW's.
  @Test(arguments: [("mlp", "2.weight"), ("lenet", "fc3.weight"), ("resnet8", "fc.weight")])
  func theLastLayerIsNotMuons(model: String, last: String) throws {
    let run = folder.file("muon")
    let data = model == "lenet" ? "mnist" : "digits"
    let settings = ["--data", data, "--model", model, "--optimizer", "muon", "--steps", "1", "--batch", "8"]
    #expect(try Apus.run(["train"] + settings + ["-o", run]).status == 0)
    let names = try SafetensorsFile("\(run)/checkpoint.safetensors").entries.map(\.name)
    #expect(names.contains("optimizer/rest.firstMoment/\(last)"), "\(names)")
    #expect(!names.contains("optimizer/orthogonalMomentum/\(last)"))
    guard model != "resnet8" else { return }
    #expect(names.contains("optimizer/orthogonalMomentum/\(model == "mlp" ? "0" : "fc2").weight"), "\(names)")
  }

  @Test func convolutionsReadHandwriting() throws {
    let settings = ["--data", "mnist", "--model", "lenet", "--json"]
    let outcome = try Apus.run(["train"] + settings + ["-o", folder.file("mnist")])
    let json = try #require(try outcome.json() as? [String: Any], "\(outcome)")
    #expect(try #require(json["testAccuracy"] as? Double) >= 0.97, "\(outcome)")
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
