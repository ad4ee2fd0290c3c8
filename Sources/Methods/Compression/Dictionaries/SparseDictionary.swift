public import LinearAlgebra
public import Networks
public import Tensors

/// A weight as sparse codes over a dictionary: W = C D, each row of C with a few entries.
///
/// A layer's output y = C (D x) costs k m + s n products for k atoms of m inputs and s entries for each of n outputs,
/// instead of n m. (In the paper's rows, y = x Dᵀ Cᵀ: its dictionary is Dᵀ, and its codes in compressed columns are C in
/// compressed rows.)
public struct SparseDictionary<Scalar: LinearScalar>: Sendable {
  /// D, shape [atoms, inputs].
  public let dictionary: Tensor<Scalar>
  /// C, shape [outputs, atoms], stored by rows.
  public let codes: SparseMatrix<Scalar>
  /// The most entries of a row that were allowed (s).
  public let sparsity: Int
  /// How numbers are counted in ``storedBits``.
  public let precision: CodePrecision

  public init(
    dictionary: Tensor<Scalar>, codes: SparseMatrix<Scalar>, sparsity: Int, precision: CodePrecision = .unrounded
  ) {
    precondition(
      codes.columns == dictionary.rows, "codes of shape \(codes.shape) over a dictionary of shape \(dictionary.shape)")
    (self.dictionary, self.codes, self.sparsity, self.precision) = (dictionary, codes, sparsity, precision)
  }

  public var outputs: Int { codes.rows }
  public var inputs: Int { dictionary.columns }
  public var atoms: Int { dictionary.rows }

  /// C D, shape [outputs, inputs].
  public func dense() -> Tensor<Scalar> { codes.matmul(dictionary) }

  /// W x as x (C D)ᵀ for x of shape [..., inputs]: shape [..., outputs].
  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let flat = x.reshaped([x.count / inputs, inputs])
    let inner = dictionary.matmul(flat, transposingB: true)
    return codes.matmul(inner).transposed.dense.reshaped(x.shape.dropLast() + [outputs])
  }

  /// The same as a linear layer keeps it.
  public var form: LinearForm<Scalar> { .dictionary(codes: SparseCodes(codes), atoms: dictionary) }

  /// The same weight without atoms that no code uses.
  public func removingUnusedAtoms() -> SparseDictionary {
    var isUsed = [Bool](repeating: false, count: atoms)
    let columns = codes.columnIndices.scalars
    for column in columns { isUsed[column] = true }
    let kept = isUsed.indices.filter { isUsed[$0] }
    guard kept.count < atoms, !kept.isEmpty else { return self }
    var place = [Int32](repeating: 0, count: atoms)
    for (i, atom) in kept.enumerated() { place[atom] = Int32(i) }
    let indices = codes.indices.scalars.map { place[Int($0)] }
    guard
      let codes = try? SparseMatrix(
        rows: outputs, columns: kept.count, starts: codes.starts, indices: Tensor(indices), values: codes.values)
    else { return self }
    return SparseDictionary(
      dictionary: dictionary.gathered(Tensor(kept)), codes: codes, sparsity: sparsity, precision: precision)
  }

  /// Bits of the dictionary, the codes' numbers and their places.
  public var storedBits: Int { dictionaryBits + codeBits }
  public var dictionaryBits: Int { atoms * inputs * DictionaryBudget.valueBits }
  public var codeBits: Int {
    let scales = precision == .integer8 ? outputs * DictionaryBudget.valueBits : 0
    return outputs * sparsity * precision.bits + DictionaryBudget.placeBits(atoms: atoms, sparsity: sparsity) * outputs
      + scales
  }

  /// Codes rounded as `precision` says, dictionary to 16-bit floating-point numbers. Atoms are scaled to norm one first, so
  /// that both ranges fit.
  func rounded(to precision: CodePrecision) -> SparseDictionary {
    guard precision != .unrounded else { return self }
    let norms = dictionary.norm(axis: 1)
    let scales = (norms .> 0).select(norms, .ones(norms.shape))
    let unit = (dictionary / scales.expanded(axis: 1)).dense
    let rounded = Tensor<Scalar>(shape: unit.shape, scalars: unit.scalars.map { roundedToHalf($0, dropping: 0) })
    let lengths = scales.scalars
    var values = codes.values.scalars
    let atomsOfEntries = codes.indices.scalars
    let starts = codes.starts.scalars
    for row in 0..<outputs {
      let entries = Int(starts[row])..<Int(starts[row + 1])
      for e in entries { values[e] *= lengths[Int(atomsOfEntries[e])] }
      precision.round(&values, entries)
    }
    return SparseDictionary(
      dictionary: rounded, codes: codes.withValues(Tensor(values)), sparsity: sparsity, precision: precision)
  }
}

/// How the numbers of sparse codes are stored.
public enum CodePrecision: Sendable, Hashable {
  /// As they were computed; counted at 16 bits each, for whoever stores them.
  case unrounded
  /// 16-bit floating-point numbers without their last mantissa bits, 0 to 9 of them.
  case half(droppedBits: Int)
  /// Whole numbers of 8 bits, symmetric, with a scale for each output.
  case integer8

  /// Bits of one number.
  public var bits: Int {
    switch self {
    case .unrounded: DictionaryBudget.valueBits
    case .half(let dropped): 16 - dropped
    case .integer8: 8
    }
  }

  func validate() throws {
    if case .half(let dropped) = self, !(0...9 ~= dropped) {
      throw InvalidArgument("droppedBits", found: "\(dropped)", wanted: "0 to 9 of a mantissa of 10")
    }
  }

  fileprivate func round<Scalar: LinearScalar>(_ values: inout [Scalar], _ row: Range<Int>) {
    switch self {
    case .unrounded: return
    case .half(let dropped): for e in row { values[e] = roundedToHalf(values[e], dropping: dropped) }
    case .integer8:
      let largest = values[row].reduce(Scalar.zero) { max($0, $1.magnitude) }
      guard largest > 0 else { return }
      let scale = largest / 127
      for e in row { values[e] = (values[e] / scale).rounded() * scale }
    }
  }
}

/// The nearest 16-bit floating-point number whose last `bits` mantissa bits are zero; the largest one where it is beyond.
private func roundedToHalf<Scalar: LinearScalar>(_ value: Scalar, dropping bits: Int) -> Scalar {
  let x = Double(value)
  guard x != 0 else { return value }
  let magnitude = min(x.magnitude, 65_504)
  // The step between neighbours: of a mantissa of 10 bits, and no smaller than that of subnormal numbers.
  let exponent = max(Int(magnitude.exponent), -14) - 10 + bits
  let step = Double(sign: .plus, exponent: exponent, significand: 1)
  var rounded = (magnitude / step).rounded(.toNearestOrEven) * step
  if rounded > 65_504 { rounded -= step }
  return Scalar(x < 0 ? -rounded : rounded)
}
