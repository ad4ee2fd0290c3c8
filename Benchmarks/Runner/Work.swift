// A piece of work that Apus and its peers do on the same input.

import Tensors

/// One row of the results.
struct Work {
  /// What peers.py knows it by: words separated by spaces, the first of them a function there.
  let name: String
  /// The ratio to the best peer's time that is to be reached, if one was set.
  let bound: Double?
  /// What the machine could do at best, in milliseconds, and of what: measured flops or bytes.
  var floor: ((Machine) -> Double)?
  /// Lays out the input, writes what the peers read, and returns what is timed.
  let prepare: (Inputs) throws -> () throws -> Void

  init(
    _ name: String, bound: Double?, floor: ((Machine) -> Double)? = nil,
    _ prepare: @escaping (Inputs) throws -> () throws -> Void
  ) {
    self.name = name
    self.bound = bound
    self.floor = floor
    self.prepare = prepare
  }
}

/// What this machine was measured to do, for the floors.
struct Machine {
  /// Floating-point operations a second of a large product, in each precision.
  var flopsSingle = 0.0, flopsDouble = 0.0
  /// Bytes read plus written a second by a large copy.
  var bytes = 0.0
}

/// Keeps a result alive, so that no work is optimised away.
@inline(never)
func keep<T>(_ value: T) { withExtendedLifetime(value) {} }
