// A piece of work that Apus and its peers do on the same input.

import Tensors

/// One row of the results.
struct Work {
  /// What peers.py knows it by: words separated by spaces, the first of them a function there.
  let name: String
  /// The ratio to the best peer's time that is to be reached, if one was set.
  let bound: Double?
  /// What must be done at least.
  let floor: Floor?
  /// Lays out the input, writes what the peers read, and returns what is timed.
  let prepare: (Inputs) throws -> () throws -> Void

  init(
    _ name: String, bound: Double?, floor: Floor? = nil,
    _ prepare: @escaping (Inputs) throws -> () throws -> Void
  ) {
    self.name = name
    self.bound = bound
    self.floor = floor
    self.prepare = prepare
  }
}

/// The least that a piece of work can cost.
enum Floor {
  /// Floating-point operations.
  case flopsSingle(Double)
  case flopsDouble(Double)
  /// Bytes read plus written.
  case bytes(Double)

  /// Milliseconds, at the rates of this machine.
  func time(on machine: Machine) -> Double {
    switch self {
    case .flopsSingle(let count): 1e3 * count / machine.flopsSingle
    case .flopsDouble(let count): 1e3 * count / machine.flopsDouble
    case .bytes(let count): 1e3 * count / machine.bytes
    }
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
