import CatalogueCore
import Datasets
import FileFormats
import Foundation
import Networks
import Tensors

/// The data of a run in its parts, made once: what it learns from, what it is watched on, and what it is tested on.
enum TrainParts {
  case labelled(Split<LabelledData<Float>>)
  case regression(Split<RegressionData<Float>>)
  case text(TextParts)

  init(_ data: TrainData, _ settings: TrainSettings, progress: WorkProgress) throws {
    switch data {
    case .labelled(let data): self = .labelled(try Self.split(data, settings))
    case .regression(let data): self = .regression(try Self.split(data, settings))
    case .text(let corpus): self = .text(try TextParts(corpus, settings, progress: progress))
    }
  }

  private static func split<Data: Examples>(_ data: Data, _ settings: TrainSettings) throws -> Split<Data> {
    let parts = try data.split(validation: settings.validation, test: settings.test, seed: settings.seed)
    guard parts.train.count > 0 else {
      throw UsageError("--data has \(data.count) examples, too few to leave some for training")
    }
    return parts
  }

  /// Examples that are trained on: what an epoch is. Of a text, windows that do not overlap.
  var trainingCount: Int {
    switch self {
    case .labelled(let parts): parts.train.count
    case .regression(let parts): parts.train.count
    case .text(let parts): parts.train.consecutiveCount
    }
  }
}

/// A text as tokens: its beginning for training, then a part for watching, then one for the test.
struct TextParts {
  let tokenizer: any Tokenizer
  let train: TokenWindows
  /// Nil when it is shorter than one window.
  let validation: TokenWindows?
  let test: TokenWindows?

  init(_ corpus: TextCorpus, _ settings: TrainSettings, progress: WorkProgress) throws {
    let (rest, test) = corpus.split(heldOut: settings.test)
    let (train, validation) = rest.split(heldOut: settings.validation / (1 - settings.test))
    let tokenizer = try Self.makeTokenizer(settings.tokenizer, train: train, all: corpus, progress: progress)
    func windows(_ part: TextCorpus) throws -> TokenWindows {
      try TokenWindows(tokenizer.encode(part.text), length: settings.context)
    }
    self.tokenizer = tokenizer
    self.train = try windows(train)
    self.validation = try? windows(validation)
    self.test = try? windows(test)
    if self.validation == nil, settings.patience != nil {
      throw UsageError("--patience needs a longer text or a larger --validation: there is nothing to evaluate on")
    }
  }

  private static func makeTokenizer(
    _ name: String, train: TextCorpus, all: TextCorpus, progress: WorkProgress
  ) throws -> any Tokenizer {
    switch name {
    case "characters":
      // Of the whole text: a held-out character that never occurred before could not even be asked for.
      let tokenizer = CharacterTokenizer(alphabetOf: all.text)
      guard tokenizer.vocabularyCount <= 4_096 else {
        throw UsageError(
          "the text has \(tokenizer.vocabularyCount) kinds of characters; take --tokenizer bytes or bpe:1024")
      }
      return tokenizer
    case "bytes": return ByteTokenizer()
    default:
      let count = name.hasPrefix("bpe:") ? Int(name.dropFirst(4)) : nil
      guard let count, count >= 257, count <= 65_536 else {
        throw UsageError("--tokenizer '\(name)' must be characters, bytes, or bpe:N with N in 257...65536")
      }
      return try BytePairTokenizer(trainedOn: train.text, vocabulary: count, progress: progress)
    }
  }

  /// Writes the tokenizer beside the model. Bytes need no file, so that one of an earlier run must go.
  func saveTokenizer(in folder: String) throws {
    let path = "\(folder)/tokenizer.json"
    switch tokenizer {
    case let tokenizer as CharacterTokenizer: try tokenizer.save(to: path)
    case let tokenizer as BytePairTokenizer: try tokenizer.save(to: path)
    default:
      guard FileManager.default.fileExists(atPath: path) else { return }
      do {
        try FileManager.default.removeItem(atPath: path)
      } catch {
        throw FileError(.unwritable, path, "this tokenizer of an earlier run cannot be removed")
      }
    }
  }
}
