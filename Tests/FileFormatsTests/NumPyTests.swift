import FileFormats
import Tensors
import TestSupport
import Testing

@Suite struct NumPyTests {
  let folder = TemporaryFolder()

  @Test(arguments: [[], [0], [1], [7], [3, 0, 2], [4, 5], [2, 3, 4, 5], [1, 1, 1]] as [[Int]])
  func everyTypeSurvivesARoundTrip(shape: [Int]) throws {
    var generator = TestGenerator(seed: 1)
    for tensor in generator.tensorsOfAllTypes(shape) {
      let path = folder.file("\(tensor.typeName).npy")
      try writeNPY(tensor, to: path)
      #expect(try readNPY(path) == tensor, "\(tensor.typeName) of shape \(shape)")
    }
  }

  @Test func viewsAreWrittenAsTheyRead() throws {
    let matrix = Tensor<Double>([[1, 2, 3], [4, 5, 6]])
    let path = folder.file("view.npy")
    for view in [matrix.transposed, matrix[.all, 1..<3], matrix[0].broadcast(to: [2, 3]), matrix.reversed(axis: 1)] {
      try writeNPY(view, to: path)
      #expect(try readNPY(path) == .double(view))
    }
  }

  @Test func specialNumbersKeepTheirBits() throws {
    let numbers = Tensor<Double>([.nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude])
    let path = folder.file("special.npy")
    try writeNPY(numbers, to: path)
    let read = try readNPY(path).asDouble()
    #expect(read.scalars.map(\.bitPattern) == numbers.scalars.map(\.bitPattern))
  }
}
