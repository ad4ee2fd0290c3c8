public import LinearAlgebra
import Numerics
public import Tensors

/// Functions φ_1 ... φ_m that are orthonormal in L²(μ) for a probability measure μ, to approximate by.
///
/// k(x) = Σ φ_j(x)² is the Christoffel function; ν = (k / m) μ is the probability measure that points are best drawn from,
/// and w = m / k their weight.
public protocol ApproximationBasis: Sendable {
  /// The number of functions, m.
  var dimension: Int { get }
  /// The numbers that a point consists of.
  var variables: Int { get }
  /// φ at points, one a row of shape [n, variables]; the result has shape [n, m].
  func evaluate(_ points: Tensor<Double>) -> Tensor<Double>
  /// `count` independent points of ν, of shape [count, variables].
  func sampleOptimal(_ count: Int, random: inout RandomStream) -> Tensor<Double>
}

/// Which products of functions of one variable span a space of functions of several.
public enum MultiIndexSet {
  /// All with a degree of at most `degrees[k]` in variable k.
  public static func tensorProduct(_ degrees: [Int]) -> [[Int]] {
    degrees.reduce([[]]) { partial, degree in partial.flatMap { index in (0...max(degree, 0)).map { index + [$0] } } }
  }

  /// All with degrees that sum to at most `degree`.
  public static func totalDegree(variables: Int, degree: Int) -> [[Int]] {
    tensorProduct([Int](repeating: degree, count: variables)).filter { $0.reduce(0, +) <= degree }
  }

  /// All with Π (degree_k + 1) <= degree + 1.
  public static func hyperbolicCross(variables: Int, degree: Int) -> [[Int]] {
    tensorProduct([Int](repeating: degree, count: variables)).filter { $0.reduce(1) { $0 * ($1 + 1) } <= degree + 1 }
  }
}

/// Products of functions of one variable each.
///
/// ```swift
/// let line = PolynomialBasis(.legendre, count: 10)
/// let plane = try PolynomialBasis(
///   families: [.legendre, .legendre], indices: MultiIndexSet.totalDegree(variables: 2, degree: 6))
/// ```
public struct PolynomialBasis: ApproximationBasis {
  /// One for each variable.
  public let families: [PolynomialFamily]
  /// The degree in each variable, for each function.
  public let indices: [[Int]]
  private let degrees: [Int]
  /// Values of one variable's functions lie one after the other: where each variable's begin, and which of them each
  /// product takes.
  private let starts: [Int], places: [Int]

  public var dimension: Int { indices.count }
  public var variables: Int { families.count }

  /// - Throws: `InvalidArgument` when there is nothing to span, an index has another number of variables or a negative
  ///   degree, or one occurs twice.
  public init(families: [PolynomialFamily], indices: [[Int]]) throws {
    guard !families.isEmpty, !indices.isEmpty else {
      throw InvalidArgument(
        "indices", found: "\(indices.count) functions of \(families.count) variables", wanted: "at least one of each")
    }
    if let bad = indices.first(where: { $0.count != families.count || $0.contains { $0 < 0 } }) {
      throw InvalidArgument("indices", found: "\(bad)", wanted: "\(families.count) degrees, none of them negative")
    }
    guard Set(indices).count == indices.count else {
      throw InvalidArgument("indices", found: "one index twice", wanted: "different ones")
    }
    self.init(trusted: families, indices)
  }

  /// The first `count` functions of one variable; traps unless there is at least one.
  public init(_ family: PolynomialFamily, count: Int) {
    precondition(count >= 1, "a basis of \(count) functions")
    self.init(trusted: [family], (0..<count).map { [$0] })
  }

  private init(trusted families: [PolynomialFamily], _ indices: [[Int]]) {
    (self.families, self.indices) = (families, indices)
    let degrees = families.indices.map { k in indices.map { $0[k] }.max() ?? 0 }
    let starts = degrees.indices.map { k in degrees[..<k].reduce(0) { $0 + $1 + 1 } }
    (self.degrees, self.starts) = (degrees, starts)
    places = indices.flatMap { index in index.indices.map { starts[$0] + index[$0] } }
  }

