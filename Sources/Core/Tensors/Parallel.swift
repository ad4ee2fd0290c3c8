// Work split over the pool of threads that all of Apus shares.

import CVectorKernels

/// The threads that Apus's kernels use, the caller's included. Results never depend on it.
public var threadCount: Int {
  get { apus_thread_count() }
  set { apus_set_thread_count(max(newValue, 1)) }
}

/// Runs `body` on every task number below `tasks`, on several threads, and returns when all are done.
///
/// Inside a task, or while another thread uses the pool, the tasks run one after another. A body must therefore not
/// wait for another task.
public func parallelTasks(_ tasks: Int, _ body: (Int) -> Void) {
  guard tasks > 1 else {
    if tasks == 1 { body(0) }
    return
  }
  withoutActuallyEscaping(body) { body in
    var context = body
    withUnsafeMutablePointer(to: &context) { context in
      apus_parallel(
        tasks, { context, task in context!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(task)) }, context)
    }
  }
}

/// Splits 0..<count into consecutive ranges of at least `grain` elements (but for the last), and runs `body` on each.
///
/// `grain` is the amount of work that pays for waking a thread: about a microsecond of it. Ranges start at multiples of
/// 64, so that two threads do not share a cache line.
public func parallelRanges(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
  guard count >= 2 * grain else {
    if count > 0 { body(0..<count) }
    return
  }
  let threads = threadCount
  guard threads > 1 else { return body(0..<count) }
  let pieces = min(count / max(grain, 1), threads)
  let length = ((count + pieces - 1) / pieces + 63) & ~63
  parallelTasks((count + length - 1) / length) { piece in
    body(piece * length..<min((piece + 1) * length, count))
  }
}

/// `body` of every number below `count`, on several threads, in order.
///
/// - Throws: the error of the first number whose body throws; all bodies run even so.
public func parallelMap<Value>(_ count: Int, _ body: (Int) throws -> Value) throws -> [Value] {
  let results = UnsafeMutablePointer<Result<Value, any Error>?>.allocate(capacity: max(count, 1))
  results.initialize(repeating: nil, count: count)
  defer {
    results.deinitialize(count: count)
    results.deallocate()
  }
  parallelTasks(count) { i in results[i] = Result { try body(i) } }
  return try (0..<count).compactMap { try results[$0]?.get() }
}
