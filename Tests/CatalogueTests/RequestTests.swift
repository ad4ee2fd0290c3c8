import CatalogueCore
import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct RequestTests {
  let toy = ToyMethod()
  let folder: ScratchFiles
  let data: String

  init() throws {
    folder = try ScratchFiles()
    data = folder.path("data.npy")
    try writeNPY(Tensor<Double>([[1, 2], [3, 4], [5, 9]]), to: data)
  }

  private func request(_ words: String...) throws -> RunRequest {
    try RunRequest(toy.card, ["data=\(data)"] + words)
  }

  /// The message of the error that the words lead to.
  private func complaint(_ words: [String]) -> String {
    do {
      _ = try toy.run(RunRequest(toy.card, words))
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func defaultsHoldWhereNothingIsGiven() throws {
    let request = try request()
    #expect(request[toy.rule] == .plain)
    #expect(request[toy.scale] == 1)
    #expect(request[toy.limit] == 100)
    #expect(request[toy.factors] == [])
    #expect(!request[toy.centred])
    #expect(!request.isGiven(toy.scale) && !request.isGiven(toy.weights) && request.isGiven(toy.data))
    #expect(try request.matrix(toy.data) == Tensor([[1, 2], [3, 4], [5, 9]]))
    #expect(try request.matrix(toy.data, as: Float.self) == Tensor<Float>([[1, 2], [3, 4], [5, 9]]))
    #expect(try request.integers(toy.data) == Tensor([[1, 2], [3, 4], [5, 9]]))
  }

  @Test func valuesHaveTheirTypes() throws {
    let request = try request(
      "--rule", "weighted", "--scale=2.5", "--repeats", "3", "--centred", "--limit", "7", "--factors", "1,-0.5,2e3")
    #expect(request[toy.rule] == .weighted)
    #expect(request[toy.scale] == 2.5)
    #expect(request[toy.repeats] == 3)
    #expect(request[toy.centred])
    #expect(request[toy.limit] == 7)
    #expect(request[toy.factors] == [1, -0.5, 2000])
    #expect(request.isGiven(toy.scale))
    let none = try self.request("--limit", "none", "--factors", "none")
    #expect(none[toy.limit] == nil && none[toy.factors].isEmpty)
  }

  @Test(arguments: [
    (["--centred"], true), (["--centred", "no"], false), (["--centred=false"], false), (["--no-centred"], false),
    (["--centred", "--scale", "2"], true), (["--centred", "yes", "--scale", "2"], true),
  ])
  func flagsHaveManySpellings(words: [String], isOn: Bool) throws {
    #expect(try RunRequest(toy.card, ["data=\(data)"] + words)[toy.centred] == isOn)
  }

  @Test func runsFromFileToResult() throws {
    let outcome = try toy.run(request("--scale", "2"))
    #expect(outcome.outputs.map(\.name) == ["mean"])
    #expect(outcome.outputs[0].array.asDouble() == Tensor([6, 10]))
  }

  @Test(arguments: [
    (["--scal", "2"], "did you mean '--scale'"), (["--zzzzzz", "2"], "it has --rule, --scale"),
    (["--scale", "11"], "--scale: found '11', wanted a number, above 0 and at most 10"),
    (["--scale", "0"], "above 0"), (["--scale", "nan"], "'nan'"), (["--scale", "inf"], "'inf'"),
    (["--scale", "1e999"], "a number"), (["--scale"], "no value"), (["--scale", "--centred"], "no value"),
    (["--scale="], "found ''"), (["--scale", "1", "--scale", "2"], "two values"),
    (["--repeats", "2.5"], "an integer, at least 1"), (["--repeats", "0"], "at least 1"),
    (["--repeats", "99999999999999999999"], "an integer"), (["--rule", "plan"], "one of plain, weighted"),
    (["--factors", "1,,2"], "separated by commas"), (["--factors", "1,-2"], "at least -1"),
    (["--no-centred=yes"], "no value"), (["--no-scale"], "no parameter '--no-scale'"),
    (["wieghts=w.npy"], "did you mean 'weights'"), (["stray"], "neither name=file nor --parameter"),
    (["weights="], "no file name"), (["-x"], "neither name=file"), (["data=again.npy"], "two files"),
    (["=file"], "neither name=file"),
  ])
  func wrongWordsAreNamed(words: [String], part: String) {
    let message = complaint(["data=\(data)"] + words)
    #expect(message.contains(part), "\(message)")
    #expect(!message.contains("\n"))
  }

  @Test func aMissingInputIsNamed() {
    #expect(complaint([]).contains("'toy-mean' needs data=file, one point a row"))
  }

  @Test func filesThatCannotBeUsedAreNamed() throws {
    let nan = folder.path("nan.npy")
    try writeNPY(Tensor<Double>([[1, .nan]]), to: nan)
    #expect(complaint(["data=\(nan)"]).contains("data: found nan at [0, 1]"))
    let vector = folder.path("vector.npy")
    try writeNPY(Tensor<Double>([1, 2]), to: vector)
    #expect(complaint(["data=\(vector)"]).contains("data: found shape [2], wanted shape [points, coordinates]"))
    #expect(complaint(["data=\(data)", "weights=\(vector)"]).contains("with points = 3 as in 'data'"))
    let empty = folder.path("empty.npy")
    try writeNPY(Tensor<Double>(shape: [0, 3], scalars: []), to: empty)
    #expect(complaint(["data=\(empty)"]).contains("at least one row"))
    let none = folder.path("none.npy")
    #expect(complaint(["data=\(none)"]).contains(none))
  }

  @Test func oneColumnIsAVector() throws {
    let column = folder.path("column.csv")
    try "1\n0\n3\n".write(toFile: column, atomically: true, encoding: .utf8)
    let request = try request("weights=\(column)", "--rule", "weighted")
    #expect(try request.vector(toy.weights) == Tensor([1, 0, 3]))
    #expect(try toy.run(request).outputs[0].array.asDouble() == Tensor([4, 7.25]))
  }

  @Test func namedArraysComeFromAllKindsOfFiles() throws {
    let archive = folder.path("more.npz")
    try writeNPZ([("a", AnyTensor(Tensor<Double>([1]))), ("b", AnyTensor(Tensor<Float>([2])))], to: archive)
    let checkpoint = folder.path("model.safetensors")
    try writeSafetensors([("c", AnyTensor(Tensor<Float>([3])))], to: checkpoint)
    let words = ["extras=\(archive)", "extras=\(checkpoint)", "extras=\(data)"]
    let collection = try RunRequest(toy.card, ["data=\(data)"] + words).tensors(toy.extras)
    #expect(collection.names == ["a", "b", "c", "data"])
    #expect(try collection.all().map(\.1)[0..<3] == [Tensor([1]), Tensor([2]), Tensor([3])])
    #expect(complaint(["data=\(data)", "extras=\(archive)", "extras=\(archive)"]).contains("two arrays named 'a'"))
  }

  @Test func defaultsAreCheckedLikeGivenValues() {
    #expect(toy.card.defects == [])
  }

  @Test func defectsOfCardsAreSeen() {
    var card = toy.card
    card.id = "Toy"
    card.summary = "no full stop"
    card.example = "apus run Toy --scale 3"
    card.parameters.append(MethodParameter("seed", "Taken.", default: 1))
    card.outputs.append(card.outputs[0])
    let defects = card.defects.joined(separator: "\n")
    for part in ["small letters", "full stop", "needs data=file", "'seed' is a word", "two outputs"] {
      #expect(defects.contains(part), "\(part) in \(defects)")
    }
  }
}

/// A folder that is removed with the test.
final class ScratchFiles: Sendable {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }
}
