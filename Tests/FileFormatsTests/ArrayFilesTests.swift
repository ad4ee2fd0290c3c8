import FileFormats
import Tensors
import TestSupport
import Testing

@Suite struct ArrayFilesTests {
  let folder = TemporaryFolder()

  @Test(arguments: ["npy", "npz", "safetensors", "csv", "tsv", "mtx", "txt", "NPY"])
  func matricesGoThroughEveryFormat(ending: String) throws {
    var generator = TestGenerator(seed: 7)
    let matrix: Tensor<Double> = generator.tensor([4, 3])
    let path = folder.file("matrix.\(ending)")
    try writeArray(matrix, to: path)
    #expect(try readMatrix(path) == matrix)
    #expect(try readArray(path) == .double(matrix))
    #expect(try readArrays(path).map(\.array) == [.double(matrix)])
  }

  @Test func contentsCountMoreThanNames() throws {
    let path = folder.file("wrong.csv")
    let other = folder.file("right.npy")
    try writeNPY(Tensor<Float>([1, 2]), to: other)
    writeBytes(readBytes(other), to: path)
    #expect(try readArray(path) == .float(Tensor([1, 2])))
    writeText("1 2\n3 4\n", to: folder.file("numbers"))
    #expect(try readMatrix(folder.file("numbers")) == Tensor([[1, 2], [3, 4]]))
  }

  @Test func arraysAreChosenByName() throws {
    let arrays: [(name: String, array: AnyTensor)] = [("a", .float(Tensor([1]))), ("b#c", .int(Tensor([2])))]
    let archive = folder.file("two.npz")
    let checkpoint = folder.file("two.safetensors")
    try writeNPZ(arrays, to: archive)
    try writeSafetensors(arrays.map { ($0.name, $0.array) }, to: checkpoint)
    for path in [archive, checkpoint] {
      #expect(try readArray(path + "#a") == arrays[0].array)
      let error = fileError { _ = try readArray(path) }
      #expect(error?.kind == .noSuchArray && error?.reason.contains("FILE#NAME") == true)
      #expect(fileError { _ = try readArray(path + "#x") }?.kind == .noSuchArray)
      #expect(try readArrays(path).count == 2)
    }
    let odd = folder.file("c#.npy")
    try writeNPY(Tensor<Float>([3]), to: odd)
    #expect(try readArray(odd) == .float(Tensor([3])))
    #expect(fileError { _ = try readArray(odd + "#a") }?.kind == .noSuchArray)
  }

  @Test func whatIsNoMatrixIsRefused() throws {
    let path = folder.file("vector.npy")
    try writeNPY(Tensor<Float>([3]), to: path)
    #expect(fileError { _ = try readMatrix(path) }?.kind == .unsuitable)
    #expect(fileError { _ = try readMatrix(folder.file("nothing.npy")) }?.kind == .missing)
    #expect(fileError { try writeArray(Tensor<Float>([3]), to: folder.file("name.xyz")) }?.kind == .unsupported)
    #expect(throws: InvalidArgument.self) { try writeArray(Tensor<Float>.zeros([1, 1, 1]), to: folder.file("a.mtx")) }
    writeBytes([0x1F, 0x8B, 8, 0], to: folder.file("x.csv.gz"))
    #expect(fileError { _ = try readArray(folder.file("x.csv.gz")) }?.reason.contains("gzip") == true)
    writeBytes([0, 1, 2], to: folder.file("binary"))
    #expect(fileError { _ = try readArray(folder.file("binary")) }?.kind == .foreign)
  }

  @Test func conversionsKeepTheValues() throws {
    #expect(AnyTensor(Tensor<Int8>([-1, 127])).asDouble() == Tensor([-1, 127]))
    #expect(AnyTensor(Tensor<UInt64>([0, 1 << 60])).asDouble() == Tensor([0, 0x1p60]))
    #expect(AnyTensor(Tensor<Bool>([true, false])).asFloat() == Tensor([1, 0]))
    #expect(AnyTensor(Tensor<Float>([0.5])).asDouble() == Tensor([0.5]))
    #expect(try AnyTensor(Tensor<Double>([3, -4])).asInt("labels") == Tensor([3, -4]))
    #expect(try AnyTensor(Tensor<UInt64>([UInt64(Int.max)])).asInt("labels") == Tensor([Int.max]))
    #expect(throws: InvalidArgument.self) { _ = try AnyTensor(Tensor<Double>([0.5])).asInt("labels") }
    #expect(throws: InvalidArgument.self) { _ = try AnyTensor(Tensor<Double>([.nan])).asInt("labels") }
    #expect(throws: InvalidArgument.self) { _ = try AnyTensor(Tensor<UInt64>([.max])).asInt("labels") }
    #expect(AnyTensor(Tensor<Float>([1, 2])) != AnyTensor(Tensor<Double>([1, 2])))
  }
}
