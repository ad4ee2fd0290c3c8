public import CatalogueCore
public import Compression
public import FileFormats
import Foundation
import LinearAlgebra
public import Tensors

/// What a quantization did, tensor by tensor.
public struct CheckpointQuantization: Sendable {
  public struct Row: Sendable {
    public var name: String
    public var shape: [Int]
    /// Codes, scales and the correction's factors, for each number of the matrix.
    public var bitsPerWeight: Double
    public var rank: Int?
    /// ‖W' - W‖ / ‖W‖ in the Frobenius norm.
    public var weightError: Double
    /// (E‖(W' - W) x‖² / E‖W x‖²)^½ over calibrated inputs, without and with the correction.
    public var uncorrectedOutputError: Double?
    public var outputError: Double?
  }

  public var format: String
  public var repair: String?
  public var input: String
  public var output: String
  public var rows: [Row]
  /// What a person should know of the statistics.
  public var warnings: [String]
  public var bytesBefore: Int
  public var bytesAfter: Int
  public var seconds: Double
}

/// The formats of weights by name, and by which the errors of a format are repaired.
public enum WeightFormats {
  public static let names = ["rf8", "int8", "nf4", "int4", "nf3", "nf2", "mxint4", "mxint8"]

  /// - Throws: `UsageError` for a name that is none of ``names``.
  public static func format(_ name: String) throws -> any WeightQuantizer {
    switch name {
    case "rf8": return Float8Quantizer.rf8
    case "int8": return IntegerQuantizer.int8
    case "int4": return IntegerQuantizer.int4
    case "nf4": return NormalFloatQuantizer.nf4
    case "nf3": return NormalFloatQuantizer.nf3
    case "nf2": return NormalFloatQuantizer.nf2
    case "mxint4": return MXIntQuantizer.mxint(4)
    case "mxint8": return MXIntQuantizer.mxint(8)
    default: throw UsageError(noSuch: "format '\(name)'", name, among: names)
    }
  }
}

/// Rounds the matrices of a checkpoint to a few bits and writes a new one, matrix by matrix.
public struct CheckpointQuantizationJob: Sendable {
  public var format: String
  /// Corrects each matrix for the inputs of its layer.
  public var repair: QERA?
  public var selection = MatrixSelection()
  /// Whether the rounded matrices are written as numbers of the original's type, for other tools to load.
  public var isDense = false

  public init(
    format: String, repair: QERA? = nil, selection: MatrixSelection = MatrixSelection(), isDense: Bool = false
  ) {
    (self.format, self.repair, self.selection, self.isDense) = (format, repair, selection, isDense)
  }

