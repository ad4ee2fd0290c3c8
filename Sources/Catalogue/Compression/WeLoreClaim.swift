import CatalogueCore
import Compression
import LinearAlgebra
import SpecialFunctions
import Tensors

/// The choice of ranks on a network whose spectra are known: what can be shown without training one.
struct WeLoreClaim {
  let settings: ClaimSettings

  /// A kind of matrix: how many singular values carry most of the energy, as a fraction of the rank.
  private struct Role {
    let name: String
    let rows: Int, columns: Int
    /// sigma_i = exp(-i / (decay q)) + floor.
    let decay: Double, floor: Double
  }

  /// Query and key fall fast; value, gate and up have heavy tails; output and down lie between.
  private let roles = [
    Role(name: "query", rows: 128, columns: 128, decay: 0.05, floor: 0.01),
    Role(name: "key", rows: 128, columns: 128, decay: 0.06, floor: 0.01),
    Role(name: "value", rows: 128, columns: 128, decay: 0.6, floor: 0.1),
    Role(name: "output", rows: 128, columns: 128, decay: 0.3, floor: 0.05),
    Role(name: "gate", rows: 256, columns: 128, decay: 0.6, floor: 0.1),
    Role(name: "up", rows: 256, columns: 128, decay: 0.7, floor: 0.1),
    Role(name: "down", rows: 128, columns: 256, decay: 0.25, floor: 0.05),
  ]

  /// What the matrices of a network have in common: the size by which the errors of different matrices compare.
  private enum Scale { case spectralNorm, frobeniusNorm }

