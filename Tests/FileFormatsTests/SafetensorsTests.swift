import FileFormats
import Tensors
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  let folder = TemporaryFolder()

  @Test func everyTypeAndShapeSurvivesARoundTrip() throws {
    var generator = TestGenerator(seed: 2)
    var tensors: [(name: String, tensor: AnyTensor)] = []
    for shape in [[], [0], [1], [7], [3, 0, 2], [4, 5], [2, 3, 4, 5]] as [[Int]] {
      for tensor in generator.tensorsOfAllTypes(shape) {
        tensors.append(("\(tensor.typeName) \(shape) \u{1F426} \"quoted\"\\\n", tensor))
      }
    }
    let path = folder.file("all.safetensors")
    let metadata = ["format": "pt", "größe": "a \"b\"\n\u{1}"]
    try writeSafetensors(tensors, to: path, metadata: metadata)
    let file = try SafetensorsFile(path)
    #expect(file.metadata == metadata)
    #expect(file.entries.count == tensors.count)
    for (name, tensor) in tensors { #expect(try file.tensor(named: name) == tensor, "\(name)") }
  }
}
