// Saving and loading a module's tensors under their names, as PyTorch's state dictionaries do.

public import FileFormats
public import Tensors

/// Why a state dictionary does not fit a module.
public struct StateMismatch: Error, Sendable, CustomStringConvertible {
  /// Names the module has and the dictionary lacks.
  public var missing: [String] = []
  /// Names the dictionary has and the module does not know.
  public var unexpected: [String] = []
  /// Names whose shapes differ.
  public var misshapen: [(name: String, found: [Int], wanted: [Int])] = []

  public var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && misshapen.isEmpty }

  public var description: String {
    var lines = ["the tensors do not fit the model"]
    func list(_ title: String, _ names: [String]) {
      guard !names.isEmpty else { return }
      let shown = names.prefix(8).joined(separator: ", ")
      lines.append("\(title) (\(names.count)): \(shown)\(names.count > 8 ? ", ..." : "")")
    }
    list("missing", missing)
    list("unexpected", unexpected)
    list("of another shape", misshapen.map { "\($0.name) is \($0.found), the model's is \($0.wanted)" })
    return lines.joined(separator: "\n  ")
  }
}

extension Checkpoint {
  /// Throws when a model of so many numbers cannot be in this file: before memory for it is asked for, because a
  /// configuration may say anything. Small models pass, so that what they lack is told by name.
  func requireRoom(for count: Int) throws {
    guard count > max(parameterCount, 1 << 22) else { return }
    throw FileError(
      .unsuitable, path, "the configuration is of a model of \(count) numbers, but this file has \(parameterCount)")
  }
}

extension Module {
  /// Every parameter and buffer, by name.
  public var stateDictionary: [String: Tensor<Scalar>] {
    var result: [String: Tensor<Scalar>] = [:]
    var walked = self
    walked.forEachTensor { name, _, tensor in result[name] = tensor }
    return result
  }

  /// Takes over the tensors of `state`.
  ///
  /// - Parameter allowingUnexpected: ignores names that the module does not have.
  /// - Throws: `StateMismatch` with every missing, unexpected and misshapen name; the module is then unchanged.
  public mutating func load(_ state: [String: Tensor<Scalar>], allowingUnexpected: Bool = false) throws {
    var mismatch = StateMismatch()
    var known: Set<String> = []
    var loaded = self
    loaded.forEachTensor { name, _, tensor in
      known.insert(name)
      guard let found = state[name] else { return mismatch.missing.append(name) }
      guard found.shape == tensor.shape else {
        return mismatch.misshapen.append((name, found.shape, tensor.shape))
      }
      tensor = found
    }
    if !allowingUnexpected {
      // PyTorch counts the batches that a normalisation has seen; nothing here depends on it.
      mismatch.unexpected = state.keys.filter { !known.contains($0) && !$0.hasSuffix("num_batches_tracked") }.sorted()
    }
    guard mismatch.isEmpty else { throw mismatch }
    self = loaded
  }

  /// Writes every parameter and buffer to a safetensors file, which appears under its name when it is whole.
  ///
  /// - Parameters:
  ///   - type: how to store the numbers; as they are by default.
  ///   - metadata: what else the file shall say, for instance the model's configuration.
  /// - Throws: `FileError` when the disk refuses.
  public func save(to path: String, as type: StoredType? = nil, metadata: [String: String] = [:]) throws
  where Scalar: StorableScalar {
    var tensors: [(name: String, tensor: AnyTensor)] = []
    var walked = self
    walked.forEachTensor { name, _, tensor in tensors.append((name, AnyTensor(tensor))) }
    try writeSafetensors(tensors, to: path, as: type, metadata: metadata)
  }

  /// Takes over the tensors of a checkpoint, converted to this module's type.
  ///
  /// - Parameters:
  ///   - prefix: what the names in the file start with and the module's do not, such as `bert.`.
  ///   - allowingUnexpected: ignores names that the module does not have.
  /// - Throws: `StateMismatch`, or `FileError` when the file cannot be read; the module is then unchanged.
  public mutating func load(from checkpoint: Checkpoint, prefix: String = "", allowingUnexpected: Bool = false) throws {
    var state: [String: Tensor<Scalar>] = [:]
    for entry in checkpoint.entries where entry.name.hasPrefix(prefix) {
      state[String(entry.name.dropFirst(prefix.count))] = try checkpoint.tensor(named: entry.name, as: Scalar.self)
    }
    try load(state, allowingUnexpected: allowingUnexpected)
  }
}
