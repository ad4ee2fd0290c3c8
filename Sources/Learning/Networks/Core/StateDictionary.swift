// Saving and loading a module's tensors under their names, as PyTorch's state dictionaries do.

public import FileFormats
import Foundation
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
    // Factors stand for more numbers than they have; thin ones can announce any size, but not more than fits in here.
    let factored = try FactoredCheckpoint(self)
    let announced = factored.entries.reduce(0.0) { $0 + $1.shape.reduce(1.0) { $0 * Double($1) } }
    let held = factored.isFactored ? min(announced, Double(ProcessInfo.processInfo.physicalMemory) / 16) : announced
    guard Double(count) > held else { return }
    throw FileError(
      .unsuitable, path, "the configuration is of a model of \(count) numbers, but this file has \(Int(held))")
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
  /// Linear layers that keep factors are written as such; see `FactoredCheckpoint`. A factor that layers share is written
  /// once.
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
    let factors = factorRecords
    tensors.removeAll { factors.shared.contains($0.name) }
    var metadata = metadata
    if let text = try FactoredCheckpoint.metadata(of: factors.records) {
      metadata[FactoredCheckpoint.factorsKey] = text
    }
    // Places are whole numbers: they are not rounded to the type of the others.
    let declarations =
      tensors.map { SafetensorsWriter.Declaration($0.name, type ?? $0.tensor.storedType, $0.tensor.shape) }
      + factors.places.map { .init($0.name, $0.tensor.storedType, $0.tensor.shape) }
    var writer = try SafetensorsWriter(path, declaring: declarations, metadata: metadata)
    for (name, tensor) in tensors { try writer.write(tensor, named: name) }
    for (name, tensor) in factors.places { try writer.write(tensor, named: name) }
    try writer.finish()
  }

  /// Takes over the tensors of a checkpoint, converted to this module's type.
  ///
  /// Linear layers take the form in which the checkpoint has them: from one that `apus compress` wrote the model runs on
  /// factors.
  ///
  /// - Parameters:
  ///   - prefix: what the names in the file start with and the module's do not, such as `bert.`.
  ///   - allowingUnexpected: ignores names that the module does not have.
  /// - Throws: `StateMismatch`, or `FileError` when the file cannot be read; the module is then unchanged.
  public mutating func load(from checkpoint: Checkpoint, prefix: String = "", allowingUnexpected: Bool = false) throws {
    let factored = try FactoredCheckpoint(checkpoint)
    var loaded = self
    let parts = try loaded.adoptForms(of: factored, prefix: prefix)
    var state: [String: Tensor<Scalar>] = [:]
    for (name, stored) in parts { state[name] = try checkpoint.tensor(named: stored, as: Scalar.self) }
    let known = Set(parts.keys)
    for entry in factored.entries where entry.name.hasPrefix(prefix) {
      let name = String(entry.name.dropFirst(prefix.count))
      if entry.factors == nil {
        state[name] = try checkpoint.tensor(named: entry.name, as: Scalar.self)
      } else if !known.contains("\(name).left") {
        // Factors of what is no linear layer's weight, such as an embedding's.
        state[name] = Tensor<Scalar>(try factored.tensor(named: entry.name))
      }
    }
    try loaded.load(state, allowingUnexpected: allowingUnexpected)
    self = loaded
  }
}

extension Module {
  /// How the weights that are kept as factors are stored, the tensors that are in no visit (the places of sparse numbers),
  /// and those that need not be written, because an earlier layer has the same.
  private var factorRecords:
    (
      records: [String: FactoredCheckpoint.Factors], places: [(name: String, tensor: AnyTensor)],
      shared: Set<String>
    )
  {
    var records: [String: FactoredCheckpoint.Factors] = [:]
    var places: [(name: String, tensor: AnyTensor)] = []
    var firstNames: [ObjectIdentifier: (name: String, shape: [Int])] = [:]
    var shared: Set<String> = []
    func stored(_ factor: Tensor<Scalar>, _ name: String) -> String {
      if let first = firstNames[factor.storageIdentity], first.shape == factor.shape {
        shared.insert(name)
        return first.name
      }
      firstNames[factor.storageIdentity] = (name, factor.shape)
      return name
    }
    for (name, layer) in linearLayers {
      let weight = name.isEmpty ? "weight" : "\(name).weight"
      var record = FactoredCheckpoint.Factors(left: "\(weight).left", right: "\(weight).right", shape: layer.form.shape)
      switch layer.form {
      case .dense: continue
      case .lowRank(let left, let right):
        (record.left, record.right) = (stored(left, record.left), stored(right, record.right))
      case .corrected: record.base = "\(weight).base"
      case .dictionary(let codes, _):
        for (part, tensor) in codes.places.stored {
          let name = "\(weight).\(part)"
          places.append((name, tensor))
          switch part {
          case "mask": record.mask = name
          case "columns": record.columns = name
          default: record.counts = name
          }
        }
      }
      records[weight] = record
    }
    return (records, places, shared)
  }

  /// Gives every linear layer the form in which the checkpoint has its weight; numbers are not loaded.
  ///
  /// - Returns: the stored name of each part, by the name under which the module hands it out.
  private mutating func adoptForms(of checkpoint: FactoredCheckpoint, prefix: String) throws -> [String: String] {
    var parts: [String: String] = [:]
    var failure: (any Error)?
    forEachLinear { name, layer in
      let weight = name.isEmpty ? "weight" : "\(name).weight"
      guard let entry = checkpoint.entry(named: prefix + weight) else { return }
      guard let factors = entry.factors else {
        if layer.form.rank != nil { layer.form = .dense(.zeros(layer.form.shape)) }
        return
      }
      do {
        let shape = factors.shape
        guard shape == layer.form.shape, let rank = checkpoint.checkpoint.entry(named: factors.right)?.shape.first
        else {
          var mismatch = StateMismatch()
          mismatch.misshapen = [(weight, shape, layer.form.shape)]
          throw mismatch
        }
        let left = Tensor<Scalar>.zeros([shape[0], rank])
        let right = Tensor<Scalar>.zeros([rank, shape[1]])
        parts["\(weight).left"] = factors.left
        parts["\(weight).right"] = factors.right
        if let places = try checkpoint.sparsePlaces(of: factors) {
          let codes = SparseCodes<Scalar>(
            unchecked: rank, starts: Tensor(places.starts), indices: Tensor(places.columns),
            values: .zeros([places.columns.count]))
          layer.form = .dictionary(codes: codes, atoms: right)
        } else if let base = factors.base {
          parts["\(weight).base"] = base
          layer.form = .corrected(base: .zeros(shape), left: left, right: right)
        } else {
          layer.form = .lowRank(left: left, right: right)
        }
      } catch { failure = error }
    }
    if let failure { throw failure }
    return parts
  }
}
