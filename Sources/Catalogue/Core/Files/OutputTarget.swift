import FileFormats
import Foundation
import Tensors

/// Where `-o` writes the arrays of a run, and in which format.
///
/// The name decides: `.npy`, `.csv`, `.tsv` and `.mtx` hold one array, `.npz` and `.safetensors` any number. A name
/// without an ending, or with a slash at its end, is a folder with a `.npy` file for each array and a `summary.json`.
public struct OutputTarget: Sendable {
  public let path: String
  private let format: ArrayFormat?

  /// Checks at once, before anything is computed, that the place can be written and holds what the method gives.
  public init(_ path: String, for card: MethodCard) throws {
    self.path = path
    guard !card.outputs.isEmpty else { throw UsageError("'\(card.id)' gives no arrays to write; leave -o out") }
    guard !path.isEmpty else { throw UsageError("-o needs a file or a folder") }
    let format = ArrayFormat(extensionOf: path)
    let isFolder = Folder.exists(path) || path.hasSuffix("/")
    if isFolder || (format == nil && !Self.fileName(path).contains(".")) {
      self.format = nil
      try Folder.requireWritable(path)
      return
    }
    guard let format else {
      throw UsageError(
        "\(path): the ending tells no format; wanted .npy, .npz, .safetensors, .csv, .tsv or .mtx, or / for a folder")
    }
    if Self.holdsOneArray(format), card.outputs.count > 1 {
      throw UsageError(
        "\(path): '\(card.id)' gives \(card.outputs.count) arrays, and .\(format.rawValue) holds one; "
          + "wanted .npz, .safetensors or a folder")
    }
    self.format = format
    // Begins a file and leaves it: what the system would refuse later, it refuses now.
    _ = try AtomicFile(path)
  }

  /// Writes all arrays, or none.
  public func write(_ outcome: RunOutcome, summary: JSONValue) throws {
    let arrays = outcome.outputs
    switch format {
    case nil: try writeFolder(arrays, summary: summary)
    case .npz: try writeNPZ(arrays.map { ($0.name, $0.array) }, to: path)
    case .safetensors: try writeSafetensors(arrays.map { ($0.name, $0.array) }, to: path)
    default:
      guard arrays.count == 1 else {
        throw UsageError("\(path): there are \(arrays.count) arrays to write; wanted .npz, .safetensors or a folder")
      }
      try writeArray(arrays[0].array, to: path, name: arrays[0].name)
    }
  }

  private static func holdsOneArray(_ format: ArrayFormat) -> Bool { format != .npz && format != .safetensors }

  private static func fileName(_ path: String) -> String { (path as NSString).lastPathComponent }

  /// Everything is written to a folder beside the target first, and moved when it is complete.
  private func writeFolder(_ arrays: [OutputArray], summary: JSONValue) throws {
    let target = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path
    try Folder.make(
      (target as NSString).deletingLastPathComponent.isEmpty ? "." : (target as NSString).deletingLastPathComponent)
    try ScratchFolder.with("\(target).\(getpid()).partial") { scratch in
      var names: [String] = ["summary.json"]
      for array in arrays {
        let name = Self.safeName(array.name, besides: names)
        names.append(name)
        try writeNPY(array.array, to: "\(scratch)/\(name)")
      }
      var file = try AtomicFile("\(scratch)/summary.json")
      try file.write(summary.text + "\n")
      try file.commit()
      if !Folder.exists(target), rename(scratch, target) == 0 { return }
      try Folder.make(target)
      for name in names where rename("\(scratch)/\(name)", "\(target)/\(name)") != 0 {
        throw FileError(.unwritable, "\(target)/\(name)", "cannot be written: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// A file name inside the folder, whatever an array is called, and different from those taken.
  private static func safeName(_ name: String, besides taken: [String]) -> String {
    var base = String(String.UnicodeScalarView(name.unicodeScalars.map { $0 == "/" || $0.value < 32 ? "_" : $0 }))
    if base.hasPrefix(".") { base = "_" + base.dropFirst() }
    if base.isEmpty { base = "array" }
    base = String(base.prefix(120))
    var candidate = base + ".npy"
    var suffix = 2
    while taken.contains(candidate) {
      candidate = "\(base)_\(suffix).npy"
      suffix += 1
    }
    return candidate
  }
}

/// The folder that `--report` writes `report.html` to.
public struct ReportTarget: Sendable {
  public let path: String

  /// Checks at once that the folder can be written.
  public init(folder: String) throws {
    guard !folder.isEmpty else { throw UsageError("--report needs a folder") }
    try Folder.requireWritable(folder)
    path = (folder as NSString).appendingPathComponent("report.html")
    if Folder.exists(folder) { _ = try AtomicFile(path) }
  }

  /// Draws and writes the page.
  public func write(_ report: Report) throws {
    let page = report.html()
    try Folder.make((path as NSString).deletingLastPathComponent)
    var file = try AtomicFile(path)
    try file.write(page)
    try file.commit()
  }
}
