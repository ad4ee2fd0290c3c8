import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct RowStreamTests {
  private let folder = TemporaryFolder()

  private func rows(_ count: Int, _ columns: Int) -> Tensor<Double> {
    Tensor<Double>(Tensor<Int>(0..<count * columns)).reshaped([count, columns])
  }

  private func bytes(_ x: Tensor<Double>) -> Data { x.withUnsafeBuffer { Data(buffer: $0) } }

  /// A pipe with a name, into which another thread writes.
  private func pipe(_ data: Data, _ name: String = "pipe") throws -> String {
    let path = folder.file(name)
    try #require(mkfifo(path, 0o600) == 0)
    Thread.detachNewThread {
      signal(SIGPIPE, SIG_IGN)
      let descriptor = open(path, O_WRONLY)
      guard descriptor >= 0 else { return }
      try? FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).write(contentsOf: data)
    }
    return path
  }

  private func all(_ stream: consuming RowStream, _ count: Int) throws -> Tensor<Double> {
    var stream = stream
    var pieces: [Tensor<Double>] = []
    while let piece = try stream.next(atMost: count, as: Double.self) { pieces.append(piece) }
    #expect(try stream.next(atMost: count) == nil)
    return pieces.isEmpty ? .zeros([0, 0]) : .concatenated(pieces)
  }

  private func kind(_ body: () throws -> Void) -> FileError.Kind? {
    do {
      try body()
      return nil
    } catch { return (error as? FileError)?.kind }
  }

  @Test(arguments: [1, 7, 1_000]) func filesAndPipesGiveTheSame(count: Int) throws {
    let x = rows(300, 5)
    let path = folder.file("x.npy")
    try writeNPY(x, to: path)
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let stream = try RowStream(path)
    #expect(stream.rowShape == [5] && stream.rowCount == 5 && stream.expectedRows == 300 && stream.type == .float64)
    #expect(try all(stream, count) == x)
    #expect(try all(RowStream(pipe(data)), count) == x)
    #expect(try all(RowStream(pipe(bytes(x), "raw"), layout: .raw(columns: 5)), count) == x)
    let raw = folder.file("x.f64")
    try bytes(x).write(to: URL(fileURLWithPath: raw))
    let numbers = try RowStream(raw, layout: .raw(columns: 5))
    #expect(numbers.expectedRows == 300)
    #expect(try all(numbers, count) == x)
  }

  @Test func aPipeOfUnknownLengthAnnouncesNothing() throws {
    let x = Tensor<Float>(rows(9, 4))
    let data = x.withUnsafeBuffer { Data(buffer: $0) }
    var stream = try RowStream(pipe(data), layout: .raw(columns: 4, type: .float32))
    #expect(stream.expectedRows == nil)
    #expect(try stream.next(atMost: 5, as: Float.self) == x[0..<5].dense && stream.position == 5)
    #expect(try stream.next(atMost: 5, as: Float.self) == x[5..<9].dense && stream.position == 9)
    #expect(try stream.next(atMost: 5) == nil)
  }

  @Test func streamsThatEndEarlyOrLateSaySo() throws {
    let path = folder.file("x.npy")
    try writeNPY(rows(100, 4), to: path)
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    func read(_ data: Data, _ name: String, _ layout: RowStream.Layout = .numPy) throws {
      _ = try all(RowStream(pipe(data, name), layout: layout), 30)
    }
    #expect(kind { try read(data.dropLast(32), "rows") } == .truncated)
    #expect(kind { try read(data.dropLast(5), "row") } == .truncated)
    #expect(kind { try read(data + Data([1]), "more") } == .malformed)
    #expect(kind { try read(data.prefix(40), "header") } == .truncated)
    #expect(kind { try read(Data(), "nothing") } == .empty)
    #expect(kind { try read(Data("hello, hello, hello".utf8), "foreign") } == .foreign)
    #expect(kind { try read(bytes(rows(3, 4)).dropLast(1), "raw", .raw(columns: 4)) } == .truncated)
    #expect(kind { try read(Data(), "empty", .raw(columns: 4)) } == nil)
    #expect(kind { try read(Data(), "none", .raw(columns: 0)) } == .unsuitable)
  }

  @Test func filesThatChangeSaySo() throws {
    let path = folder.file("x.npy")
    for change in [-8, 8] {
      try writeNPY(rows(100, 4), to: path)
      var stream = try RowStream(path)
      _ = try stream.next(atMost: 10)
      truncate(path, off_t(128 + 3_200 + change))
      #expect(kind { _ = try stream.next(atMost: 10) } == .truncated)
      #expect(kind { _ = try RowStream(path) } == (change < 0 ? .truncated : .malformed))
      #expect(kind { _ = try RowStream(path, layout: .raw(columns: 1_000)) } == .truncated)
    }
    #expect(kind { _ = try RowStream(folder.file("none")) } == .missing)
    #expect(kind { _ = try RowStream(folder.path) } == .notRegular)
    try writeNPY(Tensor(3.0), to: path)
    #expect(kind { _ = try RowStream(path) } == .unsuitable)
    try writeNPY(Tensor<Double>.zeros([3, 0]), to: path)
    #expect(kind { _ = try RowStream(path) } == .unsuitable)
  }
}
