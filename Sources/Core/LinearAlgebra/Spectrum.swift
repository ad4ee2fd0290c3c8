// What is done about eigenvalues that are zero but for rounding, and what is told about it.

import Tensors

/// What becomes of the small eigenvalues of a positive semi-definite matrix when it is inverted.
///
/// Thresholds are relative to the largest eigenvalue; without one, it is the precision times the size of the matrix.
public enum SmallEigenvalues: Sendable, Hashable {
  /// They count as the threshold: the inverse stays bounded, the matrix is changed a little.
  case raised(to: Double? = nil)
  /// They count as zero and are left out of the inverse, as in a pseudo-inverse.
  case dropped(below: Double? = nil)

  func threshold(size: Int, precision: Double) throws -> Double {
    switch self {
    case .raised(let relative), .dropped(let relative):
      let threshold = relative ?? precision * Double(size)
      guard threshold >= 0 && threshold < 1 else {
        throw InvalidArgument("smallEigenvalues", found: "a threshold of \(threshold)", wanted: "one in 0..<1")
      }
      return threshold
    }
  }
}

/// The spectrum of a positive semi-definite matrix, and how much of it had to be clipped.
public struct SpectrumReport: Sendable, Hashable {
  /// The smallest eigenvalue as it was computed; rounding can make it slightly negative.
  public let smallest: Double
  public let largest: Double
  /// Eigenvalues below this were raised to it, or dropped.
  public let threshold: Double
  /// How many there were.
  public let clippedCount: Int
  /// The largest over the smallest eigenvalue before clipping; infinite when that is not positive.
  public var conditionNumber: Double { smallest > 0 ? largest / smallest : .infinity }
}

/// Eigenvalues of a positive semi-definite matrix after clipping, with the powers one half and minus one half.
struct ClippedSpectrum<Scalar: LinearScalar> {
  let eigen: SymmetricEigendecomposition<Scalar>
  let roots: Tensor<Scalar>
  let inverseRoots: Tensor<Scalar>
  let report: SpectrumReport

  /// - Throws: `InvalidArgument` for a matrix that is not symmetric, finite and positive semi-definite up to rounding,
  ///   or that is zero where small eigenvalues are to be raised.
  init(of matrix: Tensor<Scalar>, _ small: SmallEigenvalues) throws {
    eigen = try SymmetricEigendecomposition(of: matrix)
    let values = eigen.values.scalars
    let largest = max(values.last ?? 1, 0)
    let smallest = values.first ?? 1
    let relative = try small.threshold(size: values.count, precision: Double(Scalar.ulpOfOne))
    guard smallest >= -.sqrt(.ulpOfOne) * max(largest, smallest.magnitude) else {
      throw InvalidArgument("matrix", found: "an eigenvalue of \(smallest)", wanted: "a positive semi-definite matrix")
    }
    let threshold = Scalar(relative) * largest
    let isKept = values.map { $0 > 0 && $0 >= threshold }
    switch small {
    case .raised:
      guard threshold > 0 || isKept.allSatisfy({ $0 }) else {
        throw InvalidArgument("matrix", found: "a zero eigenvalue", wanted: "one to invert, or a positive threshold")
      }
      let raised = Tensor(zip(values, isKept).map { $1 ? $0 : threshold })
      (roots, inverseRoots) = (raised.sqrt(), raised.reciprocalSqrt())
    case .dropped:
      roots = Tensor(zip(values, isKept).map { $1 ? .sqrt($0) : 0 })
      inverseRoots = Tensor(zip(values, isKept).map { $1 ? 1 / .sqrt($0) : 0 })
    }
    report = SpectrumReport(
      smallest: Double(smallest), largest: Double(largest), threshold: Double(threshold),
      clippedCount: isKept.count { !$0 })
  }

  /// V diag(f) Vᵀ, exactly symmetric: as a Gram matrix where f is not negative.
  func matrix(_ values: Tensor<Scalar>) -> Tensor<Scalar> {
    (eigen.vectors * values.sqrt()).multipliedByOwnTranspose()
  }
}
