import Tensors

/// How many atoms and entries a weight may have for the bits that are left to it.
///
/// A weight of shape [n, m] at 16 bits a number takes 16 n m bits. A dictionary takes 16 k m, codes 16 s n and their places:
/// a mask of k bits for each output, or ceil(log2 k) bits for each entry, whichever is less.
public struct DictionaryBudget: Sendable, Hashable {
  /// k and s.
  public let atoms: Int
  public let sparsity: Int
  /// What they take.
  public let storedBits: Int

  /// Bits of a number of the dictionary, and of a weight that is not compressed.
  static let valueBits = 16

  /// Bits for the places of an output's entries.
  static func placeBits(atoms: Int, sparsity: Int) -> Int {
    let bits = atoms <= 1 ? 0 : Int.bitWidth - (atoms - 1).leadingZeroBitCount
    return min(atoms, sparsity * bits)
  }

  static func bits(inputs: Int, outputs: Int, atoms: Int, sparsity: Int, valueBits: Int) -> Int {
    atoms * inputs * Self.valueBits + outputs * (sparsity * valueBits + placeBits(atoms: atoms, sparsity: sparsity))
  }

  /// The largest s, with k = round(ratio s), whose bits are at most `keep` of the weight's.
  ///
  /// - Parameter shared: how many weights of this many inputs share the dictionary; `outputs` counts those of all.
  /// - Throws: `InvalidArgument` for a fraction outside (0, 1], a ratio below 1, or a budget that one entry for each
  ///   output exceeds; it says what would do.
  init(keeping keep: Double, ratio: Double, inputs: Int, outputs: Int, precision: CodePrecision) throws {
    guard keep > 0, keep <= 1 else { throw InvalidArgument("keep", found: "\(keep)", wanted: "above 0, at most 1") }
    guard ratio >= 1, ratio.isFinite else { throw InvalidArgument("ratio", found: "\(ratio)", wanted: "at least 1") }
    let dense = inputs * outputs * Self.valueBits
    let scales = precision == .integer8 ? outputs * Self.valueBits : 0
    func atoms(_ sparsity: Int) -> Int { max(sparsity, Int((ratio * Double(sparsity)).rounded())) }
    func bits(_ sparsity: Int) -> Int {
      Self.bits(
        inputs: inputs, outputs: outputs, atoms: atoms(sparsity), sparsity: sparsity, valueBits: precision.bits)
        + scales
    }
    guard Double(bits(1)) <= keep * Double(dense) else {
      let least = Double(bits(1)) / Double(dense)
      let wanted =
        least <= 1
        ? "at least \(least.formatted(digits: 3)), which one entry for each output takes"
        : "a larger weight: one entry for each output takes more than the weight itself"
      throw InvalidArgument("keep", found: "\(keep)", wanted: wanted)
    }
    // More entries than inputs cannot be independent.
    var sparsity = 1
    while sparsity < inputs, Double(bits(sparsity + 1)) <= keep * Double(dense) { sparsity += 1 }
    (self.atoms, self.sparsity, storedBits) = (atoms(sparsity), sparsity, bits(sparsity))
  }
}
