import FileFormats
import Foundation
import Tensors
import Testing

@Suite struct MappedMemoryTests {
  /// Resident bytes of this process that belong to files, in kB.
  private var fileMemory: Int {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("RssFile:") } ?? ""
    return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
  }

  @Test func releasedTensorsStayReadableAndCostNoMemory() throws {
    let path = NSTemporaryDirectory() + "apus-mapped-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var random = RandomStream(seed: 1)
    let large: Tensor<Float> = random.normal([4_096, 4_096])
    try writeSafetensors([("large", AnyTensor(large)), ("small", AnyTensor(Tensor<Float>([1, 2])))], to: path)
    let checkpoint = try Checkpoint(path)
    let view: Tensor<Float> = try checkpoint.tensor(named: "large")
    #expect(view == large)
    let touched = fileMemory
    checkpoint.release("large")
    checkpoint.release("nothing of this name")
    if touched > 0 { #expect(fileMemory < touched - 48_000, "64 MB were mapped, \(touched) kB before") }
    // Read again from the file; the neighbour was never touched.
    #expect(view == large)
    #expect(try checkpoint.tensor(named: "small", as: Float.self).scalars == [1, 2])
  }
}