  public func evaluate(_ points: Tensor<Double>) -> Tensor<Double> {
    precondition(
      points.rank == 2 && points.columns == variables, "points of shape \(points.shape) for \(variables) variables")
    let length = degrees.reduce(0) { $0 + $1 + 1 }
    return Tensor(uninitializedShape: [points.rows, dimension]) { result in
      points.withUnsafeBuffer { points in
        let result = result.baseAddress!
        parallelRanges(points.count / variables, grain: max(1, 4_096 / dimension)) { range in
          withUnsafeTemporaryAllocation(of: Double.self, capacity: length) { values in
            for i in range {
              for k in 0..<variables {
                families[k].fill(values.baseAddress! + starts[k], degree: degrees[k], at: points[i * variables + k])
              }
              for j in 0..<dimension {
                var product = 1.0
                for k in 0..<variables { product *= values[places[j * variables + k]] }
                result[i * dimension + j] = product
              }
            }
          }
        }
      }
    }
  }

  /// ν is the mixture of the densities φ_j², and each of those a product over the variables.
  public func sampleOptimal(_ count: Int, random: inout RandomStream) -> Tensor<Double> {
    var points: [Double] = []
    points.reserveCapacity(count * variables)
    for _ in 0..<count {
      let index = indices[Int.random(in: 0..<dimension, using: &random)]
      for k in 0..<variables { points.append(families[k].sampleSquare(index[k], &random)) }
    }
    return Tensor(shape: [count, variables], scalars: points)
  }
}

/// Features on a finite set of candidates, with the uniform measure on it. A point is the number of a candidate.
public struct CandidateBasis: ApproximationBasis {
  /// φ, of shape [N, m], with φᵀφ = N I.
  public let features: Tensor<Double>
  /// The leverage scores k / N.
  public let leverageScores: Tensor<Double>
  private let cumulative: [Double]

  public var dimension: Int { features.columns }
  public var variables: Int { 1 }
  public var candidates: Int { features.rows }

  /// Features with orthonormal columns, ΦᵀΦ = I or N I.
  ///
  /// - Throws: `InvalidArgument` unless they are so within 1e-6; ``orthonormalizing(_:)`` makes them so.
  public init<Scalar: LinearScalar>(_ features: Tensor<Scalar>) throws {
    try Self.requireFeatures(features)
    let values = features as? Tensor<Double> ?? Tensor<Double>(features)
    let gram = values.multipliedByOwnTranspose(transposing: true)
    let scale = gram.diagonal.mean().scalar
    let isUnit = (scale - 1).magnitude < 1e-3
    let wanted = isUnit ? 1 : Double(values.rows)
    let defect = (gram / wanted - .identity(values.columns)).absolute().maximum().scalar
    guard defect <= 1e-6 else {
      throw InvalidArgument(
        "features", found: "columns that are off orthonormal by \(defect)",
        wanted: "orthonormal columns; CandidateBasis.orthonormalizing makes them so")
    }
    self.init(trusted: isUnit ? values * Double(values.rows).squareRoot() : values)
  }

  /// The basis of the space that any features span.
  ///
  /// - Throws: `InvalidArgument` for dependent columns, fewer candidates than columns, or numbers that are not finite.
  public static func orthonormalizing<Scalar: LinearScalar>(_ features: Tensor<Scalar>) throws -> CandidateBasis {
    try requireFeatures(features)
    let space = try ColumnSpace(of: features, "features")
    guard space.rank == features.columns else {
      throw InvalidArgument(
        "features", found: "rank \(space.rank) of \(features.columns) columns", wanted: "independent columns")
    }
    return CandidateBasis(trusted: space.basis * Double(features.rows).squareRoot())
  }

  private static func requireFeatures<Scalar: LinearScalar>(_ features: Tensor<Scalar>) throws {
    try features.requireMatrix("features")
    guard features.rows >= features.columns else {
      throw InvalidArgument(
        "features", found: "\(features.rows) candidates for \(features.columns) functions",
        wanted: "at least as many candidates as functions")
    }
  }

  private init(trusted features: Tensor<Double>) {
    self.features = features.dense
    leverageScores = features.sumOfSquares(axes: [1]) / Double(features.rows)
    cumulative = leverageScores.cumulativeSum(axis: 0).scalars
  }

  public func evaluate(_ points: Tensor<Double>) -> Tensor<Double> {
    features.gathered(Tensor(points.flattened.scalars.map { Int($0) }))
  }

  public func sampleOptimal(_ count: Int, random: inout RandomStream) -> Tensor<Double> {
    let total = cumulative.last ?? 0
    let drawn = (0..<count).map { _ -> Double in
      let level = Double.random(in: 0..<1, using: &random) * total
      return Double(min(cumulative.partitioningIndex { $0 > level }, cumulative.count - 1))
    }
    return Tensor(shape: [count, 1], scalars: drawn)
  }
}
