import SpecialFunctions
public import Tensors

/// The Weibull diagnosis of all matrices of a model.
public struct WeightReport: Sendable {
  /// One matrix.
  public struct Row: Sendable, Hashable {
    public var name: String
    public var shape: [Int]
    public var role: TensorRole
    /// The layer, where the name has a number.
    public var layer: Int?
    public var fit: WeibullFit
    /// Figures that assume no law; the ones to read where `fit.rSquared` is below 0.95.
    public var metrics: MagnitudeMetrics
    public var regime: WeibullRegime
    /// Whether the shape lies far from those of the other matrices of this role.
    public var isOutlier = false
  }

  /// The matrices of one role.
  public struct RoleSummary: Sendable, Hashable {
    public var role: TensorRole
    public var count: Int
    public var medianShape: Double
    public var shapeRange: ClosedRange<Double>
    public var medianScale: Double
    public var medianRSquared: Double
  }

  /// A tensor that was not diagnosed.
  public struct SkippedTensor: Sendable, Hashable {
    public enum Reason: Sendable, Hashable {
      /// A bias, a scale or a single number.
      case notAMatrix(shape: [Int])
      /// Not finite, too small, or constant.
      case unusable(InvalidArgument)
    }
    public var name: String
    public var reason: Reason

    public init(name: String, reason: Reason) {
      self.name = name
      self.reason = reason
    }
  }

  /// In the order of the tensors.
  public private(set) var rows: [Row]
  public private(set) var skipped: [SkippedTensor]

  init(rows: [Row], skipped: [SkippedTensor], outlierScore: Double) {
    self.rows = rows
    self.skipped = skipped
    markOutliers(beyond: outlierScore)
  }

  public var outliers: [Row] { rows.filter(\.isOutlier) }

  /// The roles that occur, in the order of `TensorRole`.
  public var roles: [RoleSummary] {
    TensorRole.allCases.compactMap { role in
      let fits = rows.filter { $0.role == role }.map(\.fit)
      let shapes = fits.map(\.shape)
      guard let smallest = shapes.min(), let largest = shapes.max() else { return nil }
      return RoleSummary(
        role: role, count: fits.count, medianShape: median(shapes), shapeRange: smallest...largest,
        medianScale: median(fits.map(\.scale)), medianRSquared: median(fits.map(\.rSquared)))
    }
  }

  /// How attention shares its keys, from the shapes of the first query and key matrices of a layer.
  public var attention: AttentionArchitecture? {
    guard let query = rows.first(where: { $0.role == .query }),
      let key = rows.first(where: { $0.role == .key && $0.layer == query.layer })
    else { return nil }
    return try? AttentionArchitecture(queryRows: query.shape[0], keyRows: key.shape[0])
  }

  /// Marks shapes whose modified z-score within their role, 0.6745 |k - median| / median absolute deviation, exceeds
  /// the limit (Iglewicz and Hoaglin 1993), if they are off by more than 1 % as well. Roles with fewer than four
  /// matrices have no outliers.
  private mutating func markOutliers(beyond limit: Double) {
    for role in TensorRole.allCases {
      let members = rows.indices.filter { rows[$0].role == role }
      guard members.count >= 4 else { continue }
      let shapes = members.map { rows[$0].fit.shape }
      let center = median(shapes)
      let deviation = median(shapes.map { ($0 - center).magnitude })
      for i in members {
        let distance = (rows[i].fit.shape - center).magnitude
        rows[i].isOutlier = 0.6745 * distance > limit * deviation && distance > 0.01 * center
      }
    }
  }
}

/// Diagnoses the weights of a model: how far each matrix has moved from its Gaussian initialization (shape), and how
/// much it has grown (scale).
///
/// ```swift
/// let report = try WeightDiagnosis().diagnose(named: checkpoint)
/// print(report.text)
/// ```
public struct WeightDiagnosis: Sendable {
  public var fitting = WeibullFitting()
  /// Whether the weights are those of step zero.
  public var atInitialization = false
  /// The modified z-score of its shape beyond which a matrix is an outlier of its role.
  public var outlierScore = 3.5

  public init(fitting: WeibullFitting = WeibullFitting(), atInitialization: Bool = false, outlierScore: Double = 3.5) {
    self.fitting = fitting
    self.atInitialization = atInitialization
    self.outlierScore = outlierScore
  }

  /// Diagnoses tensors that are at hand. Tensors with fewer than two axes and unusable ones are skipped, and listed.
  /// - Throws: `CancellationError`.
  /// - Complexity: O(weights).
  public func diagnose<Scalar: RealScalar>(
    named tensors: some Sequence<(name: String, tensor: Tensor<Scalar>)>, progress: WorkProgress = .silent
  ) throws -> WeightReport {
    let tensors = Array(tensors)
    return try diagnose(names: tensors.map(\.name), progress: progress) { tensors[$0].tensor }
  }

  /// Diagnoses tensors that are fetched one at a time by their position among the names, so that a checkpoint need not
  /// fit in memory.
  /// - Throws: what `tensor` throws, and `CancellationError`. An `InvalidArgument` from `tensor` is no reason to stop: the
  ///   tensor is skipped, and the report says why.
  public func diagnose<Scalar: RealScalar>(
    names: [String], progress: WorkProgress = .silent, tensor: (Int) throws -> Tensor<Scalar>
  ) throws -> WeightReport {
    var rows: [WeightReport.Row] = []
    var skipped: [WeightReport.SkippedTensor] = []
    for (i, name) in names.enumerated() {
      do {
        let weights = try tensor(i)
        if weights.rank < 2 {
          skipped.append(.init(name: name, reason: .notAMatrix(shape: weights.shape)))
        } else {
          rows.append(try row(name: name, weights))
        }
      } catch let error as InvalidArgument {
        skipped.append(.init(name: name, reason: .unusable(error)))
      }
      try progress.report(i + 1, of: names.count, name)
    }
    return WeightReport(rows: rows, skipped: skipped, outlierScore: outlierScore)
  }

  private func row<Scalar: RealScalar>(name: String, _ weights: Tensor<Scalar>) throws -> WeightReport.Row {
    let blocks = try MagnitudeHistogram.blocks(max(fitting.jackknifeBlocks, 1), of: weights, name: name)
    let fit = try fitting.fit(blocks: blocks, name: name)
    let whole = blocks.reduce(into: MagnitudeHistogram()) { $0 += $1 }
    return WeightReport.Row(
      name: name, shape: weights.shape, role: TensorRole(tensorName: name),
      layer: TensorRole.layer(ofTensorName: name), fit: fit, metrics: try MagnitudeMetrics(whole, name: name),
      regime: fit.regime(atInitialization: atInitialization))
  }
}
