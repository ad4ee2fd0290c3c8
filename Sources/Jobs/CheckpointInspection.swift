import Compression
public import Diagnostics
public import FileFormats
import Foundation
import LinearAlgebra
public import Tensors

/// What is in a checkpoint, tensor by tensor: sizes, norms, spectra, and how far each matrix is from its
/// initialization.
public struct CheckpointInspection: Sendable {
  /// One tensor.
  public struct Row: Sendable {
    public var entry: StoredTensor
    public var role: TensorRole
    /// The layer, where the name has a number.
    public var layer: Int?
    /// Figures of a matrix; nothing for vectors and for tensors that are not numbers with a fraction.
    public var matrix: MatrixFigures?
    /// Why a matrix has no figures, or lacks some.
    public var remark: String?
  }

  public var path: String
  public var files: Int
  public var metadata: [String: String]
  public var rows: [Row]

  public var parameterCount: Int { rows.reduce(0) { $0 + $1.entry.count } }
  public var byteCount: Int { rows.reduce(0) { $0 + $1.entry.byteCount } }
  public var matrices: [(row: Row, figures: MatrixFigures)] { rows.compactMap { row in row.matrix.map { (row, $0) } } }

  /// The roles that occur, in a fixed order.
  public var roles: [TensorRole] {
    let found = Set(matrices.map(\.row.role))
    return TensorRole.allCases.filter(found.contains)
  }
}

/// Figures of one matrix. A tensor with more axes is read as a matrix with its first axis as rows.
public struct MatrixFigures: Sendable {
  public var shape: [Int]
  public var frobeniusNorm: Double
  /// Singular values, decreasing; nothing when spectra were not asked for.
  public var spectrum: [Double]?
  /// How the magnitudes follow a Weibull law; nothing when there are too few different ones.
  public var weibull: WeibullFit?

  public var spectralNorm: Double? { spectrum?.first }
  public var nuclearNorm: Double? { spectrum.map { $0.reduce(0, +) } }

  /// The squared Frobenius norm over the squared spectral norm.
  public var stableRank: Double? {
    guard let spectrum, let largest = spectrum.first, largest > 0 else { return nil }
    return spectrum.reduce(0) { $0 + ($1 / largest) * ($1 / largest) }
  }

  /// exp of the entropy of the singular values as shares of their sum (Roy and Vetterli, EUSIPCO 2007).
  public var effectiveRank: Double? {
    guard let spectrum, let total = nuclearNorm, total > 0 else { return nil }
    return exp(-spectrum.reduce(0) { $1 > 0 ? $0 + $1 / total * log($1 / total) : $0 })
  }

  /// The least rank that keeps `share` of the squared Frobenius norm.
  public func rank(keeping share: Double) -> Int? {
    guard let spectrum else { return nil }
    let total = spectrum.reduce(0) { $0 + $1 * $1 }
    var kept = 0.0
    for (i, value) in spectrum.enumerated() {
      if kept >= share * total { return i }
      kept += value * value
    }
    return spectrum.count
  }
}

/// Inspects checkpoints, one tensor in memory at a time.
///
/// - Complexity: O(m n min(m, n)) for the spectrum of an m x n matrix, which is nearly all of the time.
public struct CheckpointInspector: Sendable {
  /// Whether singular values are computed; without them an inspection takes as long as reading the file.
  public var includesSpectra = true
  public var fitting = WeibullFitting()

  public init(includesSpectra: Bool = true, fitting: WeibullFitting = WeibullFitting()) {
    self.includesSpectra = includesSpectra
    self.fitting = fitting
  }

  /// - Throws: `FileError` for files that break, `CancellationError`. A tensor that is not finite is no error: it is
  ///   what an inspection is to find, and its row says so.
  public func inspect(_ checkpoint: Checkpoint, progress: WorkProgress = .silent) throws -> CheckpointInspection {
    let entries = checkpoint.entries
    let costs = entries.map(cost)
    let total = costs.reduce(0, +)
    var done = 0
    var rows: [CheckpointInspection.Row] = []
    for (entry, cost) in zip(entries, costs) {
      rows.append(try row(entry, checkpoint))
      checkpoint.release(entry.name)
      done += cost
      try progress.report(done, of: max(total, 1), entry.name)
    }
    return CheckpointInspection(
      path: checkpoint.path, files: checkpoint.files.count, metadata: checkpoint.metadata, rows: rows)
  }

  private func isMatrix(_ entry: StoredTensor) -> Bool {
    entry.type.isFloatingPoint && entry.shape.count >= 2 && entry.count > 0
  }

  /// A measure of the time that a tensor takes, in millions of operations.
  private func cost(_ entry: StoredTensor) -> Int {
    guard isMatrix(entry) else { return 1 }
    let rows = entry.shape[0]
    let columns = entry.count / entry.shape[0]
    return 1 + entry.count / 100_000 + (includesSpectra ? rows / 100 * (columns / 100) * min(rows, columns) / 100 : 0)
  }

  private func row(_ entry: StoredTensor, _ checkpoint: Checkpoint) throws -> CheckpointInspection.Row {
    var row = CheckpointInspection.Row(
      entry: entry, role: TensorRole(tensorName: entry.name), layer: TensorRole.layer(ofTensorName: entry.name))
    guard isMatrix(entry) else { return row }
    let tensor = try checkpoint.tensor(named: entry.name, as: Float.self)
    guard tensor.isFinite else {
      row.remark = "has elements that are not finite"
      return row
    }
    let matrix = tensor.reshaped([entry.shape[0], -1])
    var figures = MatrixFigures(shape: matrix.shape, frobeniusNorm: Double(matrix.frobeniusNorm()))
    do {
      figures.weibull = try fitting.fit(matrix, name: entry.name)
    } catch let error as InvalidArgument {
      row.remark = "no Weibull fit: \(error.found)"
    }
    if includesSpectra { figures.spectrum = try singularSpectrum(of: matrix) }
    row.matrix = figures
    return row
  }
}
