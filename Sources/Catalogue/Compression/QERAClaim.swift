import CatalogueCore
import Compression
import Experiments
import LinearAlgebra
import Networks
import Tensors

/// The project's language model with its blocks' linear layers rounded to 2 and 3 bits, corrected in several ways.
struct QERAClaim {
  let settings: ClaimSettings

  /// One way to repair a quantized network.
  private struct Repair {
    let name: String
    /// Nil: not at all.
    let method: ((_ rank: Int) -> QERA)?
  }

  private let repairs = [
    Repair(name: "no term", method: nil), Repair(name: "SVD") { QERA(rank: $0, scaling: .identity) },
    Repair(name: "LQER") { QERA(rank: $0, scaling: .lqer) },
    Repair(name: "QERA-approx") { QERA(rank: $0, scaling: .diagonal) }, Repair(name: "QERA-exact") { QERA(rank: $0) },
  ]

  /// A quantized network on the validation text, and the errors of its layers.
  private struct Outcome {
    var loss: Double
    /// The sum over the layers of E ‖(W - W') x‖² and of ‖W - W'‖².
    var outputError: Double
    var weightError: Double
  }

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    let subject = try CharacterModel()
    let data = CalibrationData(tokens: subject.calibration(windows: 32, seed: settings.seed))
    let calibration = try QERACompressor(format: .mxint(2)).calibration(of: subject.model, on: data)
    let full = subject.heldOutLoss(of: subject.model)

