import Datasets
import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct DataFileTests {
  private let folder = TemporaryFolder()

  private func write(_ text: String, _ name: String) throws -> String {
    try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
    return folder.file(name)
  }

  @Test func aTableHasItsLabelsLast() throws {
    let path = try write("x,y,class\n1,2,0\n3,4,1\n5,6,1\n", "t.csv")
    guard case .labelled(let data) = try FileData(features: path) else { return #expect(Bool(false)) }
    #expect(data.features == Tensor([[1, 2], [3, 4], [5, 6]]) && data.labels == Tensor([0, 1, 1]))
    #expect(data.classNames == ["0", "1"])
    guard case .regression(let numbers) = try FileData(features: path, taking: .targets) else {
      return #expect(Bool(false))
    }
    #expect(numbers.targets == Tensor([[0], [1], [1]]))
  }

  @Test func numbersThatOccurAreClasses() throws {
    let path = try write("1,2,10\n3,4,-1\n5,6,10\n7,8,2.5\n", "t.csv")
    guard case .labelled(let data) = try FileData(features: path, taking: .classes) else { return #expect(Bool(false)) }
    #expect(data.labels == Tensor([2, 0, 2, 1]) && data.classNames == ["-1", "2.5", "10"])
    guard case .regression = try FileData(features: path) else { return #expect(Bool(false)) }
    let x = try write("1,2\n3,4\n", "x.csv")
    let y = try write("1,2\n3,4\n", "y.csv")
    #expect(throws: InvalidArgument.self) { try FileData(features: x, labels: y, taking: .classes) }
  }

  @Test func aPairOfArrays() throws {
    try writeNPY(Tensor<Float>.ones([3, 1, 4, 4]), to: folder.file("x.npy"))
    try writeNPY(Tensor<Int>([2, 0, 1]), to: folder.file("y.npy"))
    guard case .labelled(let data) = try FileData(features: folder.file("x.npy"), labels: folder.file("y.npy")) else {
      return #expect(Bool(false))
    }
    #expect(data.images.shape == [3, 1, 4, 4] && data.labels == Tensor([2, 0, 1]))
    try writeNPY(Tensor<Double>([0.5, 1, 2]), to: folder.file("z.npy"))
    guard case .regression(let numbers) = try FileData(features: folder.file("x.npy"), labels: folder.file("z.npy"))
    else { return #expect(Bool(false)) }
    #expect(numbers.targets.shape == [3, 1])
  }

  @Test func aTextIsACorpus() throws {
    let path = try write("Grüße", "a.txt")
    guard case .text(let corpus) = try FileData(features: path) else { return #expect(Bool(false)) }
    #expect(corpus.text == "Grüße")
    try Data([0x41, 0xFF, 0xFE]).write(to: URL(fileURLWithPath: folder.file("bad.txt")))
    #expect(throws: FileError.self) { try FileData(features: folder.file("bad.txt")) }
    #expect(throws: FileError.self) { try FileData(features: try write("", "empty.txt")) }
    #expect(throws: InvalidArgument.self) { try FileData(features: path, labels: path) }
  }

  @Test func misfitsAreRefused() throws {
    #expect(throws: FileError.self) { try FileData(features: folder.file("none.csv")) }
    let narrow = try write("1\n2\n", "narrow.csv")
    #expect(throws: InvalidArgument.self) { try FileData(features: narrow) }
    let x = try write("1,2\n3,4\n", "x.csv")
    let long = try write("0\n1\n0\n", "long.csv")
    #expect(throws: InvalidArgument.self) { try FileData(features: x, labels: long) }
    let holes = try write("1,2\nnan,4\n", "holes.csv")
    let error = #expect(throws: InvalidArgument.self) { try FileData(features: holes) }
    #expect(error?.description.contains("[1, 0]") == true)
  }
}
