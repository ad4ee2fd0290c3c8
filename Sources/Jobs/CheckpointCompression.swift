public import Compression
public import FileFormats
import Foundation
import LinearAlgebra
public import Tensors

/// What a compression did, tensor by tensor.
public struct CheckpointCompression: Sendable {
  public struct Row: Sendable, Hashable {
    public var name: String
    public var shape: [Int]
    /// The rank of the factors; nothing when the tensor stayed as it was.
    public var rank: Int?
    /// Why it stayed as it was.
    public var reason: String?
    /// The other tensors that share one of its factors.
    public var sharedWith: Int
    /// The Frobenius norm of what was lost over that of the tensor, before rounding to the stored type.
    public var relativeError: Double
    public var originalBytes: Int
    /// The bytes of its factors; a shared factor counts with the share of this tensor.
    public var storedBytes: Int
  }

  public var method: String
  public var input: String
  public var output: String
  public var isDense: Bool
  /// The matrices that the method worked on.
  public var rows: [Row]
  public var plan: CompressionPlan
  /// All parameters of the checkpoint before and after, with those of tensors that were not worked on.
  public var parametersBefore: Int
  public var parametersAfter: Int
  public var bytesBefore: Int
  public var bytesAfter: Int
  public var seconds: Double

  /// The error of all matrices together: the root of the summed squares of what was lost over that of what was there.
  public var totalRelativeError: Double
}

/// Compresses the matrices of a checkpoint and writes a new one.
///
/// The checkpoint is read matrix by matrix, once to plan and once to factor; memory is a small multiple of its largest
/// matrix. The output appears under its name when it is complete.
public struct CheckpointCompressionJob: Sendable {
  /// The method's id, for the metadata.
  public var method: String
  public var compressor: any CheckpointCompressor
  public var budget: CompressionBudget
  public var selection = MatrixSelection()
  /// Whether the matrices are multiplied out again, under their own names, for other tools to load.
  public var isDense = false

  public init(
    method: String, compressor: any CheckpointCompressor, budget: CompressionBudget,
    selection: MatrixSelection = MatrixSelection(), isDense: Bool = false
  ) {
    self.method = method
    self.compressor = compressor
    self.budget = budget
    self.selection = selection
    self.isDense = isDense
  }

  /// - Throws: `InvalidArgument` for a budget that cannot be met, patterns that match nothing, or a tensor that is not
  ///   finite; `FileError`; `CancellationError`.
  public func run(
    _ input: FactoredCheckpoint, to output: String, progress: WorkProgress = .silent
  ) throws -> CheckpointCompression {
    let start = ContinuousClock.now
    try input.requireOther(output)
    try input.requireNumbers()
    try budget.validate()
    let chosen = try selection.select(from: input.entries, of: input.checkpoint.path)
    // A copy, so that the file's pages can be let go: memory stays that of a few matrices, however large the file.
    let load: @Sendable (String) throws -> Tensor<Float> = { name in
      defer { input.release(name) }
      return try input.tensor(named: name).copied()
    }
    let sources = try chosen.map { entry in
      try MatrixSource(name: entry.name, shape: entry.shape) { try load(entry.name) }
    }
    // Planning and factoring take about the same time.
    let plan = try compressor.plan(for: sources, budget: budget, progress: progress.part(0, of: 2))
    let layout = FactoredLayout(plan: plan, checkpoint: input, isDense: isDense)
    var metadata = input.checkpoint.metadata
    metadata["apus.method"] = method
    metadata["apus.budget"] = "\(budget)"
    metadata[FactoredCheckpoint.factorsKey] = try layout.factorsMetadata()
    var writer = try SafetensorsWriter(output, declaring: layout.declarations, metadata: metadata)
    for entry in layout.untouched { try writer.copy(entry, from: input) }

    var rows: [String: CheckpointCompression.Row] = [:]
    var lost = 0.0
    var total = 0.0
    try plan.execute(loading: load, progress: progress.part(1, of: 2)) { group, factors in
      var hasShared = false
      for member in group.members {
        let original = try load(member.name)
        let size = Double(original.frobeniusNorm())
        let error = factors[member.name]?.relativeError(to: original) ?? 0
        total += size * size
        lost += (error * size) * (error * size)
        rows[member.name] = layout.row(member, group, relativeError: error)
        guard let factored = factors[member.name] else {
          try writer.copy(input.entry(named: member.name)!, from: input)
          continue
        }
        if isDense {
          try writer.write(factored.reconstructed(), named: member.name)
          continue
        }
        let names = layout.factors[member.name]!
        let isLeftShared = group.isShared && group.sharedSide == .left
        let isRightShared = group.isShared && group.sharedSide == .right
        if !(isLeftShared && hasShared) { try writer.write(factored.left, named: names.left) }
        if !(isRightShared && hasShared) { try writer.write(factored.right, named: names.right) }
        hasShared = true
      }
    }
    try writer.finish()
    return CheckpointCompression(
      method: method, input: input.checkpoint.path, output: output, isDense: isDense,
      rows: chosen.compactMap { rows[$0.name] }, plan: plan,
      parametersBefore: input.entries.reduce(0) { $0 + $1.shape.reduce(1, *) },
      parametersAfter: layout.declarations.reduce(0) { $0 + $1.shape.reduce(1, *) },
      bytesBefore: input.checkpoint.byteCount, bytesAfter: layout.byteCount,
      seconds: (ContinuousClock.now - start) / .seconds(1),
      totalRelativeError: total > 0 ? (lost / total).squareRoot() : 0)
  }
}

