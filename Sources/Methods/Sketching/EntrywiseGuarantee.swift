public import LinearAlgebra
import Numerics
public import Tensors

/// The guarantee of sketched regression for single coefficients: how many rows it takes, how to measure it, and the
/// instance on which sparse sketches miss it.
///
/// - Source: Song, Ye, Yin and Zhang, ICML 2023, theorem 1.1. The hard instance and the practical rule are ours.
public enum EntrywiseGuarantee {
  /// ⌈d log³(n / δ) / ε²⌉, the theory's count with a constant of one.
  ///
  /// - Throws: `InvalidArgument` for extents below one, an ε that is not positive, or a δ outside of (0, 1).
  public static func theoreticalRows(
    rows: Int, dimension: Int, accuracy: Double, failureProbability: Double
  ) throws -> Int {
    for (name, value) in [("rows", rows), ("dimension", dimension)] where value < 1 {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least 1")
    }
    guard accuracy > 0 else { throw InvalidArgument("accuracy", found: "\(accuracy)", wanted: "above 0") }
    guard failureProbability > 0, failureProbability < 1 else {
      throw InvalidArgument("failureProbability", found: "\(failureProbability)", wanted: "above 0, below 1")
    }
    let logarithm = Double.log(Double(rows) / failureProbability)
    return whole(Double(dimension) * Double.pow(logarithm, 3) / (accuracy * accuracy))
  }

  /// ⌈4 d / ε²⌉: the guarantee then holds with ε √(2 log d) in place of ε, for a dense sketch.
  public static func practicalRows(dimension: Int, accuracy: Double) -> Int {
    whole(4 * Double(dimension) / (accuracy * accuracy))
  }

  private static func whole(_ value: Double) -> Int { Int(min(value.rounded(.up), 1e15)) }

  /// √d ‖x - x*‖_∞ / (‖A x* - b‖ ‖A†‖), the ε that a solution x has achieved; x* is found by QR.
  ///
  /// - Throws: `InvalidArgument` for wrong shapes; `DecompositionError.rankDeficient`.
  public static func ratio<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, _ rightSide: Tensor<Scalar>, solution: Tensor<Scalar>
  ) throws -> Double {
    let exact = try matrix.leastSquares(rightSide, method: .qr)
    guard solution.shape == exact.solution.shape, rightSide.rank == 1 else {
      throw InvalidArgument(
        "solution", found: "shape \(solution.shape)", wanted: "shape \(exact.solution.shape), of one right side")
    }
    let smallest = Double(try matrix.singularValues().scalars.last ?? 0)
    let error = Double((solution - exact.solution).absolute().maximum().scalar)
    return Double(matrix.columns).squareRoot() * error * smallest / Double(exact.residualNorms.scalar)
  }

  /// A regression whose solution is zero: A = [I; 0] of shape [n, d], and b with `noisyRows` entries 1 / √noisyRows right
  /// below the identity. The residual and ‖A†‖ are one.
  ///
  /// A sketch with one entry a column throws each noisy row onto some row of its own; where that is one of the identity's,
  /// a single coefficient is off by 1 / √noisyRows.
  /// - Throws: `InvalidArgument` unless n >= d + noisyRows.
  public static func hardInstance<Scalar: LinearScalar>(
    rows: Int, dimension: Int, noisyRows: Int, of: Scalar.Type = Scalar.self
  ) throws -> RegressionProblem<Scalar> {
    guard dimension >= 1, noisyRows >= 1, rows >= dimension + noisyRows else {
      throw InvalidArgument(
        "rows", found: "\(rows) rows, dimension \(dimension), \(noisyRows) noisy rows",
        wanted: "at least as many rows as dimension and noisy rows together, each at least 1")
    }
    var rightSide = Tensor<Scalar>.zeros([rows])
    rightSide[dimension..<dimension + noisyRows] = Tensor(1 / Scalar.sqrt(Scalar(noisyRows)))
    return RegressionProblem(matrix: .identity(rows, columns: dimension), rightSide: rightSide)
  }
}

/// min ‖A x - b‖.
public struct RegressionProblem<Scalar: LinearScalar>: Sendable {
  public let matrix: Tensor<Scalar>
  public let rightSide: Tensor<Scalar>
}
