import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

/// Commands that read rows once: from files, from pipes, and from what breaks off.
@Suite struct StreamCommandTests {
  private let folder = TemporaryFolder()

  /// Rows with a planted direction.
  private func rows() -> (matrix: Tensor<Double>, direction: Tensor<Double>) {
    var random = RandomStream(seed: 7)
    let direction: Tensor<Double> = random.sphere([20])
    return (random.normal([6_000, 20]) + random.normal([6_000, 1]) * direction * 3, direction)
  }

  private func bytes(_ x: Tensor<Double>) -> Data { x.dense.withUnsafeBuffer { Data(buffer: $0) } }

  /// A pipe with a name, into which another thread writes.
  private func pipe(_ data: Data, _ name: String) throws -> String {
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

  @Test func filesAndPipesGiveTheSameVector() throws {
    let (matrix, direction) = rows()
    let file = folder.file("rows.npy")
    try writeNPY(matrix, to: file)
    let vector = folder.file("v.npy")
    func found(_ words: String...) throws -> Tensor<Double> {
      let outcome = try Apus.run(["eigen", "--stream"] + words + ["-o", vector, "--json"])
      #expect(outcome.status == 0, "\(outcome)")
      let object = try #require(try outcome.json() as? [String: Any])
      #expect(object["rows"] as? Int == 6_000)
      return try readNPY(vector).asDouble().flattened
    }
    let whole = try found(file)
    #expect(abs((whole * direction).sum().scalar) > 0.99)
    let data = try Data(contentsOf: URL(fileURLWithPath: file))
    #expect(try found(try pipe(data, "npy")) == whole)
    // Of unknown length.
    let raw = try found(try pipe(bytes(matrix), "raw"), "--columns", "20", "--chunk", "77")
    #expect(abs((raw * direction).sum().scalar) > 0.99)
  }

  @Test func aSampleOfAPipeKeepsNorms() throws {
    let (matrix, direction) = rows()
    let target = folder.file("sample")
    for words in [["--p", "1"], ["--p=1.5"]] {
      let name = "pipe\(words.count)"
      let outcome = try Apus.run(
        ["sample", "--stream", try pipe(bytes(matrix), name), "--columns", "20", "--rows", "400", "-o", target] + words)
      #expect(outcome.status == 0, "\(outcome)")
      let sample = try readNPY("\(target)/sample.npy").asDouble()
      let p = words.count == 2 ? 1 : 1.5
      let exact = matrix.matmul(direction).absolute().power(p).sum().scalar
      let kept = sample.matmul(direction).absolute().power(p).sum().scalar
      #expect(sample.rows <= 400 && abs(kept / exact - 1) < 0.4, "\(kept / exact)")
      let indices = try readNPY("\(target)/indices.npy").asDouble()
      let weights = try readNPY("\(target)/weights.npy").asDouble()
      let first = matrix[Int(indices[at: 0])] * weights[at: 0]
      #expect(distance(sample[0].dense, first) < 1e-12)
    }
  }

  @Test func streamsThatBreakOffAreErrors() throws {
    let (matrix, _) = rows()
    let file = folder.file("rows.npy")
    try writeNPY(matrix, to: file)
    let data = try Data(contentsOf: URL(fileURLWithPath: file))
    for (name, stream, words) in [
      ("early", data.dropLast(160), []), ("within", data.dropLast(7), []), ("late", data + Data([0]), []),
      ("raw", bytes(matrix).dropLast(3), ["--columns", "20"]), ("empty", Data(), ["--columns", "20"]),
      ("header", data.prefix(30), []),
    ] {
      for command in [["eigen"], ["sample", "--rows", "50"]] {
        let path = try pipe(Data(stream), name + command[0])
        let outcome = try Apus.run(command + ["--stream", path] + words)
        #expect(outcome.status == 2 && outcome.sentence != nil, "\(name): \(outcome)")
      }
    }
    #expect(try Apus.run("eigen", "--stream", folder.file("none.npy")).status == 2)
    #expect(try Apus.run("sample", "--stream", file).sentence?.contains("--rows") == true)
    #expect(try Apus.run("sample", "--stream", file, "--rows", "50", "--p", "3").status == 2)
    #expect(try Apus.run("sample", "--stream", file, "--rows", "50", "--scheme", "lewis").status == 2)
    #expect(try Apus.run("eigen", "--stream", file, "--chunk", "0").status != 0)
    #expect(try Apus.run("eigen", "--stream", file, "--columns", "0").status != 0)
  }
}
