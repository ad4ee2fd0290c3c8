import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

/// What Apus writes, read by NumPy, SciPy and, where it is installed, the safetensors package.
@Suite struct PythonAgreementTests {
  let folder = TemporaryFolder()

  @Test(.enabled(if: python != nil, "needs a python3 with numpy and scipy (or APUS_PYTHON, which names one)"))
  func filesAreReadByPython() throws {
    let shape = [2, 3, 4]
    let arrays = numpyTypes.map { (name: $0.code, array: pattern($0.type, shape)) }
    for (code, array) in arrays { try writeNPY(array, to: folder.file("\(code).npy")) }
    try writeNPY(pattern(.float16, shape), to: folder.file("f2.npy"), as: .float16)
    try writeNPY(pattern(.float64, []), to: folder.file("scalar.npy"))
    try writeNPY(pattern(.float32, [0, 3]), to: folder.file("empty.npy"))
    let more = arrays + [(name: "größe/1", array: pattern(.float64, [2]))]
    try writeNPZ(more, to: folder.file("stored.npz"))
    try writeNPZ(more, to: folder.file("deflated.npz"), compressing: true)

    var generator = TestGenerator(seed: 8)
    let exact = Tensor<Double>(
      shape: [20, 5], scalars: (0..<100).map { _ in Double.random(in: -1...1, using: &generator) * 1e-3 })
    try writeNPY(exact, to: folder.file("exact.npy"))
    try writeCSV(exact, to: folder.file("exact.csv"), columnNames: ["a", "b", "c", "d", "e"])
    try writeCSV(exact, to: folder.file("exact.tsv"), separator: .tab)
    try writeMatrixMarket(exact, to: folder.file("array.mtx"))
    let coordinates = CoordinateMatrix(
      rows: 20, columns: 5, rowIndices: Tensor((0..<100).map { $0 / 5 }),
      columnIndices: Tensor((0..<100).map { $0 % 5 }),
      values: exact.flattened)
    try writeMatrixMarket(coordinates, to: folder.file("coordinates.mtx"))

    var declarations = arrays.map { SafetensorsWriter.Declaration($0.name, $0.array.storedType, shape) }
    declarations += [
      .init("F16", .float16, shape), .init("BF16", .bfloat16, shape), .init("empty", .float32, [0, 3]),
      .init("größe \"1\"\n", .int8, [1]),
    ]
    var writer = try SafetensorsWriter(
      folder.file("all.safetensors"), declaring: declarations, metadata: ["größe": "\"x\"\n"])
    for (name, array) in arrays { try writer.write(array, named: name) }
    try writer.write(pattern(.float32, shape), named: "F16")
    try writer.write(pattern(.float32, shape), named: "BF16")
    try writer.write(pattern(.float32, [0, 3]), named: "empty")
    try writer.write(pattern(.int8, [1]), named: "größe \"1\"\n")
    try writer.finish()

    let script = fixture("../file_formats.py")
    let (status, output) = run([script, "check", folder.path])
    #expect(status == 0 && output.contains("all files agree"), "\(output)")
  }
}

private let python: String? = {
  let name = ProcessInfo.processInfo.environment["APUS_PYTHON"] ?? "python3"
  return run(["-c", "import numpy, scipy.io"], with: name).status == 0 ? name : nil
}()

private func run(_ arguments: [String], with command: String? = python) -> (status: Int32, output: String) {
  guard let command else { return (-1, "") }
  let process = Process()
  let pipe = Pipe()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [command] + arguments
  process.standardOutput = pipe
  process.standardError = pipe
  guard (try? process.run()) != nil else { return (-1, "") }
  let output = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}
