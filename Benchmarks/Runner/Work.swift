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
  /// Whether memory is compared as well: of ten executions in a fresh process.
  private(set) var comparesMemory = false
  /// Lays out the input, writes what the peers read, and returns what is timed.
  let prepare: (Inputs) throws -> PreparedWork

  init(
    _ name: String, bound: Double?, floor: Floor? = nil,
    _ prepare: @escaping (Inputs) throws -> () throws -> Void
  ) {
    self.init(name: name, bound: bound, floor: floor) { PreparedWork(run: try prepare($0), error: nil) }
  }

  /// Work whose result has an error that the peers' must be held against: being fast is worth nothing without it.
  static func judged(
    _ name: String, bound: Double?, _ prepare: @escaping (Inputs) throws -> PreparedWork
  ) -> Work {
    Work(name: name, bound: bound, floor: nil, prepare: prepare)
  }

  private init(
    name: String, bound: Double?, floor: Floor?, prepare: @escaping (Inputs) throws -> PreparedWork
  ) {
    self.name = name
    self.bound = bound
    self.floor = floor
    self.prepare = prepare
  }

  /// The same with a row for memory.
  var comparingMemory: Work {
    var work = self
    work.comparesMemory = true
    return work
  }
}

/// Work that is laid out.
struct PreparedWork {
  /// What is timed.
  let run: () throws -> Void
  /// How far its result is from what was wanted, less being better; the peers' functions have the same as an attribute.
  let error: (() throws -> Double)?
}

/// The least that a piece of work can cost.
enum Floor {
  /// Floating-point operations, multiplications and additions apart.
  case flopsSingle(Double)
  case flopsDouble(Double)
  /// The same where terms may be rounded to bfloat16.
  case flopsBFloat16(Double)
  /// Bytes read plus written.
  case bytes(Double)

  /// Milliseconds, at the rates of this machine.
  func time(on machine: Machine) -> Double {
    switch self {
    case .flopsSingle(let count): 1e3 * count / machine.flopsSingle
    case .flopsDouble(let count): 1e3 * count / machine.flopsDouble
    case .flopsBFloat16(let count): 1e3 * count / machine.flopsBFloat16
    case .bytes(let count): 1e3 * count / machine.bytes
    }
  }
}

/// Keeps a result alive, so that no work is optimised away.
@inline(never)
func keep<T>(_ value: T) { withExtendedLifetime(value) {} }