extension FactoredCheckpoint {
  /// The input stays a person's own: it is never replaced by what is made of it.
  ///
  /// - Throws: `InvalidArgument` when `output` is one of this checkpoint's files.
  public func requireOther(_ output: String) throws {
    let target = URL(fileURLWithPath: output).resolvingSymlinksInPath().path
    for file in checkpoint.files where URL(fileURLWithPath: file.path).resolvingSymlinksInPath().path == target {
      throw InvalidArgument("output", found: "the input itself", wanted: "another file")
    }
  }
}

extension SafetensorsWriter {
  /// Passes a tensor on: its bytes where it is stored as it is, the product where it is stored as factors.
  mutating func copy(_ entry: FactoredCheckpoint.Entry, from input: FactoredCheckpoint) throws {
    if entry.factors == nil {
      let checkpoint = input.checkpoint
      var failure: (any Error)?
      // A noncopyable value cannot be captured by an escaping closure, and this one does not escape.
      try checkpoint.withBytes(of: entry.name) { bytes in
        do { try write(bytes: bytes, named: entry.name) } catch { failure = error }
      }
      if let failure { throw failure }
      input.release(entry.name)
    } else {
      try write(input.tensor(named: entry.name), named: entry.name)
    }
  }
}

/// Where everything goes in the compressed file.
private struct FactoredLayout {
  let declarations: [SafetensorsWriter.Declaration]
  /// The factors' names, by the name of their product.
  let factors: [String: FactoredCheckpoint.Factors]
  /// What the method did not work on.
  let untouched: [FactoredCheckpoint.Entry]
  let byteCount: Int
  private let types: [String: StoredType]

  init(plan: CompressionPlan, checkpoint: FactoredCheckpoint, isDense: Bool) {
    var declarations: [SafetensorsWriter.Declaration] = []
    var factors: [String: FactoredCheckpoint.Factors] = [:]
    var sharedCount = 0
    let types = Dictionary(uniqueKeysWithValues: checkpoint.entries.map { ($0.name, $0.type) })
    for group in plan.groups {
      var shared: String?
      for member in group.members {
        let type = types[member.name] ?? .float32
        guard let rank = group.rank, !isDense else {
          declarations.append(.init(member.name, type, [member.rows, member.columns]))
          continue
        }
        var left = "\(member.name).left"
        var right = "\(member.name).right"
        var isFirst = true
        if group.isShared {
          isFirst = shared == nil
          let name = shared ?? "apus.shared.\(sharedCount)"
          shared = name
          if group.sharedSide == .left { left = name } else { right = name }
        }
        if isFirst || group.sharedSide == .right { declarations.append(.init(left, type, [member.rows, rank])) }
        if isFirst || group.sharedSide == .left { declarations.append(.init(right, type, [rank, member.columns])) }
        factors[member.name] = .init(left: left, right: right, shape: [member.rows, member.columns])
      }
      if shared != nil { sharedCount += 1 }
    }
    let planned = Set(plan.groups.flatMap { $0.members.map(\.name) })
    untouched = checkpoint.entries.filter { !planned.contains($0.name) }
    declarations += untouched.map { .init($0.name, $0.type, $0.shape) }
    self.declarations = declarations
    self.factors = factors
    self.types = types
    byteCount = declarations.reduce(0) { $0 + ($1.type.byteCount(of: $1.shape) ?? 0) }
  }

  func factorsMetadata() throws -> String? {
    try FactoredCheckpoint.metadata(of: factors)
  }

  func row(
    _ member: MatrixShape, _ group: CompressionPlan.Group, relativeError: Double
  ) -> CheckpointCompression.Row {
    let type = types[member.name] ?? .float32
    let bytesPerElement = type.byteCount(of: [1]) ?? 4
    let original = member.count * bytesPerElement
    var stored = original
    var reason: String?
    switch group.decision {
    case .factored(let rank):
      let isLeft = group.sharedSide == .left
      let own = rank * (isLeft ? member.columns : member.rows)
      let shared = rank * (isLeft ? member.rows : member.columns)
      stored = (own + shared / group.members.count) * bytesPerElement
    case .dense(let why): reason = "\(why)"
    }
    return .init(
      name: member.name, shape: [member.rows, member.columns], rank: group.rank, reason: reason,
      sharedWith: group.rank == nil ? 0 : group.members.count - 1, relativeError: relativeError,
      originalBytes: original, storedBytes: stored)
  }
}