    let settingsOfRows = settings.size(quick: [(2, 16), (3, 8)], full: [(2, 4), (2, 8), (2, 16), (3, 8)])
    var losses = Table(
      "Held-out loss in nats a character", columns: ["bits", "rank"] + repairs.map(\.name),
      caption: "Block floating point with 32 weights to an exponent; the model itself has \(full.formatted(digits: 5))."
    )
    var outputs = Table(
      "Mean squared output error, summed over the layers", columns: losses.columns,
      caption: "On the calibration inputs.")
    var weights = Table(
      "Squared weight error, summed over the layers", columns: losses.columns,
      caption: "The order is the opposite: the nearest weights do not have the nearest outputs.")
    var curves: [String: [(rank: Int, loss: Double)]] = [:]
    var clouds: [Series] = []
    for (step, (bits, rank)) in settingsOfRows.enumerated() {
      let progress = settings.progress.part(step, of: settingsOfRows.count)
      let found = try repairs.enumerated().map { i, repair in
        try outcome(repair, .mxint(bits), rank: rank, subject, calibration, progress.part(i, of: repairs.count))
      }
      let label: [any DatumConvertible] = [bits, rank]
      losses.add(label + found.map { $0.loss as any DatumConvertible })
      outputs.add(label + found.map { $0.outputError as any DatumConvertible })
      weights.add(label + found.map { $0.weightError as any DatumConvertible })
      let (none, plain, exact) = (found[0], found[1], found[4])
      var others = Double.infinity
      for other in found.dropLast() { others.keepMinimum(of: other.loss) }
      evidence.check(
        "loss of the exact correction less the best other, \(bits) bits, rank \(rank)", claimed: "below 0",
        measured: exact.loss - others, .below(0))
      evidence.check(
        "output error over that of SVD, \(bits) bits, rank \(rank)",
        claimed: bits == 2 && rank == 16 ? "0.31" : "below 1",
        measured: exact.outputError / plain.outputError, .atMost(0.7))
      evidence.check(
        "weight error over that of SVD, \(bits) bits, rank \(rank)", claimed: "above 1",
        measured: exact.weightError / plain.weightError, .above(1))
      if (bits, rank) == (2, 16) {
        evidence.check(
          "share of the loss by quantization that is won back, 2 bits, rank 16", claimed: "0.62",
          measured: (none.loss - exact.loss) / (none.loss - full), .atLeast(0.45))
        evidence.notes.append(
          "At 2 bits and rank 16 the plain decomposition wins back "
            + "\(((none.loss - plain.loss) / (none.loss - full)).formatted(digits: 2)) of the loss by quantization.")
      }
      if bits == 2 {
        for (repair, one) in zip(repairs, found) { curves[repair.name, default: []].append((rank, one.loss)) }
      }
      clouds.append(
        Series(
          "\(bits) bits, rank \(rank)", x: found.map(\.weightError), y: found.map(\.outputError), .points))
    }
    evidence.tables += [losses, outputs, weights]
    evidence.plots += [
      Plot(
        "Loss at 2 bits", x: "rank", y: "held-out loss",
        repairs.compactMap { repair in
          curves[repair.name].map {
            Series(repair.name, x: $0.map { Double($0.rank) }, y: $0.map(\.loss), .lineAndPoints)
          }
        }, marks: [.horizontal(at: full, "not quantized")]),
      Plot(
        "Errors of outputs and of weights",
        caption: "From left to right within a setting: SVD has the nearest weights, the "
          + "exact correction the nearest outputs.", x: "squared weight error", y: .logarithmic("output error"), clouds),
    ]
    if settings.isFull {
      try otherFormats(subject, calibration, &evidence)
      try fineTuning(subject, calibration, &evidence)
    }
    evidence.notes += [
      "Calibrated on 32 windows of 128 characters of the training text, measured on 96 of the held-out text. The model is the "
        + "project's own; the specification's prototype had another (1.6234 nats).",
      "LQER's magnitudes are the largest of the means over the windows, as its authors take them.",
    ]
    return evidence
  }

  private func outcome(
    _ repair: Repair, _ format: some WeightQuantizer, rank: Int, _ subject: CharacterModel, _ calibration: Calibration,
    _ progress: WorkProgress = .silent
  ) throws -> Outcome {
    let compressor = QERACompressor(format: format, method: repair.method?(rank))
    let result = try compressor.compress(
      subject.model, keeping: 1, calibration: calibration, data: nil, where: { _ in true }, progress: progress)
    func sum(_ figure: String) -> Double { result.layers.reduce(0) { $0 + ($1.result[figure: figure] ?? .nan) } }
    return Outcome(
      loss: subject.heldOutLoss(of: result.model), outputError: sum("output error"),
      weightError: sum("squared weight error"))
  }

  // MARK: At full size

  /// Normal floats, and LoftQ; nothing is asserted of them.
  private func otherFormats(
    _ subject: CharacterModel, _ calibration: Calibration, _ evidence: inout Evidence
  ) throws {
    let all =
      repairs + [
        Repair(name: "LoftQ") { .loftQ(rank: $0) }, Repair(name: "QERA, 5 rounds") { QERA(rank: $0, alternations: 5) },
      ]
    var table = Table(
      "Held-out loss with other formats, rank 16", columns: ["format"] + all.map(\.name), caption: "Not asserted.")
    let formats: [any WeightQuantizer] = [.mxint(2), .nf2, .nf4, .int4]
    for format in formats {
      let found = try all.map { try outcome($0, format, rank: 16, subject, calibration).loss }
      table.add([format.name] + found.map { $0 as any DatumConvertible })
    }
    evidence.tables.append(table)
  }

  /// Adapters on 2-bit weights, trained for 100 steps from three starts.
  private func fineTuning(
    _ subject: CharacterModel, _ calibration: Calibration, _ evidence: inout Evidence
  ) throws {
    let starts: [(name: String, method: QERA)] = [
      ("QERA", QERA(rank: 8)), ("LoftQ", .loftQ(rank: 8)), ("zero", QERA(rank: 8, scaling: .identity)),
    ]
    var table = Table(
      "2-bit weights, adapters of rank 8 trained for 100 steps",
      columns: ["start", "before", "seed 1", "seed 2", "seed 3"],
      caption: "Held-out loss. From zero: the left factors are zero, as LoRA has it.")
    var means: [Double] = []
    for (i, start) in starts.enumerated() {
      let compressor = QERACompressor(format: .mxint(2), method: start.method)
      var model = try compressor.compress(
        subject.model, keeping: 1, calibration: calibration, data: nil, where: { _ in true }, progress: .silent
      ).model
      if start.name == "zero" {
        model.forEachParameter { name, tensor in if name.hasSuffix(".left") { tensor = .zeros(tensor.shape) } }
      }
      let losses = try (1...3).map { seed in
        try settings.progress.report(3 * i + seed - 1, of: 9, "fine-tuning")
        return subject.heldOutLoss(of: subject.tuned(model, steps: 100, seed: settings.seed + UInt64(seed)))
      }
      table.add([start.name, subject.heldOutLoss(of: model)] + losses.map { $0 as any DatumConvertible })
      means.append(losses.reduce(0, +) / 3)
    }
    evidence.tables.append(table)
    for (i, name) in [(1, "LoftQ"), (2, "zero")] {
      evidence.check(
        "mean loss after training from QERA less that from \(name)", claimed: "below 0", measured: means[0] - means[i],
        .below(0))
    }
  }
}
