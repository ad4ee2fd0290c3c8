import CatalogueCore
import Datasets
import Foundation
import Tensors

/// What `--data` names.
enum TrainData {
  case labelled(LabelledData<Float>)
  case regression(RegressionData<Float>)
  case text(TextCorpus)

  static let names = Datasets.labelledNames + ["diabetes", "shakespeare", "shakespeare-plays"]

  /// A data set by its name, or FILE, or FILE,LABELS.
  init(_ word: String, labels: LabelKind) throws {
    switch word {
    case "diabetes": self = .regression(Datasets.diabetes())
    case "shakespeare": self = .text(Datasets.shakespeare())
    case "shakespeare-plays": self = .text(Datasets.shakespearePlays())
    default:
      if let data = Datasets.named(word) {
        self = .labelled(data)
        return
      }
      let isFile = word.contains(".") || word.contains("/") || FileManager.default.fileExists(atPath: word)
      guard isFile else {
        throw UsageError(noSuch: "data set '\(word)', and no file", word, among: Self.names)
      }
      try self.init(files: word, labels: labels)
    }
  }

  private init(files word: String, labels: LabelKind) throws {
    // A file may have a comma in its name.
    let isOne = FileManager.default.fileExists(atPath: word) || !word.contains(",")
    let parts = isOne ? [word] : word.split(separator: ",", maxSplits: 1).map(String.init)
    guard let features = parts.first else { throw UsageError("--data needs a name or a file") }
    switch try FileData(features: features, labels: parts.count > 1 ? parts[1] : nil, taking: labels) {
    case .labelled(let data): self = .labelled(data)
    case .regression(let data): self = .regression(data)
    case .text(let corpus): self = .text(corpus)
    }
  }

  var isText: Bool { if case .text = self { true } else { false } }
  var hasClasses: Bool { if case .labelled = self { true } else { false } }

  /// [channels, height, width], when the examples are images.
  var imageShape: [Int]? {
    guard case .labelled(let data) = self else { return nil }
    return data.imageShape ?? (data.features.rank == 4 ? Array(data.features.shape.dropFirst()) : nil)
  }

  /// What a person should know when whole numbers were taken for targets without having been asked for.
  var doubt: String? {
    guard case .regression(let data) = self, data.targets.columns == 1 else { return nil }
    let numbers = data.targets.scalars
    guard let least = numbers.min(), let largest = numbers.max(), numbers.allSatisfy({ $0 == $0.rounded() }) else {
      return nil
    }
    return
      "the labels are whole numbers from \(Int(least)) to \(Int(largest)), taken for numbers to predict; --classes "
      + "takes them for classes, and --regression says that they are numbers"
  }
}
