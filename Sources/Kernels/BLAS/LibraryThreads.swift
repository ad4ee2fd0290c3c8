// How many threads the BLAS library itself may use: one.

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

/// The threads inside the BLAS library.
///
/// Products and factorizations are split by Apus's own pool over a single-threaded library: two pools fight over the
/// cores, and only the own split gives the same bits on any number of threads.
public enum LibraryThreads {
  /// Makes the library single-threaded, once. Every entry to BLAS goes through here; later calls cost nothing.
  public static let single: Void = {
    #if !canImport(Accelerate)
      openblas_set_num_threads(1)
    #endif
  }()
}
