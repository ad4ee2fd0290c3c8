// Einstein summation, as products of matrices.

/// Sums of products over named axes: `einsum("bij,bjk->bik", [a, b])`.
///
/// Each letter names an axis; a letter that is missing after the arrow is summed over, a letter that occurs twice in one
/// operand takes its diagonal. Without an arrow, the letters that occur once are kept, in alphabetical order. Operands
/// are contracted in pairs, from the left, each pair as one batched matrix product.
///
/// - Complexity: that of the matrix products; memory for one intermediate result a pair.
public func einsum<Scalar: RealScalar>(_ formula: String, _ operands: [Tensor<Scalar>]) -> Tensor<Scalar> {
  let (inputs, output) = parse(formula, operands.map(\.shape))
  var terms = zip(inputs, operands).map { Term(letters: $0, tensor: $1).withDistinctLetters }
  while terms.count > 1 {
    let a = terms.removeFirst()
    let b = terms.removeFirst()
    let later = Set(output).union(terms.flatMap(\.letters))
    terms.insert(a.contracted(with: b, keeping: later), at: 0)
  }
  let last = terms[0].summed(keeping: Set(output))
  return last.tensor.permuted(output.map { letter in last.letters.firstIndex(of: letter) ?? 0 })
}

private func parse(_ formula: String, _ shapes: [[Int]]) -> (inputs: [[Character]], output: [Character]) {
  let sides = formula.filter { $0 != " " }.split(separator: "->", omittingEmptySubsequences: false)
  precondition(sides.count <= 2, "einsum: \"\(formula)\" has more than one arrow")
  let inputs = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
  precondition(
    inputs.count == shapes.count, "einsum: \"\(formula)\" names \(inputs.count) operands, but \(shapes.count) are given"
  )
  var extents: [Character: Int] = [:]
  for (letters, shape) in zip(inputs, shapes) {
    precondition(
      letters.count == shape.count && letters.allSatisfy(\.isLetter),
      "einsum: \"\(String(letters))\" does not name the axes of shape \(shape)")
    for (letter, extent) in zip(letters, shape) {
      precondition(
        extents[letter, default: extent] == extent,
        "einsum: axis \(letter) of \"\(formula)\" has extents \(extents[letter] ?? 0) and \(extent)")
      extents[letter] = extent
    }
  }
  guard sides.count == 2 else {
    let all = inputs.joined()
    return (inputs, extents.keys.filter { letter in all.count { $0 == letter } == 1 }.sorted())
  }
  let output = Array(sides[1])
  precondition(
    Set(output).count == output.count && output.allSatisfy { extents[$0] != nil },
    "einsum: \"\(String(output))\" is not made of distinct letters of the operands")
  return (inputs, output)
}

private struct Term<Scalar: RealScalar> {
  var letters: [Character]
  var tensor: Tensor<Scalar>

  /// Repeated letters replaced by their diagonal.
  var withDistinctLetters: Term {
    for (i, letter) in letters.enumerated() {
      guard let j = letters[(i + 1)...].firstIndex(of: letter) else { continue }
      let others = letters.indices.filter { $0 != i && $0 != j }
      let diagonal = tensor.permuted(others + [i, j]).diagonal
      return Term(letters: others.map { letters[$0] } + [letter], tensor: diagonal).withDistinctLetters
    }
    return self
  }

  func summed(keeping kept: Set<Character>) -> Term {
    let axes = letters.indices.filter { !kept.contains(letters[$0]) }
    guard !axes.isEmpty else { return self }
    return Term(letters: letters.filter(kept.contains), tensor: tensor.sum(axes: axes))
  }

  /// The axes `groups` one group behind the other, each group merged into one axis.
  private func merged(_ groups: [[Character]]) -> Tensor<Scalar> {
    let order = groups.joined().map { letter in letters.firstIndex(of: letter) ?? 0 }
    let extents = groups.map { group in group.map(extent).reduce(1, *) }
    return tensor.permuted(Array(order)).reshaped(extents)
  }

  private func extent(_ letter: Character) -> Int { letters.firstIndex(of: letter).map { tensor.shape[$0] } ?? 1 }

  /// The product with another term, summed over every letter that neither side nor `later` needs.
  func contracted(with other: Term, keeping later: Set<Character>) -> Term {
    let a = summed(keeping: later.union(other.letters))
    let b = other.summed(keeping: later.union(letters))
    let shared = a.letters.filter(b.letters.contains)
    let batch = shared.filter(later.contains)
    let inner = shared.filter { !later.contains($0) }
    let left = a.letters.filter { !shared.contains($0) }
    let right = b.letters.filter { !shared.contains($0) }
    let product = a.merged([batch, left, inner]).matmul(b.merged([batch, inner, right]))
    let shape = batch.map(a.extent) + left.map(a.extent) + right.map(b.extent)
    return Term(letters: batch + left + right, tensor: product.reshaped(shape))
  }
}
