import Compression
import FileFormats
import Foundation
import Networks
public import Tensors

/// Gathers the statistics of a network's layers on a text, in one pass that can be interrupted.
public struct CalibrationJob: Sendable {
  /// Tokens of the text that are looked at.
  public var tokens = 16_384
  /// Squared gradients too, for methods that weigh weights by what they mean to the loss.
  public var includesFisher = false
  /// What of a sentence an encoder looks at.
  public var maximumLength = 128

  /// Batches between two states of the file.
  private static let chunk = 8

  public init(tokens: Int = 16_384, includesFisher: Bool = false) {
    self.tokens = tokens
    self.includesFisher = includesFisher
  }

  /// The statistics in `path`, complete: read, gone on with, or gathered from the beginning.
  ///
  /// - Parameters:
  ///   - path: where they are kept while they are gathered, and at the end; only in memory without one.
  ///   - name: of the text, for the record.
  /// - Throws: `InvalidArgument` when the file there is of another model, text or amount, when the text does not suffice,
  ///   or when a layer's inputs are not finite; `FileError`; `CancellationError`, and what was seen is then kept.
  public func run(
    _ model: TextModel, on text: String, named name: String, keptIn path: String? = nil,
    progress: WorkProgress = .silent
  ) throws -> CalibrationFile {
    guard tokens >= 2 else { throw InvalidArgument("tokens", found: "\(tokens)", wanted: "at least 2") }
    switch model.network {
    case .decoder(let network): return try gather(network, model, text, name, path, progress)
    case .encoder(let network): return try gather(network, model, text, name, path, progress)
    }
  }

  private func gather<Network: TextNetwork>(
    _ network: Network, _ model: TextModel, _ text: String, _ name: String, _ path: String?, _ progress: WorkProgress
  ) throws -> CalibrationFile {
    let data = try network.calibrationData(text, model, tokens: tokens, maximumLength: maximumLength)
    let groups = network.linearGroups
    let record = CalibrationFile.Record(
      norms: CalibrationFile.norms(of: model), inputs: [:], tokens: [:], examples: [:], text: name,
      textDigest: Self.digest(text), wantedTokens: tokens, batches: data.count, finishedBatches: 0,
      hasFisher: includesFisher)
    var file = CalibrationFile(Calibration(groups: groups), record)
    if let path, FileManager.default.fileExists(atPath: path) { file = try resumed(path, record, model) }
    while file.record.finishedBatches < data.count {
      let start = file.record.finishedBatches
      let part = data.part(start..<min(start + Self.chunk, data.count))
      try progress.report(start, of: data.count)
      var calibration = file.calibration
      try calibration.merge(Calibration.activations(of: network, groups: groups, on: part))
      if includesFisher {
        try calibration.merge(Calibration.fisher(of: network, layers: groups.flatMap { $0 }, on: part))
      }
      file = CalibrationFile(calibration, file.record)
      file.record.finishedBatches = start + part.count
      if let path { try file.save(to: path) }
    }
    try progress.report(data.count, of: data.count)
    return file
  }

  /// FNV-1a over the bytes.
  private static func digest(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }

  private func resumed(_ path: String, _ record: CalibrationFile.Record, _ model: TextModel) throws -> CalibrationFile {
    let file = try CalibrationFile(contentsOf: path)
    try file.requireStatistics(of: model)
    let found = file.record
    func same<Value: Equatable>(_ member: KeyPath<CalibrationFile.Record, Value>) -> Bool {
      found[keyPath: member] == record[keyPath: member]
    }
    guard same(\.textDigest), same(\.wantedTokens), same(\.batches), same(\.hasFisher) else {
      throw InvalidArgument(
        path, found: "statistics of \(found.wantedTokens) tokens of \(found.text)",
        wanted: "another file for \(tokens) tokens of \(record.text), or `apus calibrate --merge`")
    }
    return file
  }
}

extension CalibrationData {
  /// The batches in `range` alone.
  func part(_ range: Range<Int>) -> CalibrationData {
    let start = range.lowerBound
    var part = self
    part.count = range.count
    part.evaluate = { [evaluate] model, batch in try evaluate(model, start + batch) }
    if let losses { part.losses = { model, batch in try losses(model, start + batch) } }
    if let counted { part.counted = { batch in counted(start + batch) } }
    return part
  }
}

/// What jobs ask of the networks that they know.
protocol TextNetwork: SequentialLinearGroups<Float> {
  func calibrationData(
    _ text: String, _ model: TextModel, tokens: Int, maximumLength: Int
  ) throws -> CalibrationData<Self>

  /// This network as a model's.
  var ofText: TextModel.Network { get }
}

extension GPT<Float>: TextNetwork {
  var ofText: TextModel.Network { .decoder(self) }

  func calibrationData(
    _ text: String, _ model: TextModel, tokens: Int, maximumLength: Int
  ) throws -> CalibrationData<Self> {
    try CalibrationData(
      text: text, tokenizer: model.tokenizer, contextLength: configuration.contextLength, tokens: tokens)
  }
}

extension BERT<Float>: TextNetwork {
  var ofText: TextModel.Network { .encoder(self) }

  func calibrationData(
    _ text: String, _ model: TextModel, tokens: Int, maximumLength: Int
  ) throws -> CalibrationData<Self> {
    guard let tokenizer = model.tokenizer as? WordPieceTokenizer else {
      throw InvalidArgument("tokenizer", found: "one of another kind", wanted: "WordPiece, as BERT's encoders have")
    }
    return try CalibrationData(
      text: text, tokenizer: tokenizer, maximumLength: maximumLength, tokens: tokens, width: configuration.width)
  }
}
