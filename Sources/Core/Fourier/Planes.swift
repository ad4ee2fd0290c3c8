// Memory of plans and for the time of a transform.

import Tensors

/// Planes of real and imaginary parts, somewhere in memory.
struct PlanePointers<Scalar: RealScalar>: @unchecked Sendable {
  let re: UnsafeMutablePointer<Scalar>
  let im: UnsafeMutablePointer<Scalar>

  init(_ re: UnsafeMutablePointer<Scalar>, _ im: UnsafeMutablePointer<Scalar>) { (self.re, self.im) = (re, im) }
  /// Two planes of `count` elements, one behind the other.
  init(_ both: UnsafeMutablePointer<Scalar>, count: Int) { self.init(both, both + count) }

  static func + (planes: PlanePointers, shift: Int) -> PlanePointers {
    PlanePointers(planes.re + shift, planes.im + shift)
  }
  /// With the parts exchanged: what turns a forward transform into a backward one.
  var exchanged: PlanePointers { PlanePointers(im, re) }
}

/// A table that never changes.
final class Table<Element: BitwiseCopyable>: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<Element>
  let count: Int

  init(_ elements: [Element]) {
    count = elements.count
    let raw = UnsafeMutableRawPointer.allocate(byteCount: max(1, count * MemoryLayout<Element>.stride), alignment: 64)
    pointer = raw.bindMemory(to: Element.self, capacity: count)
    pointer.initialize(from: elements, count: count)
  }

  deinit { UnsafeMutableRawPointer(pointer).deallocate() }
}

/// A table of complex numbers, as two planes.
struct Planes<Scalar: RealScalar>: Sendable {
  let re: Table<Scalar>
  let im: Table<Scalar>
  var count: Int { re.count }
  var pointers: PlanePointers<Scalar> { PlanePointers(re.pointer, im.pointer) }

  init(count: Int, _ root: (Int) -> UnitRoot) {
    let roots = (0..<count).map(root)
    self.init(re: roots.map(\.real), im: roots.map(\.imaginary))
  }

  init(re: [Double], im: [Double]) {
    self.re = Table(re.map { Scalar($0) })
    self.im = Table(im.map { Scalar($0) })
  }
}

/// Memory for `count` elements, aligned to 64 bytes, recycled as that of tensors is.
func withScratch<Scalar: RealScalar>(_ count: Int, _ body: (UnsafeMutablePointer<Scalar>) -> Void) {
  _ = Tensor<Scalar>(uninitializedShape: [max(count, 1)]) { buffer in
    if let scratch = buffer.baseAddress { body(scratch) }
  }
}

extension Tensor where Scalar: RealScalar {
  /// A tensor for somebody to write before anybody reads it.
  static func unwritten(_ shape: [Int]) -> Tensor { Tensor(uninitializedShape: shape) { _ in } }

  /// Calls `body` with the elements' address, which is good for reading only.
  func withReading(_ body: (UnsafeMutablePointer<Scalar>) -> Void) {
    withUnsafeBuffer { buffer in
      if let base = buffer.baseAddress { body(UnsafeMutablePointer(mutating: base)) }
    }
  }

  mutating func withWriting(_ body: (UnsafeMutablePointer<Scalar>) -> Void) {
    withUnsafeMutableBuffer { buffer in
      if let base = buffer.baseAddress { body(base) }
    }
  }
}

/// Splits 0..<count among the threads, when `work`, the number of butterfly points of all together, is worth it.
func parallelParts(_ count: Int, work: Int, _ body: (Range<Int>) -> Void) {
  guard count > 0 else { return }
  let threads = threadCount
  guard threads > 1, count > 1, work >= 1 << 15 else { return body(0..<count) }
  // More parts than threads, so that a thread which is held up does not hold up everything.
  let parts = min(count, work >> 14, 4 * threads)
  parallelTasks(parts) { part in body(count * part / parts..<count * (part + 1) / parts) }
}
