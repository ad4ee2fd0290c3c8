// Primitives that were made before: making one takes up to a millisecond.

#if canImport(COneDNN)
  import Synchronization

  /// What was prepared for the keys used last.
  public final class PreparedPrimitives<Key: Hashable & Sendable, Prepared: Sendable>: Sendable {
    private struct State {
      /// Nil for what the library cannot do.
      var known: [Key: (prepared: Prepared?, lastUse: Int)] = [:]
      var tick = 0
    }
    private let capacity: Int
    private let state = Mutex(State())

    public init(capacity: Int = 512) { self.capacity = capacity }

    /// What is kept under `key`, or what `make` returns, which runs on a library of one thread.
    public func prepared(_ key: Key, _ library: OneDNNLibrary, make: () -> Prepared?) -> Prepared? {
      state.withLock { state in
        state.tick += 1
        if let known = state.known[key] {
          state.known[key]?.lastUse = state.tick
          return known.prepared
        }
        if state.known.count >= capacity, let oldest = state.known.min(by: { $0.value.lastUse < $1.value.lastUse }) {
          state.known[oldest.key] = nil
        }
        let made = library.onOneThread(make)
        state.known[key] = (made, state.tick)
        return made
      }
    }
  }
#endif
