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
  ///   - merged: files of other passes over the same model, whose statistics are added at the end. The same call on a file
  ///     that has all of them already changes nothing.
  /// - Throws: `InvalidArgument` when the file there is of another model, text or amount, when the text does not suffice,
  ///   when a layer's inputs are not finite, or when a pass would count twice; `FileError`; `CancellationError`, and what
  ///   was seen is then kept.
  public func run(
    _ model: TextModel, on text: String, named name: String, keptIn path: String? = nil, merging merged: [String] = [],
    progress: WorkProgress = .silent
  ) throws -> CalibrationFile {
    let data = try model.calibrationData(text, tokens: tokens, maximumLength: maximumLength)
    return try run(model, on: data, of: text, named: name, keptIn: path, merging: merged, progress: progress)
  }

  /// The same on a text that is cut into tokens already.
  func run(
    _ model: TextModel, on data: TextCalibrationData, of text: String, named name: String, keptIn path: String? = nil,
    merging merged: [String] = [], progress: WorkProgress = .silent
  ) throws -> CalibrationFile {
    let pass = CalibrationFile.Pass(
      text: name, textDigest: Self.digest(text), wantedTokens: tokens, batches: data.count, hasFisher: includesFisher)
    let others = try merged.map { try other($0, of: model, besides: pass, into: path) }
    let passes = [pass] + others.flatMap(\.record.passes)
    for (i, pass) in passes.enumerated() where passes[..<i].contains(where: pass.isSame) {
      throw InvalidArgument(
        "merge", found: "\(pass) twice", wanted: "files that have no pass over a text in common")
    }
    var file: CalibrationFile?
    if let path, FileManager.default.fileExists(atPath: path) {
      let found = try CalibrationFile(contentsOf: path)
      try found.requireStatistics(of: model)
      if found.record.isComplete, found.record.has(passes) { return found }
      try found.record.require(pass, path)
      file = found
    }
    let begun =
      file
      ?? CalibrationFile(
        Calibration(groups: model.network.groups), .init(norms: CalibrationFile.norms(of: model), of: pass))
    var result =
      switch (model.network, data) {
      case (.decoder(let network), .decoder(let data)): try gather(network, data, begun, path, progress)
      case (.encoder(let network), .encoder(let data)): try gather(network, data, begun, path, progress)
      default: preconditionFailure("tokens of a network of another kind")
      }
    for other in others { try result.merge(other) }
    if let path, !others.isEmpty { try result.save(to: path) }
    return result
  }

  /// Statistics to merge, before anything is gathered.
  private func other(
    _ path: String, of model: TextModel, besides pass: CalibrationFile.Pass, into output: String?
  ) throws -> CalibrationFile {
    func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
    guard output.map(resolved) != resolved(path) else {
      throw InvalidArgument("merge", found: "the output itself, \(path)", wanted: "another output, with -o")
    }
    let file = try CalibrationFile(contentsOf: path)
    try file.requireStatistics(of: model)
    try file.requireMergeable(hasFisher: pass.hasFisher)
    return file
  }

  private func gather<Network: TextNetwork>(
    _ network: Network, _ data: CalibrationData<Network>, _ begun: CalibrationFile, _ path: String?,
    _ progress: WorkProgress
  ) throws -> CalibrationFile {
    let groups = network.linearGroups
    var file = begun
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

  /// A model's batches, if they are for networks of this kind.
  static func own(_ data: TextCalibrationData) -> CalibrationData<Self>?
}

/// Batches of a text for a model.
enum TextCalibrationData: Sendable {
  case decoder(CalibrationData<GPT<Float>>)
  case encoder(CalibrationData<BERT<Float>>)

  var count: Int {
    switch self {
    case .decoder(let data): data.count
    case .encoder(let data): data.count
    }
  }
}

extension TextModel {
  /// A text as tokens, in batches.
  ///
  /// - Throws: `InvalidArgument` when the text does not suffice, or has something that no token stands for.
  func calibrationData(_ text: String, tokens: Int, maximumLength: Int = 128) throws -> TextCalibrationData {
    guard tokens >= 2 else { throw InvalidArgument("tokens", found: "\(tokens)", wanted: "at least 2") }
    return switch network {
    case .decoder(let network):
      .decoder(try network.calibrationData(text, self, tokens: tokens, maximumLength: maximumLength))
    case .encoder(let network):
      .encoder(try network.calibrationData(text, self, tokens: tokens, maximumLength: maximumLength))
    }
  }
}

extension GPT<Float>: TextNetwork {
  var ofText: TextModel.Network { .decoder(self) }

  static func own(_ data: TextCalibrationData) -> CalibrationData<Self>? {
    if case .decoder(let own) = data { own } else { nil }
  }

  func calibrationData(
    _ text: String, _ model: TextModel, tokens: Int, maximumLength: Int
  ) throws -> CalibrationData<Self> {
    try CalibrationData(
      text: text, tokenizer: model.tokenizer, contextLength: configuration.contextLength, tokens: tokens)
  }
}

extension BERT<Float>: TextNetwork {
  var ofText: TextModel.Network { .encoder(self) }

  static func own(_ data: TextCalibrationData) -> CalibrationData<Self>? {
    if case .encoder(let own) = data { own } else { nil }
  }

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
