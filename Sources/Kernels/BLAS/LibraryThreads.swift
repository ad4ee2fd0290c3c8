// How many threads the BLAS library itself may use.

import Synchronization

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

/// The threads inside the BLAS library.
///
/// Products are split by Apus's own pool over a single-threaded library: two pools fight over the cores, and only the
/// own split gives the same bits on any number of threads. Large LAPACK factorizations borrow the library's threads.
public enum LibraryThreads {
  /// Held while the library runs with more than one thread; the setting is global to the process.
  private static let lock = Mutex(())

  /// Makes the library single-threaded, once. Every entry to BLAS goes through here; later calls cost nothing.
  public static let single: Void = set(1)

  /// Runs `body` while the library may use `count` threads, unless somebody else is doing so already.
  public static func borrowing<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    _ = single
    guard count > 1 else { return try body() }
    let outcome: Result? = try lock.withLockIfAvailable { _ in
      set(count)
      defer { set(1) }
      return try body()
    }
    return try outcome ?? body()
  }

  private static func set(_ count: Int) {
    #if !canImport(Accelerate)
      openblas_set_num_threads(Int32(count))
    #endif
  }
}
