// How much of each layer a sparse network keeps.

import Tensors

/// How a global density is spread over the layers.
///
/// - Source: Liu et al., "The unreasonable effectiveness of random pruning", ICLR 2022, section 3.2; `er` and `erk` after
///   Mocanu et al., Nature Communications 2018, and Evci et al., "Rigging the lottery", ICML 2020, section 3.
public enum LayerDensityRule: Sendable, Hashable {
  /// The same density everywhere.
  case uniform
  /// The first layer dense, the last at least one fifth, the others alike.
  case uniformPlus
  /// In proportion to (outputs + inputs) / (outputs · inputs).
  case er
  /// In proportion to the sum of a shape's extents over their product, to a power: as `er` with kernels counted.
  case erk(power: Double = 1)
  /// A density for each layer, which the global one then follows.
  case custom([Double])
}

/// The density of each layer under a rule, so that densities times sizes add up to `density` times all weights.
///
/// Where a rule asks for more than all of a layer, the layer is dense and the others share the rest.
/// - Parameters:
///   - shapes: of the weights, [outputs, inputs] or [outputs, inputs, kernel...].
///   - density: the share of all weights to keep; `custom` densities are checked and returned as they are.
/// - Throws: `InvalidArgument` for no layers, a shape with fewer than two axes or an empty one, a density outside (0, 1],
///   a budget that the dense first layer of `uniformPlus` exceeds, or custom densities that do not fit.
public func layerDensities(shapes: [[Int]], density: Double, rule: LayerDensityRule) throws -> [Double] {
  guard !shapes.isEmpty else { throw InvalidArgument("shapes", found: "no layers", wanted: "at least one weight") }
  for shape in shapes where shape.count < 2 || shape.contains(where: { $0 < 1 }) {
    throw InvalidArgument("shapes", found: "\(shape)", wanted: "shapes [outputs, inputs, ...] without empty axes")
  }
  if case .custom(let densities) = rule { return try validCustom(densities, count: shapes.count) }
  guard density > 0, density <= 1 else {
    throw InvalidArgument("density", found: "\(density)", wanted: "above 0 and at most 1")
  }
  let sizes = shapes.map { Double($0.reduce(1, *)) }
  switch rule {
  case .uniform, .custom: return shapes.map { _ in density }
  case .uniformPlus: return try uniformPlus(sizes, density)
  case .er:
    return proportional(shapes.map { Double($0[0] + $0[1]) / Double($0[0] * $0[1]) }, sizes, density)
  case .erk(let power):
    let scores = zip(shapes, sizes).map { shape, size in
      Double.pow(Double(shape.reduce(0, +)) / size, power)
    }
    guard power.isFinite, scores.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw InvalidArgument("power", found: "\(power)", wanted: "a power of moderate size")
    }
    return proportional(scores, sizes, density)
  }
}

private func validCustom(_ densities: [Double], count: Int) throws -> [Double] {
  guard densities.count == count else {
    throw InvalidArgument("densities", found: "\(densities.count) densities", wanted: "\(count), one for each weight")
  }
  guard let bad = densities.first(where: { !($0 > 0 && $0 <= 1) }) else { return densities }
  throw InvalidArgument("densities", found: "\(bad)", wanted: "above 0 and at most 1")
}

private func uniformPlus(_ sizes: [Double], _ density: Double) throws -> [Double] {
  let last = sizes.count - 1
  guard sizes.count >= 3 else {
    guard density < 1 else { return sizes.map { _ in 1 } }
    throw InvalidArgument("shapes", found: "\(sizes.count) weights", wanted: "at least three for the rule uniform+")
  }
  let total = sizes.reduce(0, +)
  let atLast = max(density, 0.2)
  let middle = sizes[1..<last].reduce(0, +)
  let shared = (density * total - sizes[0] - atLast * sizes[last]) / middle
  guard shared > 0 else {
    let least = (sizes[0] + 0.2 * sizes[last]) / total
    throw InvalidArgument(
      "density", found: "\(density), less than the dense first layer takes",
      wanted: "more than \(least) for the rule uniform+")
  }
  return sizes.indices.map { $0 == 0 ? 1 : $0 == last ? atLast : shared }
}

/// p = ε score, cut at one: whenever the largest exceeds one, the layers that attain it become dense.
private func proportional(_ scores: [Double], _ sizes: [Double], _ density: Double) -> [Double] {
  var isDense = scores.map { _ in false }
  while true {
    let open = scores.indices.filter { !isDense[$0] }
    let dense = scores.indices.filter { isDense[$0] }
    // Sums of fractions, so that nothing is lost where layers differ in size.
    let budget = density * open.reduce(0) { $0 + sizes[$1] } - (1 - density) * dense.reduce(0) { $0 + sizes[$1] }
    let weight = open.reduce(0) { $0 + scores[$1] * sizes[$1] }
    let factor = open.isEmpty ? 0 : budget / weight
    guard let largest = open.map({ scores[$0] }).max(), largest * factor > 1 else {
      return scores.indices.map { isDense[$0] ? 1 : factor * scores[$0] }
    }
    for i in open where scores[i] == largest { isDense[i] = true }
  }
}