  /// - Parameter calibration: statistics of the layers; needed for a repair that looks at inputs (LoftQ does not), and wanted
  ///   for errors of outputs.
  /// - Throws: `UsageError` for an unknown format; `InvalidArgument` for patterns that match nothing, a tensor that is not
  ///   finite, or statistics that lack a layer; `FileError`; `CancellationError`.
  public func run(
    _ input: FactoredCheckpoint, to output: String, calibration: CalibrationFile? = nil,
    progress: WorkProgress = .silent
  ) throws -> CheckpointQuantization {
    let start = ContinuousClock.now
    try input.requireOther(output)
    try input.requireNumbers()
    let quantizer = try WeightFormats.format(format)
    let chosen = try selection.select(from: input.entries, of: input.checkpoint.path)
    let names = Set(chosen.map(\.name))
    var results: [String: Stored] = [:]
    var rows: [CheckpointQuantization.Row] = []
    for (i, entry) in chosen.enumerated() {
      try progress.report(i, of: chosen.count, entry.name)
      let weight = try input.tensor(named: entry.name).copied()
      input.release(entry.name)
      try weight.requireFinite(entry.name)
      let layer = entry.name.hasSuffix(".weight") ? String(entry.name.dropLast(7)) : entry.name
      let moments = calibration?.calibration[layer]?.activations
      if let repair, repair.looksAtInputs, moments == nil {
        throw InvalidArgument(
          "calibration", found: "no statistics of the inputs of \(layer)",
          wanted: "statistics by `apus calibrate`, or --include patterns for the layers that have them")
      }
      let (stored, row) = try quantize(weight, entry.name, by: quantizer, moments)
      results[entry.name] = stored
      rows.append(row)
    }
    let bytes = try write(results, names, input, to: output)
    try progress.report(chosen.count, of: chosen.count)
    return CheckpointQuantization(
      format: format, repair: repair.map { "\($0.name), rank \($0.rank)" }, input: input.checkpoint.path,
      output: output,
      rows: rows, warnings: calibration?.warnings ?? [], bytesBefore: input.checkpoint.byteCount, bytesAfter: bytes,
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  /// A matrix as it is going to be stored: codes take an eighth of its memory or so.
  private struct Stored {
    var matrix: QuantizedMatrix
    var factors: FactoredMatrix<Float>?

    /// Scales that are powers of two by their exponents, as F8_E8M0 stores them; nothing when they are something else.
    var scaleExponents: [UInt8]? {
      guard matrix.bitsPerBlock == 8 else { return nil }
      let hasZero = matrix.table.scalars.first == 0
      let exponents = matrix.scales.scalars.compactMap { scale -> UInt8? in
        // A block of zeros has the code of zero, whatever its scale.
        if scale == 0 { return hasZero ? 127 : nil }
        guard scale > 0, scale.significand == 1, -127...127 ~= scale.exponent else { return nil }
        return UInt8(127 + scale.exponent)
      }
      return exponents.count == matrix.scales.count ? exponents : nil
    }

    var dense: Tensor<Float> {
      factors.map { matrix.dequantized + $0.reconstructed() } ?? matrix.dequantized
    }
  }

  private func quantize(
    _ weight: Tensor<Float>, _ name: String, by quantizer: any WeightQuantizer, _ moments: ActivationMoments?
  ) throws -> (Stored, CheckpointQuantization.Row) {
    do {
      var stored: Stored
      var rank: Int?
      if var repair {
        repair.rank = min(repair.rank, weight.rows, weight.columns)
        let corrected = try repair.correct(
          weight, quantizedBy: quantizer, activations: moments ?? ActivationMoments.uncorrelated(width: weight.columns))
        stored = Stored(matrix: corrected.quantized, factors: corrected.correction.factors)
        rank = repair.rank
      } else {
        stored = Stored(matrix: try quantizer.quantized(weight), factors: nil)
      }
      let original = Tensor<Double>(weight)
      let plain = Tensor<Double>(stored.matrix.dequantized) - original
      let change = stored.factors.map { plain + Tensor<Double>($0.reconstructed()) } ?? plain
      let total = moments.map { $0.meanSquaredOutput(of: original) }
      func outputError(_ change: Tensor<Double>) -> Double? {
        moments.map { ($0.meanSquaredOutput(of: change) / (total ?? 1)).squareRoot() }
      }
      let bits = stored.matrix.storedBits + (stored.factors?.parameterCount ?? 0) * 16
      let row = CheckpointQuantization.Row(
        name: name, shape: weight.shape, bitsPerWeight: Double(bits) / Double(weight.count), rank: rank,
        weightError: change.frobeniusNorm() / max(original.frobeniusNorm(), .leastNormalMagnitude),
        uncorrectedOutputError: outputError(plain), outputError: outputError(change))
      return (stored, row)
    } catch let error as InvalidArgument {
      throw InvalidArgument(name, found: "\(error.name): \(error.found)", wanted: error.wanted)
    }
  }

  /// - Returns: the bytes of all tensors.
  private func write(
    _ results: [String: Stored], _ names: Set<String>, _ input: FactoredCheckpoint, to output: String
  ) throws -> Int {
    var declarations: [SafetensorsWriter.Declaration] = []
    var records: [String: QuantizedCheckpoint.Record] = [:]
    var tables: [(name: String, tensor: Tensor<Float>)] = []
    let untouched = input.entries.filter { !names.contains($0.name) }
    declarations += untouched.map { .init($0.name, $0.type, $0.shape) }
    for (name, stored) in results.sorted(by: { $0.key < $1.key }) {
      let matrix = stored.matrix
      guard !isDense else {
        declarations.append(.init(name, input.entry(named: name)?.type ?? .float32, matrix.shape))
        continue
      }
      var table = tables.first { $0.tensor == matrix.table }?.name
      if table == nil {
        table = "apus.table.\(tables.count)"
        tables.append((table ?? "", matrix.table))
      }
      records[name] = .init(
        format: format, bits: matrix.codes.bits, shape: matrix.shape,
        block: [matrix.block.rows, matrix.block.columns], table: table ?? "", hasZeros: matrix.zeroPoints != nil,
        rank: stored.factors?.left.columns)
      declarations += [
        .init("\(name).codes", .uint8, [matrix.codes.bytes.count]),
        .init("\(name).scales", stored.scaleExponents == nil ? .float32 : .float8E8M0, matrix.scales.shape),
      ]
      if let zeros = matrix.zeroPoints { declarations.append(.init("\(name).zeros", .float32, zeros.shape)) }
      if let factors = stored.factors {
        declarations += [
          .init("\(name).left", .float16, factors.left.shape), .init("\(name).right", .float16, factors.right.shape),
        ]
      }
    }
    declarations += tables.map { .init($0.name, .float32, $0.tensor.shape) }
    var metadata = input.checkpoint.metadata
    metadata[FactoredCheckpoint.factorsKey] = nil
    metadata["apus.method"] = repair.map { "\(format) + \($0.name)" } ?? format
    if !records.isEmpty {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      metadata[QuantizedCheckpoint.key] = String(decoding: try encoder.encode(records), as: UTF8.self)
    }
    var writer = try SafetensorsWriter(output, declaring: declarations, metadata: metadata)
    for entry in untouched { try writer.copy(entry, from: input) }
    for (name, stored) in results {
      guard !isDense else {
        try writer.write(stored.dense, named: name)
        continue
      }
      try stored.matrix.codes.bytes.withUnsafeBytes { try writer.write(bytes: $0, named: "\(name).codes") }
      if let exponents = stored.scaleExponents {
        try exponents.withUnsafeBytes { try writer.write(bytes: $0, named: "\(name).scales") }
      } else {
        try writer.write(stored.matrix.scales, named: "\(name).scales")
      }
      if let zeros = stored.matrix.zeroPoints { try writer.write(zeros, named: "\(name).zeros") }
      if let factors = stored.factors {
        try writer.write(factors.left, named: "\(name).left")
        try writer.write(factors.right, named: "\(name).right")
      }
    }
    for (name, tensor) in tables { try writer.write(tensor, named: name) }
    try writer.finish()
    return declarations.reduce(0) { $0 + ($1.type.byteCount(of: $1.shape) ?? 0) }
  }
}

extension QERA {
  /// Whether statistics of a layer's inputs matter to the correction.
  public var looksAtInputs: Bool { scaling != .identity }

  fileprivate var name: String { looksAtInputs ? "qera" : "loftq" }
}

extension ActivationMoments {
  /// Of one token whose inputs have nothing to do with each other: for a correction that does not look at them.
  fileprivate static func uncorrelated(width: Int) throws -> ActivationMoments {
    let ones = Tensor<Double>.ones([width])
    return try ActivationMoments(
      tokens: 1, gram: .identity(width), sums: ones, absoluteSums: ones, maxima: ones, largestMeans: ones)
  }
}

extension CheckpointQuantization {
  /// Over all matrices, weighted by their numbers.
  public var bitsPerWeight: Double {
    let count = rows.reduce(0.0) { $0 + Double($1.shape.reduce(1, *)) }
    return rows.reduce(0) { $0 + $1.bitsPerWeight * Double($1.shape.reduce(1, *)) } / max(count, 1)
  }

  public var facts: [Fact] {
    var facts = [Fact("Format", format)]
    if let repair { facts.append(Fact("Repaired by", repair)) }
    return facts + [
      Fact("Input", input), Fact("Output", output), Fact("Matrices worked on", rows.count),
      Fact("Bits a weight of these matrices", bitsPerWeight), Fact("Bytes, before", bytesBefore),
      Fact("Bytes, after", bytesAfter), Fact("Seconds", (seconds * 100).rounded() / 100),
    ]
  }

  public var table: Table {
    var table = Table(
      "Matrices",
      columns: ["tensor", "shape", "bits", "rank", "weight error", "output error, plain", "output error"],
      caption: "Relative errors; of outputs on the calibrated inputs, where there are statistics.")
    for row in rows {
      table.add([
        row.name, text(row.shape), row.bitsPerWeight, row.rank, row.weightError, row.uncorrectedOutputError,
        row.outputError,
      ])
    }
    return table
  }

  public var section: Report.Section {
    let places = rows.indices.map { Double($0 + 1) }
    var series = [Series("weights", x: places, y: rows.map(\.weightError), .lineAndPoints)]
    if rows.contains(where: { $0.outputError != nil }) {
      series += [
        Series("outputs, plain", x: places, y: rows.map { $0.uncorrectedOutputError ?? .nan }, .lineAndPoints),
        Series("outputs", x: places, y: rows.map { $0.outputError ?? .nan }, .lineAndPoints),
      ]
    }
    let plot = Plot(
      "Errors by matrix", caption: "In the order of the checkpoint.", x: "matrix", y: "relative error", series)
    return Report.Section(
      id: "quantize-\(format)", title: "Quantized to \(format)", blocks: [.facts(facts), .plot(plot), .table(table)])
  }

  public var json: JSONValue {
    [
      "format": .string(format), "repair": repair.map { .string($0) } ?? .null, "input": .string(input),
      "output": .string(output), "bits_per_weight": .number(bitsPerWeight), "bytes_before": .integer(bytesBefore),
      "bytes_after": .integer(bytesAfter), "seconds": .number(seconds),
      "warnings": .array(warnings.map { .string($0) }),
      "rows": .array(
        rows.map { row in
          [
            "name": .string(row.name), "shape": .array(row.shape.map { .integer($0) }),
            "bits_per_weight": .number(row.bitsPerWeight), "rank": row.rank.map { .integer($0) } ?? .null,
            "weight_error": .number(row.weightError),
            "uncorrected_output_error": row.uncorrectedOutputError.map { .number($0) } ?? .null,
            "output_error": row.outputError.map { .number($0) } ?? .null,
          ]
        }),
    ]
  }
}
