import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct RowReaderTests {
  private let folder = TemporaryFolder()

  @Test(arguments: [1, 3, 7, 100]) func piecesAreTheWhole(count: Int) throws {
    let x = Tensor<Double>(Tensor<Int>(0..<42)).reshaped([7, 2, 3])
    let path = folder.file("x.npy")
    try writeNPY(x, to: path)
    var reader = try NumPyRowReader(path)
    #expect(reader.shape == [7, 2, 3] && reader.rows == 7 && reader.rowCount == 6 && reader.type == .float64)
    var pieces: [Tensor<Double>] = []
    while let piece = try reader.next(atMost: count, as: Double.self) { pieces.append(piece) }
    #expect(Tensor.concatenated(pieces, axis: 0) == x && reader.position == 7)
    #expect(try reader.next(atMost: 1) == nil)
    reader.rewind()
    #expect(try reader.next(atMost: 2, as: Float.self) == Tensor<Float>(x[0..<2]))
  }

  @Test func otherTypesAreConverted() throws {
    let path = folder.file("half.npy")
    let x = Tensor<Float>([[1, 2], [3, 4], [5, 6]])
    try writeNPY(AnyTensor(x), to: path, as: .float16)
    var reader = try NumPyRowReader(path)
    #expect(try reader.next(atMost: 1, as: Float.self) == x[0..<1].dense)
    #expect(try reader.next(atMost: 9, as: Float.self) == x[1..<3].dense)
    let references = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Reference/Files").path
    var swapped = try NumPyRowReader("\(references)/big_endian.npy")
    let whole = try readNPY("\(references)/big_endian.npy").asDouble()
    #expect(try swapped.next(atMost: 1_000, as: Double.self) == whole)
  }

  @Test func filesThatCannotBeReadSaySo() throws {
    func kind(_ body: () throws -> Void) -> FileError.Kind? {
      do {
        try body()
        return nil
      } catch { return (error as? FileError)?.kind }
    }
    #expect(kind { _ = try NumPyRowReader(folder.file("none.npy")) } == .missing)
    #expect(kind { _ = try NumPyRowReader(folder.path) } == .notRegular)
    let scalar = folder.file("scalar.npy")
    try writeNPY(Tensor(3.0), to: scalar)
    #expect(kind { _ = try NumPyRowReader(scalar) } == .unsuitable)
    let references = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Reference/Files").path
    #expect(kind { _ = try NumPyRowReader("\(references)/fortran.npy") } == .unsuitable)
    let path = folder.file("cut.npy")
    try writeNPY(Tensor<Double>.ones([100, 4]), to: path)
    // A file that is shortened, or grows, while it is read.
    for change in [-8, 8] {
      try writeNPY(Tensor<Double>.ones([100, 4]), to: path)
      var reader = try NumPyRowReader(path)
      _ = try reader.next(atMost: 10)
      truncate(path, off_t(128 + 3_200 + change))
      #expect(kind { _ = try reader.next(atMost: 10) } == .truncated)
      #expect(kind { _ = try NumPyRowReader(path) } == (change < 0 ? .truncated : .malformed))
    }
  }
}
