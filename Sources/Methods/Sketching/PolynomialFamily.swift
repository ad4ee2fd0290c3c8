import Numerics
import SpecialFunctions
import Tensors

/// Functions of one variable that are orthonormal in L²(μ) for a probability measure μ.
public enum PolynomialFamily: String, Sendable, Hashable, CaseIterable {
  /// √(2j+1) P_j, for the uniform measure on [-1, 1].
  case legendre
  /// 1, √2 T_1, √2 T_2, ..., for the arcsine measure on [-1, 1].
  case chebyshev
  /// He_j / √j!, for the normal measure.
  case hermite
  /// 1, √2 cos 2πx, √2 sin 2πx, √2 cos 4πx, ..., for the uniform measure on [0, 1].
  case trigonometric

  /// φ_0(x) through φ_degree(x).
  public func values(through degree: Int, at x: Double) -> [Double] {
    precondition(degree >= 0, "a degree is not negative, but \(degree) was asked for")
    var values = [Double](repeating: 1, count: degree + 1)
    values.withUnsafeMutableBufferPointer { fill($0.baseAddress!, degree: degree, at: x) }
    return values
  }

  func fill(_ values: UnsafeMutablePointer<Double>, degree: Int, at x: Double) {
    values[0] = 1
    guard degree > 0 else { return }
    switch self {
    case .legendre, .chebyshev:
      values[1] = x
      for j in 1..<degree {
        let k = Double(j)
        if self == .legendre {
          let growth = (2 * k + 1) * x * values[j]
          values[j + 1] = (growth - k * values[j - 1]) / (k + 1)
        } else {
          values[j + 1] = 2 * x * values[j] - values[j - 1]
        }
      }
      for j in 1...degree { values[j] *= (self == .legendre ? 2 * Double(j) + 1 : 2).squareRoot() }
    case .hermite:
      values[1] = x
      for j in 1..<degree {
        let k = Double(j)
        let growth = x * values[j] - k.squareRoot() * values[j - 1]
        values[j + 1] = growth / (k + 1).squareRoot()
      }
    case .trigonometric:
      for j in 1...degree {
        let angle = 2 * Double.pi * Double((j + 1) / 2) * x
        values[j] = 2.0.squareRoot() * (j % 2 == 1 ? Double.cos(angle) : Double.sin(angle))
      }
    }
  }

  /// A quadrature rule for μ that is exact for products of two functions through `degree`.
  public func quadrature(degree: Int) -> (nodes: [Double], weights: [Double]) {
    let count = degree + 1
    switch self {
    case .legendre:
      let rule = GaussQuadrature.legendre(count)
      return (rule.nodes, rule.weights.map { $0 / 2 })
    case .chebyshev:
      let rule = GaussQuadrature.chebyshev(count)
      return (rule.nodes, rule.weights.map { $0 / .pi })
    case .hermite:
      let rule = GaussQuadrature.hermite(count)
      return (rule.nodes.map { $0 * 2.0.squareRoot() }, rule.weights.map { $0 / Double.pi.squareRoot() })
    case .trigonometric:
      let nodes = 2 * degree + 1
      return ((0..<nodes).map { Double($0) / Double(nodes) }, [Double](repeating: 1 / Double(nodes), count: nodes))
    }
  }

  /// A point of the density φ_j² with respect to μ.
  ///
  /// By rejection. Bernstein's inequality bounds φ_j² of Legendre's polynomials by twice the arcsine density, and cosines
  /// are at most √2: half of the proposals are accepted.
  func sampleSquare(_ degree: Int, _ random: inout RandomStream) -> Double {
    var values = [Double](repeating: 1, count: degree + 1)
    func square(_ x: Double) -> Double {
      values.withUnsafeMutableBufferPointer { fill($0.baseAddress!, degree: degree, at: x) }
      return values[degree] * values[degree]
    }
    if self == .hermite { return HermiteEnvelope(degree: degree).sample(square, &random) }
    while true {
      let level = Double.random(in: 0..<2, using: &random)
      if self == .trigonometric {
        let x = Double.random(in: 0..<1, using: &random)
        if level < square(x) { return x }
        continue
      }
      let x = Double.cos(.pi * Double.random(in: 0..<1, using: &random))
      // Of the arcsine density 1 / (π √(1 - x²)), the uniform one is π √(1 - x²) / 2.
      let relative = self == .legendre ? square(x) * .pi * max(0, 1 - x * x).squareRoot() / 2 : square(x)
      if level < relative { return x }
    }
  }
}

/// A step function above h_j² γ, for rejection: Hermite functions have no simple bound.
///
/// Heights are the largest of nine values in a cell, which is a small part of an oscillation, raised by a tenth. Beyond
/// the last cell lies less than the rounding of one.
private struct HermiteEnvelope {
  private let degree: Int
  private let reach: Double
  private let cells: Int

  init(degree: Int) {
    self.degree = degree
    reach = (4 * Double(degree) + 2).squareRoot() + 9
    cells = 32 * (degree + 8)
  }

  func sample(_ square: (Double) -> Double, _ random: inout RandomStream) -> Double {
    func density(_ x: Double) -> Double { square(x) * Double.exp(-x * x / 2) }
    let width = 2 * reach / Double(cells)
    var cumulative: [Double] = []
    var heights: [Double] = []
    var sum = 0.0
    for cell in 0..<cells {
      let left = -reach + Double(cell) * width
      let height = 1.1 * ((0...8).map { density(left + Double($0) * width / 8) }.max() ?? 0)
      sum += height
      heights.append(height)
      cumulative.append(sum)
    }
    while true {
      let level = Double.random(in: 0..<sum, using: &random)
      let cell = cumulative.partitioningIndex { $0 > level }
      guard cell < cells else { continue }
      let x = -reach + (Double(cell) + Double.random(in: 0..<1, using: &random)) * width
      if Double.random(in: 0..<heights[cell], using: &random) < density(x) { return x }
    }
  }
}

extension Array {
  /// The first position from which on `belongs` holds.
  func partitioningIndex(_ belongs: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
