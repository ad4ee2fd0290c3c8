// Memory that a kernel needs while it runs, and nobody afterwards.

import Synchronization

/// Calls `body` with at least `byteCount` bytes, aligned to 64 and uninitialized.
///
/// Unlike the blocks of tensors, which are recycled by size, the next call gets the same block whatever it asks for: there
/// are only as many as calls at one time, each as large as the largest so far.
public func withScratchMemory<Result>(
  byteCount: Int, _ body: (UnsafeMutableRawPointer) throws -> Result
) rethrows -> Result {
  let block = ScratchMemory.shared.take(byteCount)
  defer { ScratchMemory.shared.give(block) }
  return try body(block.pointer)
}

final class ScratchMemory: Sendable {
  static let shared = ScratchMemory()

  struct Block: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    let byteCount: Int
  }
  private struct Free {
    /// Apart, for small demands would take large blocks that are wanted at the same time.
    var small: [Block] = [], large: [Block] = []
  }
  private static let largestSmall = 1 << 20
  /// What is larger is not kept.
  private static let largestKept = 1 << 28
  private let free = Mutex(Free())

  func take(_ byteCount: Int) -> Block {
    let isSmall = byteCount <= Self.largestSmall
    let kept = free.withLock { isSmall ? $0.small.popLast() : $0.large.popLast() }
    if let kept {
      if kept.byteCount >= byteCount { return kept }
      release(kept)
    }
    let size = max(byteCount, 1)
    return Block(pointer: BlockRecycler.allocate(size), byteCount: size)
  }

  func give(_ block: Block) {
    guard block.byteCount <= Self.largestKept else { return release(block) }
    free.withLock { free in
      if block.byteCount <= Self.largestSmall { free.small.append(block) } else { free.large.append(block) }
    }
  }

  /// Returns what is kept to the system.
  func empty() {
    let blocks = free.withLock { free in
      defer { free = Free() }
      return free.small + free.large
    }
    blocks.forEach(release)
  }

  private func release(_ block: Block) { BlockRecycler.release(block.pointer) }
}
