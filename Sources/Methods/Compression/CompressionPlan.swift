public import LinearAlgebra
public import Tensors

/// A matrix by name and shape, without its numbers.
public struct MatrixShape: Sendable, Hashable {
  public var name: String
  public var rows: Int
  public var columns: Int

  public init(name: String, rows: Int, columns: Int) { (self.name, self.rows, self.columns) = (name, rows, columns) }

  public var count: Int { rows * columns }
  public var shortSide: Int { min(rows, columns) }
}

/// Which matrices become factors of which rank, and which stay as they are.
///
/// A plan holds no numbers of the matrices. It is carried out group by group: load the members of one, factor, write.
public struct CompressionPlan: Sendable, Hashable {
  /// Why a matrix stays dense.
  public enum DenseReason: Sendable, Hashable, CustomStringConvertible {
    /// Factors of the rank it needs would hold no fewer numbers than the matrix.
    case factorsNotSmaller(rank: Int)
    /// Its rank falls too little for the method to count it as low-rank.
    case reductionTooSmall(rank: Int)

    public var description: String {
      switch self {
      case .factorsNotSmaller(let rank): "factors of rank \(rank) would not be smaller"
      case .reductionTooSmall(let rank): "rank \(rank) is not low enough"
      }
    }
  }

  public enum Decision: Sendable, Hashable {
    case factored(rank: Int)
    case dense(DenseReason)
  }

  /// Matrices with one decision. Several members share a factor: the left one, or the right one.
  public struct Group: Sendable, Hashable {
    public enum SharedSide: Sendable, Hashable { case left, right }

    public var members: [MatrixShape]
    public var decision: Decision
    /// The factor that members of the group have in common. A group of one shares with nobody.
    public var sharedSide: SharedSide
    /// The relative error of the group as a whole in the Frobenius norm, when the plan was made from spectra.
    public var predictedError: Double?

    public init(
      members: [MatrixShape], decision: Decision, sharedSide: SharedSide = .left, predictedError: Double? = nil
    ) {
      (self.members, self.decision, self.sharedSide) = (members, decision, sharedSide)
      self.predictedError = predictedError
    }

    public var isShared: Bool { members.count > 1 }
    /// The rank of the factors; nothing when the members stay dense.
    public var rank: Int? {
      if case .factored(let rank) = decision { rank } else { nil }
    }
    public var originalParameters: Int { members.reduce(0) { $0 + $1.count } }
    public var keptParameters: Int {
      rank.map { layout.parameters(rank: $0) } ?? originalParameters
    }
    var layout: GroupLayout { GroupLayout(members, sharing: sharedSide) }
  }

  public var groups: [Group]

  public init(groups: [Group]) { self.groups = groups }

  public var originalParameters: Int { groups.reduce(0) { $0 + $1.originalParameters } }
  public var keptParameters: Int { groups.reduce(0) { $0 + $1.keptParameters } }
  /// Kept over original parameters; one for an empty plan.
  public var keptFraction: Double {
    originalParameters == 0 ? 1 : Double(keptParameters) / Double(originalParameters)
  }

  /// The factors of a group's members by name; empty for a dense group.
  ///
  /// Members of a shared group have the identical tensor as their shared factor: it needs to be written once.
  /// - Parameter load: gives the numbers of a member; called at most twice for each.
  /// - Throws: `InvalidArgument` when loaded numbers are not finite or not of the shape the plan was made for; what
  ///   `load` throws.
  /// - Complexity: memory of one member and the square of the group's short side.
  public func factor(
    _ group: Group, loading load: (String) throws -> Tensor<Float>
  ) throws -> [String: FactoredMatrix<Float>] {
    guard let rank = group.rank else { return [:] }
    let isRight = group.sharedSide == .right
    let factors = try SharedFactors<Float>.streamed(
      rows: group.layout.sharedExtent, widths: group.layout.widths, rank: rank
    ) { i in
      let member = group.members[i]
      let matrix = try load(member.name)
      try matrix.require(member)
      return isRight ? matrix.transposed : matrix
    }
    let shared = isRight ? factors.left.transposed.dense : factors.left
    var result: [String: FactoredMatrix<Float>] = [:]
    for (member, own) in zip(group.members, factors.rights) {
      result[member.name] =
        isRight ? FactoredMatrix(left: own.transposed.dense, right: shared) : FactoredMatrix(left: shared, right: own)
    }
    return result
  }

  /// Carries out the whole plan, as many groups at a time as there are threads, and hands over each in order.
  ///
  /// - Parameters:
  ///   - load: gives the numbers of a matrix; called from several threads.
  ///   - deliver: takes a group and its factors (none for a dense group); called from the calling thread only.
  public func execute(
    loading load: @Sendable (String) throws -> Tensor<Float>, progress: WorkProgress = .silent,
    deliver: (Group, [String: FactoredMatrix<Float>]) throws -> Void
  ) throws {
    let step = max(threadCount, 1)
    for start in stride(from: 0, to: groups.count, by: step) {
      let wave = Array(groups[start..<min(start + step, groups.count)])
      try progress.report(start, of: groups.count, wave[0].members[0].name)
      let factors = try parallelMap(wave.count) { try factor(wave[$0], loading: load) }
      for (group, factors) in zip(wave, factors) { try deliver(group, factors) }
    }
    try progress.report(groups.count, of: groups.count)
  }
}

/// What sharing a factor costs: the shared extent and the widths of the members along the other one.
struct GroupLayout {
  let sharedExtent: Int
  let widths: [Int]

  init(_ members: [MatrixShape], sharing side: CompressionPlan.Group.SharedSide) {
    sharedExtent = side == .left ? members[0].rows : members[0].columns
    widths = members.map { side == .left ? $0.columns : $0.rows }
  }

  var width: Int { widths.reduce(0, +) }
  func parameters(rank: Int) -> Int { rank * (sharedExtent + width) }
  /// Whether factors of this rank hold fewer numbers than the matrices.
  func saves(rank: Int) -> Bool { parameters(rank: rank) < sharedExtent * width }
  func stored(rank: Int) -> Int { min(parameters(rank: rank), sharedExtent * width) }
}

extension CompressionPlan.Group {
  /// A group at the rank it needs: factored when that saves, dense otherwise.
  init(_ members: [MatrixShape], rank: Int, sharing side: SharedSide = .left, error: (Int) -> Double?) {
    let saves = GroupLayout(members, sharing: side).saves(rank: rank)
    self.init(
      members: members, decision: saves ? .factored(rank: rank) : .dense(.factorsNotSmaller(rank: rank)),
      sharedSide: side, predictedError: saves ? error(rank) : 0)
  }
}

extension Tensor<Float> {
  /// Throws unless this is the finite matrix that `shape` announced.
  func require(_ shape: MatrixShape) throws {
    guard self.shape == [shape.rows, shape.columns] else {
      throw InvalidArgument(shape.name, found: "shape \(self.shape)", wanted: "[\(shape.rows), \(shape.columns)]")
    }
    try requireFinite(shape.name)
  }
}
