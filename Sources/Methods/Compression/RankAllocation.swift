// How ranks are spread over matrices: one budget, one rule, one threshold for all.

import Tensors

/// What the ranks of a ``RankPlan`` may add up to.
public enum RankBudget: Sendable, Hashable {
  /// At least this share, in (0, 1), of the total rank goes: sum (q - r) / sum q, with q the short side.
  case rankReduction(Double)
  /// At most this share, in (0, 1), of the parameters is stored: sum min(m n, r (m + n)) / sum m n.
  case parameters(Double)
}

/// What decides which singular values stay.
public enum RankRule: Sendable, Hashable {
  /// Those of at least tau times the largest of their matrix, with one tau for all matrices: WeLore.
  case normalizedThreshold
  /// The same fraction of the rank everywhere.
  case uniform
  /// In each matrix, as many as hold a share e of its squared Frobenius norm, with one e for all matrices.
  case energy
  /// A fraction of the rank that is larger, by up to `spread`, where a larger share of elements are outliers.
  ///
  /// - Source: the idea of OWL (Yin et al., 2023, arXiv 2310.05175), here with weights alone: no activations.
  case outlierWeighted(spread: Double)
}

/// Whether a matrix counts as a low-rank component (LRC).
public enum RankComponent: Sendable, Hashable {
  /// LRC: kept as factors, and open to fine-tuning.
  case lowRank
  /// N-LRC: kept dense and frozen.
  case notLowRank
}

/// A rank for every matrix of a survey.
public struct RankPlan: Sendable, Hashable {
  public struct Entry: Sendable, Hashable {
    public var shape: MatrixShape
    public var rank: Int
    public var component: RankComponent
    /// ‖W - W_r‖ / ‖W‖ in the Frobenius norm; zero for a matrix that stays dense.
    public var relativeError: Double

    public var name: String { shape.name }
    public var rankFraction: Double { Double(rank) / Double(shape.shortSide) }
    public var keptParameters: Int { component == .lowRank ? rank * (shape.rows + shape.columns) : shape.count }
  }

  public var rule: RankRule
  /// The one number behind all ranks: tau of `normalizedThreshold`, the retained share e of `energy`, the fraction of the
  /// rank of the other rules.
  public var threshold: Double
  /// One for each matrix, in the order of the survey.
  public var entries: [Entry]

  /// sum (q - r) / sum q.
  public var rankReduction: Double {
    let full = entries.reduce(0) { $0 + $1.shape.shortSide }
    return 1 - Double(entries.reduce(0) { $0 + $1.rank }) / Double(full)
  }

  /// The share of parameters that is stored.
  public var keptFraction: Double {
    Double(entries.reduce(0) { $0 + $1.keptParameters }) / Double(entries.reduce(0) { $0 + $1.shape.count })
  }

  /// The parameters of one kind of component, as they are stored: what fine-tuning it would train.
  public func parameters(of component: RankComponent) -> Int {
    entries.filter { $0.component == component }.reduce(0) { $0 + $1.keptParameters }
  }

  public subscript(name: String) -> Entry? { entries.first { $0.name == name } }
}

extension SpectrumSurvey {
  /// Ranks under a budget: the lowest threshold, hence the highest ranks, that satisfies it.
  ///
  /// Found exactly, by bisection on the sorted union of all singular values; the published procedure scans tau in steps of
  /// 0.005. Values that differ by rounding stay or go together, so equal spectra get equal ranks.
  ///
  /// - Parameter minimumReduction: a matrix is a low-rank component when its rank fell by more than this fraction and its
  ///   factors are smaller than itself. The paper's fixed 0.5 is where factors of a square matrix start to be smaller; the
  ///   default, nil, asks for smaller factors alone, which is that point for every shape. With a number, the parameter
  ///   budget counts the matrices that it leaves dense in full.
  /// - Throws: `InvalidArgument` for a budget outside (0, 1), a `minimumReduction` outside [0, 1), or a budget that the
  ///   rule cannot reach; the message says what it can.
  /// - Complexity: O(V log V) time for V singular values in all.
  /// - Source: Jaiswal et al., 2024, arXiv 2407.11239, section 3.
  public func allocateRanks(
    _ budget: RankBudget, rule: RankRule = .normalizedThreshold, minimumReduction: Double? = nil
  ) throws -> RankPlan {
    if let minimum = minimumReduction {
      guard minimum >= 0, minimum < 1 else {
        throw InvalidArgument("minimumReduction", found: "\(minimum)", wanted: "in [0, 1)")
      }
    }
    let search = ThresholdSearch(keys: try keys(of: rule))
    let full = Double(fullRank)
    let count = Double(parameterCount)
    func reduction(_ ranks: [Int]) -> Double { (full - Double(ranks.reduce(0, +))) / full }
    func kept(_ ranks: [Int]) -> Double { Double(storedParameters(ranks, minimumReduction)) / count }

    let solution: ThresholdSearch.Solution?
    switch budget {
    case .rankReduction(let target):
      guard target > 0, target < 1 else {
        throw InvalidArgument("rankReduction", found: "\(target)", wanted: "in (0, 1)")
      }
      solution = search.least { reduction($0) >= target }
      guard solution != nil else {
        let most = (reduction(search.smallest) * 10_000).rounded(.down) / 10_000
        throw InvalidArgument("rankReduction", found: "\(target)", wanted: "at most \(most), the most possible here")
      }
    case .parameters(let target):
      guard target > 0, target < 1 else { throw InvalidArgument("ratio", found: "\(target)", wanted: "in (0, 1)") }
      solution = search.least { kept($0) <= target }
      if solution == nil { throw InvalidArgument.unreachable(target, least: kept(search.smallest)) }
    }
    guard let solution else { preconditionFailure("a search without a solution has thrown") }
    return plan(solution, rule: rule, minimumReduction: minimumReduction)
  }

