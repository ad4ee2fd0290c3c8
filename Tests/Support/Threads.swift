// The number of threads belongs to the process, and tests run side by side.

import Foundation
import Tensors

private let threadLock = NSLock()

/// Runs `body` on so many threads, alone among all that ask for a number of threads; the number is then as it was.
public func withThreads<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
  threadLock.lock()
  let before = threadCount
  threadCount = count
  defer {
    threadCount = before
    threadLock.unlock()
  }
  return try body()
}
