import LinearAlgebra
import Tensors

/// What a subset of components explains of a layer's output.
public struct SubsetFidelity: Sendable {
  /// F(S) = 1 - min_δ E‖y - Σ_{c ∈ S} δ_c y_c‖² / E‖y‖², in [0, 1].
  public let fidelity: Double
  /// δ*, in the order of the subset: what each contribution is multiplied with.
  public let scales: [Double]
}

/// The fidelity F(S) = bᵀ G⁻¹ b / E‖y‖² of a subset, with the best scale for each of its components.
///
/// - Parameters:
///   - subset: components, each once, in any order; F of none is zero.
///   - ridge: added to the diagonal of G, relative to its mean; needed where contributions depend on each other.
/// - Throws: `InvalidArgument` for components that do not exist or occur twice; `DecompositionError` for contributions
///   that depend on each other without a ridge.
/// - Complexity: O(|S|³) time.
/// - Source: Kashyap et al., NeurIPS 2025, arXiv 2511.19566.
public func subsetFidelity(
  _ gram: ComponentGram, of subset: [Int], ridge: Double = 1e-6
) throws -> SubsetFidelity {
  guard Set(subset).count == subset.count, subset.allSatisfy((0..<gram.count).contains) else {
    throw InvalidArgument("subset", found: "\(subset)", wanted: "components 0 to \(gram.count - 1), each once")
  }
  guard ridge >= 0 else { throw InvalidArgument("ridge", found: "\(ridge)", wanted: "at least 0") }
  guard !subset.isEmpty else { return SubsetFidelity(fidelity: 0, scales: []) }
  let places = Tensor<Int>(subset)
  let own = gram.matrix.gathered(places).gathered(places, axis: 1)
  let shares = gram.shares.gathered(places)
  let mean = gram.matrix.diagonal.mean().scalar
  let system = try CholeskyDecomposition(of: own + Tensor.identity(subset.count) * (ridge * mean))
  let scales = try system.solve(shares)
  // What these scales attain: with a ridge it is a little less than the best.
  let attained = 2 * scales.dot(shares).scalar - scales.dot(own.matmul(scales)).scalar
  return SubsetFidelity(fidelity: min(1, max(0, attained / gram.total)), scales: scales.scalars)
}

/// How components are chosen.
public enum SelectionRule: String, Sendable, Hashable, CaseIterable {
  /// Those of the largest F({c}): the best subset where contributions are uncorrelated.
  case singleton
  /// One after the other, each time the one that raises F most.
  case greedy
  /// All, without one after the other, each time the one that F misses least.
  case backward
  /// The best subset of all: for up to 16 components.
  case exhaustive
}

/// How many components are kept.
public enum SelectionSize: Sendable, Hashable {
  case count(Int)
  /// As few as reach F(S) >= 1 - level.
  case level(Double)
}

/// Components that are kept, and what for.
public struct ComponentSelection: Sendable {
  /// Increasing.
  public let kept: [Int]
  /// δ* of those kept.
  public let scales: [Double]
  public let fidelity: Double
}

/// Chooses components of high fidelity.
///
/// - Throws: `InvalidArgument` for a count outside 1...C, a level outside [0, 1), and an exhaustive search among more than
///   16; `DecompositionError` as in ``subsetFidelity(_:of:ridge:)``.
/// - Complexity: O(C k²) time for k kept by `greedy`, O(C² (C - k)) by `backward`, after O(C³) at most.
public func selectComponents(
  _ gram: ComponentGram, _ size: SelectionSize, rule: SelectionRule = .greedy, ridge: Double = 1e-6
) throws -> ComponentSelection {
  switch size {
  case .count(let count):
    guard 1...gram.count ~= count else {
      throw InvalidArgument("count", found: "\(count)", wanted: "1 to \(gram.count), the components")
    }
  case .level(let level):
    guard level >= 0, level < 1 else { throw InvalidArgument("level", found: "\(level)", wanted: "in [0, 1)") }
  }
  let kept: [Int]
  switch rule {
  case .singleton:
    let fidelities = gram.singletonFidelities
    let order = fidelities.indices.sorted { (-fidelities[$0], $0) < (-fidelities[$1], $1) }
    kept = ForwardSelection(gram, ridge: ridge).run(size, order: order)
  case .greedy: kept = ForwardSelection(gram, ridge: ridge).run(size, order: nil)
  case .backward: kept = try backwardSelection(gram, size, ridge: ridge)
  case .exhaustive: kept = try exhaustiveSelection(gram, size, ridge: ridge)
  }
  let result = try subsetFidelity(gram, of: kept.sorted(), ridge: ridge)
  return ComponentSelection(kept: kept.sorted(), scales: result.scales, fidelity: result.fidelity)
}

/// F along the order in which a greedy selection takes all components: element k is that of the first k.
public func greedyFidelities(_ gram: ComponentGram, ridge: Double = 1e-6) -> (order: [Int], fidelities: [Double]) {
  var selection = ForwardSelection(gram, ridge: ridge)
  let order = selection.take(.count(gram.count), order: nil)
  return (order, selection.fidelities)
}

/// Components taken one by one, with G of those taken as L Lᵀ: row j of `factor` is column j of L, over all components.
private struct ForwardSelection {
  private let gram: ComponentGram
  private let shift: Double
  private var factor: Tensor<Double>
  /// What of each contribution those taken do not explain: its energy, and its inner product with the rest of y.
  private var energies: [Double], shares: [Double]
  private let least: [Double]
  private let isSilent: [Bool]
  private(set) var fidelities = [0.0]