  /// The plan at a given tau: rank r = #{i: sigma_i >= tau sigma_1}, and at least one.
  public func ranks(atNormalizedThreshold tau: Double, minimumReduction: Double? = nil) throws -> RankPlan {
    guard tau > 0, tau <= 1 else { throw InvalidArgument("tau", found: "\(tau)", wanted: "in (0, 1]") }
    let search = ThresholdSearch(keys: try keys(of: .normalizedThreshold))
    return plan(
      .init(threshold: tau, ranks: search.ranks(at: tau)), rule: .normalizedThreshold,
      minimumReduction: minimumReduction)
  }

  // MARK: Parts

  func keys(of rule: RankRule) throws -> [[Double]] {
    switch rule {
    case .normalizedThreshold:
      return entries.map { entry in
        normalizedKeys(
          entry.singularValues, longSide: max(entry.shape.rows, entry.shape.columns), precision: entry.precision)
      }
    case .energy: return entries.map { energyKeys($0.energies) }
    case .uniform: return entries.map { uniformKeys(shortSide: $0.shape.shortSide) }
    case .outlierWeighted(let spread):
      guard spread >= 0, spread < 1 else { throw InvalidArgument("spread", found: "\(spread)", wanted: "in [0, 1)") }
      let shares = entries.map(\.outlierShare)
      let mean = shares.reduce(0, +) / Double(shares.count)
      let largest = shares.map { abs($0 - mean) }.max() ?? 0
      return entries.map { entry in
        let shift = largest > 0 ? spread * (entry.outlierShare - mean) / largest : 0
        return uniformKeys(shortSide: entry.shape.shortSide, shift: shift)
      }
    }
  }

  private func component(_ shape: MatrixShape, rank: Int, _ minimumReduction: Double?) -> RankComponent {
    let saves = GroupLayout([shape], sharing: .left).saves(rank: rank)
    let reduction = 1 - Double(rank) / Double(shape.shortSide)
    return saves && reduction > minimumReduction ?? -1 ? .lowRank : .notLowRank
  }

  private func storedParameters(_ ranks: [Int], _ minimumReduction: Double?) -> Int {
    zip(entries, ranks).reduce(0) { total, pair in
      let (shape, rank) = (pair.0.shape, pair.1)
      let isLowRank = component(shape, rank: rank, minimumReduction) == .lowRank
      return total + (isLowRank ? rank * (shape.rows + shape.columns) : shape.count)
    }
  }

  func plan(_ solution: ThresholdSearch.Solution, rule: RankRule, minimumReduction: Double?) -> RankPlan {
    let threshold =
      switch rule {
      case .normalizedThreshold: solution.threshold
      case .energy: 1 - solution.threshold
      case .uniform, .outlierWeighted: -solution.threshold
      }
    return RankPlan(
      rule: rule, threshold: threshold,
      entries: zip(entries, solution.ranks).map { entry, rank in
        let component = component(entry.shape, rank: rank, minimumReduction)
        let error = component == .lowRank ? truncationError(entry.energies, rank: rank) : 0
        return RankPlan.Entry(shape: entry.shape, rank: rank, component: component, relativeError: error)
      })
  }
}

extension SpectrumSurvey.Entry {
  /// Squared singular values.
  var energies: [Double] { singularValues.map { $0 * $0 } }
}
