// The folder of a run: one checkpoint that is always whole, and the log.

import FileFormats
import Foundation
import Networks
import Optimizers
import Tensors

/// A folder in which a run keeps what it needs to go on.
///
/// `checkpoint.safetensors` has the weights, the optimizer's state, averages and the best weights under the prefixes
/// `model/`, `optimizer/`, `average/` and `best/`, and the position of the run in its metadata. Being one file that is
/// replaced in one step, it is never out of step with itself. `log.jsonl` has one JSON object a line.
public struct TrainingFolder: Sendable {
  public let path: String
  /// Whether a checkpoint must be there already.
  public let mustResume: Bool

  /// - Parameter path: made when it does not exist.
  public init(_ path: String, mustResume: Bool = false) throws {
    self.path = path
    self.mustResume = mustResume
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
      guard isFolder.boolValue else { throw FileError(.unwritable, path, "this is a file, a folder was expected") }
    } else {
      if mustResume { throw ResumeError.missing(folder: path) }
      do {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      } catch {
        throw FileError(.unwritable, path, "cannot be written: the folder cannot be made")
      }
    }
    if mustResume, !hasCheckpoint { throw ResumeError.missing(folder: path) }
  }

  public var checkpointPath: String { "\(path)/checkpoint.safetensors" }
  public var logPath: String { "\(path)/log.jsonl" }
  public var hasCheckpoint: Bool { FileManager.default.fileExists(atPath: checkpointPath) }

  private static let metadataKey = "apus.training"

  // MARK: The checkpoint

  func save<Model: Module, Method: Optimizer>(_ run: TrainingRun<Model, Method>) throws
  where Model.Scalar: StorableScalar {
    var tensors: [(name: String, tensor: AnyTensor)] = []
    func add(_ part: String, _ named: NamedTensors<Model.Scalar>) {
      for (name, tensor) in zip(named.names, named.tensors) { tensors.append(("\(part)/\(name)", AnyTensor(tensor))) }
    }
    let optimizerState = run.optimizer.state
    add("model", run.model.everything)
    add("optimizer", optimizerState.tensors)
    if let average = run.average { add("average", average.model.parameters) }
    if let best = run.best { add("best", best.everything) }
    let header = CheckpointHeader(state: run.state, optimizerSteps: optimizerState.step)
    let encoded = String(decoding: try JSONEncoder().encode(header), as: UTF8.self)
    try writeSafetensors(tensors, to: checkpointPath, metadata: [Self.metadataKey: encoded])
  }

  /// Continues from the checkpoint, if there is one; otherwise begins the log anew.
  ///
  /// - Throws: `ResumeError`; the run is then unchanged.
  func resume<Model: Module, Method: Optimizer>(_ run: inout TrainingRun<Model, Method>) throws
  where Model.Scalar: StorableScalar {
    guard hasCheckpoint else {
      if mustResume { throw ResumeError.missing(folder: path) }
      return try rewriteLog([])
    }
    var resumed = run
    do {
      let file = try SafetensorsFile(checkpointPath)
      guard let text = file.metadata[Self.metadataKey] else {
        throw ResumeError.unreadable(path: checkpointPath, reason: "it is not the checkpoint of a training run")
      }
      let header = try JSONDecoder().decode(CheckpointHeader.self, from: Data(text.utf8))
      guard header.state.seed == run.state.seed else {
        throw ResumeError.otherSetting(
          path: checkpointPath, name: "seed", found: "\(header.state.seed)", wanted: "\(run.state.seed)")
      }
      guard header.state.isPossible, (0...1 << 48).contains(header.optimizerSteps) else {
        throw ResumeError.unreadable(path: checkpointPath, reason: "its metadata is damaged (a count is out of range)")
      }
      resumed.state = header.state
      resumed.state.lastCheckpoint = header.state.step
      try resumed.model.load(try part("model", of: file).dictionary)
      let slots = try part("optimizer", of: file) as NamedTensors<Model.Scalar>
      try requireFit(slots, resumed.model)
      try resumed.optimizer.restore(OptimizerState(step: header.optimizerSteps, tensors: slots))
      try resumeAverage(&resumed, file)
      let best = try part("best", of: file) as NamedTensors<Model.Scalar>
      if best.count > 0 {
        var model = run.model
        try model.load(best.dictionary)
        resumed.best = model
      }
    } catch let error as ResumeError {
      throw error
    } catch let mismatch as StateMismatch {
      throw ResumeError.otherModel(path: checkpointPath, mismatch)
    } catch let error as FileError {
      throw ResumeError.unreadable(path: checkpointPath, reason: error.reason)
    } catch let error as DecodingError {
      throw ResumeError.unreadable(path: checkpointPath, reason: "its metadata is damaged (\(error))")
    } catch let error as InvalidArgument {
      throw ResumeError.otherSetting(
        path: checkpointPath, name: error.name, found: error.found, wanted: error.wanted)
    }
    resumed.state.entries = readLog().filter { $0.step <= resumed.state.step }
    try rewriteLog(resumed.state.entries)
    run = resumed
  }

  /// Throws when what an optimizer keeps for a parameter, named `slot/parameter`, has another shape than the parameter.
  private func requireFit<Model: Module>(_ slots: NamedTensors<Model.Scalar>, _ model: Model) throws {
    let parameters = model.parameters.dictionary
    for (name, tensor) in zip(slots.names, slots.tensors) {
      let parts = name.split(separator: "/", maxSplits: 1)
      guard parts.count == 2, let parameter = parameters[String(parts[1])] else { continue }
      // One number is a count.
      guard tensor.shape == parameter.shape || tensor.count == 1 else {
        throw ResumeError.unreadable(
          path: checkpointPath,
          reason: "the optimizer's \(name) has shape \(tensor.shape), its parameter \(parameter.shape)")
      }
    }
  }

  private func resumeAverage<Model: Module, Method: Optimizer>(
    _ run: inout TrainingRun<Model, Method>, _ file: SafetensorsFile
  ) throws {
    let average = try part("average", of: file) as NamedTensors<Model.Scalar>
    guard (average.count > 0) == (run.average != nil) else {
      let (found, wanted) = average.count > 0 ? ("averaged weights", "none") : ("no averaged weights", "some")
      throw InvalidArgument("averaging:", found: found, wanted: wanted)
    }
    guard let decay = run.average?.decay else { return }
    let parameters = run.model.parameters
    guard average.names == parameters.names, average.tensors.map(\.shape) == parameters.tensors.map(\.shape) else {
      throw ResumeError.unreadable(path: checkpointPath, reason: "its averaged weights do not fit the model")
    }
    run.average = ExponentialAverage(
      resuming: run.model.with(parameters: average.tensors), updates: run.state.step, decay: decay)
  }

  /// The tensors under a prefix, copied out of the file, which the next checkpoint replaces.
  private func part<Scalar: RealScalar>(_ name: String, of file: SafetensorsFile) throws -> NamedTensors<Scalar> {
    var result = NamedTensors<Scalar>()
    for entry in file.entries where entry.name.hasPrefix("\(name)/") {
      let tensor = try file.tensor(named: entry.name, as: Scalar.self)
      result.append(String(entry.name.dropFirst(name.count + 1)), tensor.copied())
    }
    return result
  }

  // MARK: The log

  /// The lines of the log; one that is not whole is left out.
  public func readLog() -> [TrainingLogEntry] {
    guard let data = FileManager.default.contents(atPath: logPath) else { return [] }
    let decoder = JSONDecoder()
    return data.split(separator: UInt8(ascii: "\n")).compactMap { try? decoder.decode(TrainingLogEntry.self, from: $0) }
  }

  func append(_ entry: TrainingLogEntry) throws {
    let descriptor = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw cannotWriteLog }
    defer { close(descriptor) }
    // One call a line: whoever reads along sees whole lines.
    let line = try Self.line(entry)
    guard line.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) == line.count else {
      throw cannotWriteLog
    }
  }

  private func rewriteLog(_ entries: [TrainingLogEntry]) throws {
    var file = try AtomicFile(logPath)
    for entry in entries { try file.write(String(decoding: try Self.line(entry), as: UTF8.self)) }
    try file.commit()
  }

  private static func line(_ entry: TrainingLogEntry) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return try encoder.encode(entry) + Data("\n".utf8)
  }

  private var cannotWriteLog: FileError {
    FileError(.unwritable, logPath, "cannot be written: \(String(cString: strerror(errno)))")
  }
}

/// What a checkpoint says beside its tensors.
private struct CheckpointHeader: Codable {
  var state: TrainingState
  var optimizerSteps: Int
}

extension Module {
  /// Parameters and buffers in the order of `visit`.
  fileprivate var everything: NamedTensors<Scalar> {
    var result = NamedTensors<Scalar>()
    var walked = self
    walked.forEachTensor { name, _, tensor in result.append(name, tensor) }
    return result
  }
}

extension NamedTensors {
  fileprivate var dictionary: [String: Tensor<Scalar>] {
    Dictionary(zip(names, tensors)) { first, _ in first }
  }
}