  init(_ gram: ComponentGram, ridge: Double) {
    self.gram = gram
    shift = ridge * gram.matrix.diagonal.mean().scalar
    factor = .zeros([gram.count, gram.count])
    let diagonal = gram.matrix.diagonal.scalars
    energies = diagonal.map { [shift] in $0 + shift }
    shares = gram.shares.scalars
    least = diagonal.map { [gram] in max($0 * 1e-10, gram.leastEnergy) }
    isSilent = diagonal.map { [gram] in $0 <= gram.leastEnergy }
  }

  func run(_ size: SelectionSize, order: [Int]?) -> [Int] {
    var copy = self
    return copy.take(size, order: order)
  }

  mutating func take(_ size: SelectionSize, order: [Int]?) -> [Int] {
    var taken: [Int] = []
    var isTaken = [Bool](repeating: false, count: gram.count)
    var fidelity = 0.0
    for step in 0..<gram.count {
      switch size {
      case .count(let count): if step == count { return taken }
      case .level(let level): if fidelity >= 1 - level { return taken }
      }
      let next = order?[step] ?? best(isTaken)
      fidelity += add(next, step)
      fidelities.append(fidelity)
      taken.append(next)
      isTaken[next] = true
    }
    return taken
  }

  /// The component whose addition raises F most; the first of equals.
  private func best(_ isTaken: [Bool]) -> Int {
    var (index, most) = (-1, -1.0)
    for c in 0..<energies.count where !isTaken[c] {
      let gain = isOpen(c) ? shares[c] * shares[c] / energies[c] : 0
      if gain > most { (index, most) = (c, gain) }
    }
    return index
  }

  /// Whether a component contributes anything that those taken do not.
  private func isOpen(_ component: Int) -> Bool {
    energies[component] > least[component] && !isSilent[component]
  }

  /// Takes a component, and returns by how much F rises.
  private mutating func add(_ component: Int, _ step: Int) -> Double {
    guard isOpen(component) else { return 0 }
    let count = gram.count
    let root = energies[component].squareRoot()
    let pull = shares[component] / root
    let shift = shift
    gram.matrix.withUnsafeBuffer { g in
      factor.withUnsafeMutableBuffer { l in
        energies.withUnsafeMutableBufferPointer { energies in
          shares.withUnsafeMutableBufferPointer { shares in
            guard let g = g.baseAddress, let l = l.baseAddress else { return }
            let column = l + step * count
            column.update(from: g + component * count, count: count)
            column[component] += shift
            // The column minus those before it, each times its element in the row of the component.
            if step > 0 {
              Double.multiplyVector(
                transposing: true, rows: step, columns: count, alpha: -1, l, leadingA: count, l + component,
                strideX: count, beta: 1, column, strideY: 1)
            }
            for c in 0..<count {
              column[c] /= root
              energies[c] -= column[c] * column[c]
              shares[c] -= column[c] * pull
            }
          }
        }
      }
    }
    return pull * pull / gram.total
  }
}

/// All components, less the one that costs least, until enough are gone.
private func backwardSelection(_ gram: ComponentGram, _ size: SelectionSize, ridge: Double) throws -> [Int] {
  let count = gram.count
  let mean = gram.matrix.diagonal.mean().scalar
  let system = try CholeskyDecomposition(of: gram.matrix + Tensor.identity(count) * (ridge * mean))
  var inverse = system.inverse().dense
  var scales = try system.solve(gram.shares).scalars
  var isThere = [Bool](repeating: true, count: count)
  var left = count
  var fidelity = zip(scales, gram.shares.scalars).reduce(0) { $0 + $1.0 * $1.1 } / gram.total
  while left > 1 {
    if case .count(let wanted) = size, left <= wanted { break }
    var (worst, loss) = (-1, Double.infinity)
    inverse.withUnsafeBuffer { h in
      // The last of those that are equal but for rounding goes, so that the first stays.
      for c in 0..<count where isThere[c] {
        let cost = scales[c] * scales[c] / h[c * count + c]
        if cost <= loss * (1 + 1e-8) { (worst, loss) = (c, min(cost, loss)) }
      }
    }
    fidelity -= loss / gram.total
    if case .level(let level) = size, fidelity < 1 - level { break }
    inverse.withUnsafeMutableBuffer { h in
      let pivot = h[worst * count + worst]
      let row = (0..<count).map { h[worst * count + $0] }
      for c in 0..<count where isThere[c] {
        let share = row[c] / pivot
        scales[c] -= share * scales[worst] * (c == worst ? 0 : 1)
        for d in 0..<count { h[c * count + d] -= share * row[d] }
      }
    }
    isThere[worst] = false
    left -= 1
  }
  return isThere.indices.filter { isThere[$0] }
}

private func exhaustiveSelection(_ gram: ComponentGram, _ size: SelectionSize, ridge: Double) throws -> [Int] {
  guard gram.count <= 16 else {
    throw InvalidArgument("rule", found: "an exhaustive search among \(gram.count)", wanted: "at most 16 components")
  }
  var best: (kept: [Int], fidelity: Double) = ([], -1)
  let counts: [Int]
  switch size {
  case .count(let count): counts = [count]
  case .level: counts = Array(1...gram.count)
  }
  for count in counts {
    best = ([], -1)
    for mask in 1..<(1 << gram.count) where mask.nonzeroBitCount == count {
      let subset = (0..<gram.count).filter { mask >> $0 & 1 == 1 }
      let fidelity = try subsetFidelity(gram, of: subset, ridge: ridge).fidelity
      if fidelity > best.fidelity { best = (subset, fidelity) }
    }
    if case .level(let level) = size, best.fidelity >= 1 - level { break }
  }
  return best.kept
}
