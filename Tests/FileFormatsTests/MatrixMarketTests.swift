import FileFormats
import Tensors
import TestSupport
import Testing

@Suite struct MatrixMarketTests {
  let folder = TemporaryFolder()

  private func read(_ text: String) throws -> CoordinateMatrix {
    let path = folder.file("made.mtx")
    writeText(text, to: path)
    return try readMatrixMarket(path)
  }

  @Test func filesOfSciPyAreRead() throws {
    let symmetric = Tensor<Double>([[2, 0, -1.5], [0, 0, 1.0 / 3], [-1.5, 1.0 / 3, 4]])
    #expect(try readMatrixMarket(fixture("symmetric.mtx")).dense() == symmetric)
    #expect(try readMatrixMarket(fixture("array.mtx")).dense() == pattern(.float64, [3, 2]).asDouble())
    #expect(fileError { _ = try readMatrixMarket(fixture("complex.mtx")) }?.kind == .unsupportedType)
  }

  @Test func everyKindIsRead() throws {
    let skew = try read("%%MatrixMarket matrix coordinate integer skew-symmetric\n% c\n3 3 1\n\n3 1 5\n").dense()
    #expect(skew == Tensor([[0, 0, -5], [0, 0, 0], [5, 0, 0]]))
    let graph = try read("%%matrixmarket MATRIX Coordinate Pattern General\r\n2 3 2\r\n1 3\r\n2 1").dense()
    #expect(graph == Tensor([[0, 0, 1], [1, 0, 0]]))
    let array = try read("%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n").dense()
    #expect(array == Tensor([[1, 2], [2, 3]]))
    let skewArray = try read("%%MatrixMarket matrix array real skew-symmetric\n2 2\n7\n").dense()
    #expect(skewArray == Tensor([[0, -7], [7, 0]]))
    let twice = try read("%%MatrixMarket matrix coordinate real general\n1 1 2\n1 1 1.5\n1 1 2\n").dense()
    #expect(twice == Tensor([[3.5]]))
    #expect(try read("%%MatrixMarket matrix coordinate real general\n0 5 0\n").dense().shape == [0, 5])
  }

  @Test func matricesSurviveARoundTrip() throws {
    var generator = TestGenerator(seed: 6)
    let dense: Tensor<Double> = generator.tensor([13, 7])
    let path = folder.file("matrix.mtx")
    try writeMatrixMarket(dense, to: path)
    #expect(try readMatrixMarket(path).dense() == dense)
    try writeMatrixMarket(dense.transposed, to: path)
    #expect(try readMatrixMarket(path).dense() == dense.transposed)
    let sparse = CoordinateMatrix(
      rows: 1 << 40, columns: 3, rowIndices: Tensor([0, (1 << 40) - 1]), columnIndices: Tensor([2, 1]),
      values: Tensor([0.1, -1e300]))
    try writeMatrixMarket(sparse, to: path)
    let read = try readMatrixMarket(path)
    #expect(read.rows == sparse.rows && read.columns == 3 && read.values == sparse.values)
    #expect(read.rowIndices == sparse.rowIndices && read.columnIndices == sparse.columnIndices)
    #expect(throws: InvalidArgument.self) { _ = try read.dense() }
  }

  @Test(arguments: [
    "", "%%MatrixMarket", "%%MatrixMarket matrix coordinate real general\n", "1 1 1\n1 1 1\n",
    "%%MatrixMarket vector coordinate real general\n1 1 1\n1 1 1\n",
    "%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 1 0\n",
    "%%MatrixMarket matrix coordinate real hermitian\n1 1 1\n1 1 1\n",
    "%%MatrixMarket matrix array pattern general\n1 1\n1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1 1\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 2\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 1\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1\n2 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 0 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 -1 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 x\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1\n",
    "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n0 0 1\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real symmetric\n2 3 1\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1\n",
    "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n3 3 1152921504606846976\n1 1 1\n",
    "%%MatrixMarket matrix coordinate real general\n3 3 99999999999999999999\n1 1 1\n",
    "%%MatrixMarket matrix array real general\n4294967296 4294967296\n1\n",
    "%%MatrixMarket matrix array real general\n1000000000 1000000000\n1\n",
    "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n",
    "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n5\n",
    "%%MatrixMarket matrix array real general\n1 2\n1 2\n",
  ])
  func filesThatBreakTheRulesAreRefused(text: String) {
    #expect(fileError { _ = try read(text) } != nil)
  }
}
