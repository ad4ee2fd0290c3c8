import Tensors
import Testing

/// Scratch memory belongs to one call at a time, whatever it was before.
struct ScratchMemoryTests {
  @Test func blocksAreAlignedAndApart() {
    for size in [0, 1, 1_000, 1 << 20, (1 << 20) + 1, 5 << 20] {
      withScratchMemory(byteCount: size) { outer in
        #expect(Int(bitPattern: outer) % 64 == 0, "\(size) bytes")
        let bytes = UnsafeMutableRawBufferPointer(start: outer, count: size)
        _ = bytes.initializeMemory(as: UInt8.self, repeating: 1)
        withScratchMemory(byteCount: size) { inner in
          let bytes = UnsafeMutableRawBufferPointer(start: inner, count: size)
          _ = bytes.initializeMemory(as: UInt8.self, repeating: 2)
        }
        #expect(bytes.allSatisfy { $0 == 1 }, "\(size) bytes")
      }
    }
  }

  @Test func threadsHaveTheirOwn() {
    let sizes = (0..<64).map { 1 << ($0 % 23) }
    let isKept = Tensor<Int>(uninitializedShape: [sizes.count]) { results in
      let results = Results(pointer: results.baseAddress!)
      parallelTasks(sizes.count) { task in
        results.pointer[task] = withScratchMemory(byteCount: sizes[task]) { pointer in
          let bytes = UnsafeMutableRawBufferPointer(start: pointer, count: sizes[task])
          _ = bytes.initializeMemory(as: UInt8.self, repeating: UInt8(task))
          return bytes.allSatisfy { $0 == UInt8(task) } ? 1 : 0
        }
      }
    }
    #expect(isKept.scalars.allSatisfy { $0 == 1 })
    releaseRecycledMemory()
  }

  private struct Results: @unchecked Sendable { let pointer: UnsafeMutablePointer<Int> }
}