  private typealias Named = [(name: String, matrix: Tensor<Double>)]

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    var random = RandomStream(seed: settings.seed)
    let layers = settings.size(quick: 4, full: 12)
    let network = try network(layers: layers, equal: .spectralNorm, random: &random)
    let survey = try SpectrumSurvey(named: network, progress: settings.progress)
    try exactness(survey, &evidence)
    try invariances(network, survey, &random, &evidence)
    try allocation(network, survey, &evidence)
    try WeLoreTrainedClaim(settings: settings).add(to: &evidence)
    try WeLoreGradientClaim(settings: settings).add(to: &evidence)
    let other = try SpectrumSurvey(named: self.network(layers: layers, equal: .frobeniusNorm, random: &random))
    evidence.tables.append(
      try errorTable(
        other, "Relative error, matrices of equal Frobenius norm",
        caption: "Not asserted. Heavy tails have small largest values here and get more ranks than pays."))
    evidence.plots.append(
      Plot(
        "Normalised spectra", caption: "One curve a role, from the first layer.", x: "index / short side",
        y: .logarithmic("singular value / largest"),
        zip(roles, survey.entries).map { role, entry in
          let values = entry.normalizedValues
          return Series(role.name, x: values.indices.map { Double($0) / Double(values.count) }, y: values)
        }))
    evidence.notes += [
      "The network is synthetic, with spectra of a known shape and random singular vectors; errors are relative errors of "
        + "all weights together in the Frobenius norm.",
      "The gain is asserted for matrices of equal spectral norm. There a threshold on normalised values is one on the values "
        + "themselves, which for equal shapes is optimal (Eckart and Young). For matrices of equal Frobenius norm, in the "
        + "second table, WeLore and the energy rule are better than uniform ranks at large budgets only: at 0.5 and 0.4 they "
        + "are worse.",
    ]
    return evidence
  }

  private func network(layers: Int, equal scale: Scale, random: inout RandomStream) throws -> Named {
    var network: Named = []
    for layer in 0..<layers {
      for role in roles {
        let side = min(role.rows, role.columns)
        let values = (0..<side).map { Double.exp(-Double($0) / (role.decay * Double(side))) + role.floor }
        let left = try orthonormal(role.rows, side, &random)
        let right = try orthonormal(role.columns, side, &random)
        let matrix = (left * Tensor(values)).matmul(right, transposingB: true)
        let factor =
          switch scale {
          case .spectralNorm: 1 / values[0]
          case .frobeniusNorm: 1 / matrix.frobeniusNorm()
          }
        network.append(("layer\(layer).\(role.name)", matrix * factor))
      }
    }
    return network
  }

  private func orthonormal(_ rows: Int, _ columns: Int, _ random: inout RandomStream) throws -> Tensor<Double> {
    try QRDecomposition(of: random.normal([rows, columns], of: Double.self)).orthogonal.dense
  }

  /// Bisection against a scan of every singular value there is.
  private func exactness(_ survey: SpectrumSurvey, _ evidence: inout Evidence) throws {
    let all = survey.entries.flatMap(\.normalizedValues).sorted()
    func ranks(_ tau: Double) -> [Int] {
      survey.entries.map { entry in max(1, entry.normalizedValues.count { $0 >= tau - 1e-13 }) }
    }
    func kept(_ tau: Double) -> Double {
      let stored = zip(survey.entries, ranks(tau)).reduce(0) { total, pair in
        total + min(pair.0.shape.count, pair.1 * (pair.0.shape.rows + pair.0.shape.columns))
      }
      return Double(stored) / Double(survey.parameterCount)
    }
    var differences = 0
    var unused = Double.infinity
    for target in [0.8, 0.6, 0.5, 0.4, 0.3] {
      let plan = try survey.allocateRanks(.parameters(target))
      let scanned = all.first { kept($0) <= target } ?? 1
      if ranks(scanned) != plan.entries.map(\.rank) { differences += 1 }
      let published = (1...200).map { Double($0) * 0.005 }.first { kept($0) <= target } ?? 1
      unused.keepMinimum(of: plan.keptFraction - kept(published))
    }
    evidence.check(
      "budgets where bisection and a full scan differ, of 5", claimed: "none", measured: Double(differences), .atMost(0)
    )
    evidence.check(
      "parameters that a scan in steps of 0.005 leaves unused, least of 5 budgets", claimed: "not negative",
      measured: unused, .atLeast(0))
  }

  private func invariances(
    _ network: Named, _ survey: SpectrumSurvey, _ random: inout RandomStream, _ evidence: inout Evidence
  ) throws {
    let wanted = try survey.allocateRanks(.parameters(0.5)).entries.map(\.rank)
    var changed = 0
    let small = try orthonormal(128, 128, &random)
    let large = try orthonormal(256, 256, &random)
    func rotation(_ size: Int) -> Tensor<Double> { size == 128 ? small : large }
    let changes: [(Int, Tensor<Double>) -> Tensor<Double>] = [
      { i, a in a * (0.01 + Double(i)) }, { _, a in a.transposed },
      { _, a in rotation(a.rows).matmul(a).matmul(rotation(a.columns)) },
    ]
    for change in changes {
      let altered = network.enumerated().map { (name: $1.name, matrix: change($0, $1.matrix)) }
      let ranks = try SpectrumSurvey(named: altered).allocateRanks(.parameters(0.5)).entries.map(\.rank)
      changed += zip(ranks, wanted).count { $0 != $1 }
    }
    evidence.check(
      "ranks changed by scaling, transposition and rotation", claimed: "none", measured: Double(changed), .atMost(0))
  }

  private static let rules: [RankRule] = [.uniform, .normalizedThreshold, .energy]

  /// The relative error of all weights together.
  private func error(_ plan: RankPlan, _ survey: SpectrumSurvey) -> Double {
    let energies = survey.entries.map { $0.singularValues.reduce(0) { $0 + $1 * $1 } }
    let missed = zip(plan.entries, energies).reduce(0) { $0 + $1.0.relativeError * $1.0.relativeError * $1.1 }
    return (missed / energies.reduce(0, +)).squareRoot()
  }

  private func errorTable(_ survey: SpectrumSurvey, _ title: String, caption: String) throws -> Table {
    var table = Table(title, columns: ["kept", "uniform", "WeLore", "energy", "tau"], caption: caption)
    for kept in [0.8, 0.7, 0.6, 0.5, 0.4] {
      let plans = try Self.rules.map { try survey.allocateRanks(.parameters(kept), rule: $0) }
      let errors = plans.map { error($0, survey) }
      table.add([kept, errors[0], errors[1], errors[2], plans[1].threshold])
    }
    return table
  }

  private func allocation(_ network: Named, _ survey: SpectrumSurvey, _ evidence: inout Evidence) throws {
    evidence.tables.append(
      try errorTable(
        survey, "Relative error, matrices of equal spectral norm",
        caption: "The energy rule is shown beside WeLore; the asserted gain is over uniform ranks only."))
    func medianFraction(_ plan: RankPlan, _ roles: [String]) -> Double {
      let fractions = plan.entries.filter { entry in roles.contains { entry.name.hasSuffix(".\($0)") } }
        .map(\.rankFraction)
      return median(fractions)
    }
    var narrowest = Double.infinity
    for kept in [0.8, 0.7, 0.6, 0.5, 0.4] {
      let plan = try survey.allocateRanks(.parameters(kept))
      for role in ["value", "gate", "up"] {
        narrowest.keepMinimum(of: medianFraction(plan, [role]) - medianFraction(plan, ["query", "key"]))
      }
      guard kept <= 0.5 else { continue }
      let uniform = try survey.allocateRanks(.parameters(kept), rule: .uniform)
      evidence.check(
        "error of WeLore over that of uniform ranks, kept \(kept)", claimed: "below 1",
        measured: error(plan, survey) / error(uniform, survey), .below(1))
      evidence.check(
        "parameters kept, kept \(kept)", claimed: "at most \(kept)", measured: plan.keptFraction, .atMost(kept))
    }
    evidence.check(
      "median rank fraction of value, gate, up minus that of query and key, least of 5 budgets", claimed: "above 0",
      measured: narrowest, .above(0))

    let plan = try survey.allocateRanks(.parameters(0.5))
    let applied = try plan.applied(to: network, progress: settings.progress)
    let parameters = applied.reduce(0) { $0 + $1.matrix.parameterCount }
    // At half of the parameters every matrix is worth factoring; with more, those of high rank are not.
    let generous = try survey.allocateRanks(.parameters(0.8)).applied(to: network, progress: settings.progress)
    let dense = zip(generous, network).filter { part, _ in if case .dense = part.matrix { true } else { false } }
    let untouched = dense.count { part, original in
      if case .dense(let matrix) = part.matrix { matrix == original.matrix } else { false }
    }
    evidence.check(
      "parameters stored after applying the plan, as a fraction", claimed: "at most 0.5",
      measured: Double(parameters) / Double(survey.parameterCount), .atMost(0.5))
    evidence.check(
      "matrices that stay dense, kept 0.8, are bit-identical", claimed: "yes",
      measured: "\(untouched) of \(dense.count)",
      holds: untouched == dense.count && !dense.isEmpty
    )
    evidence.plots.append(
      Plot(
        "Rank of each matrix, kept 0.5", x: "matrix, layer by layer", y: "rank / short side",
        [Series("", plan.entries.map(\.rankFraction), .bars)]))
  }
}
