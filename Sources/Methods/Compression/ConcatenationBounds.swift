// How well a concatenation of blocks can be approximated at rank r: exactly, and by bounds that avoid its SVD.
//
// e_r = sqrt(1 - (sigma_1² + ... + sigma_r²) / T) with T the squared Frobenius norm. Every lower bound of the captured
// energy gives an upper bound of e_r.

public import LinearAlgebra
public import Tensors

/// A certified upper bound of the relative rank-r error of blocks side by side.
public enum ConcatenationBound: Sendable, Hashable {
  /// sigma_j(M) >= sigma_j(A_1): the first block alone.
  case weylBase
  /// sigma_j(M) >= max_i sigma_j(A_i): the largest of all blocks, value by value.
  case weylMax
  /// The r largest singular values of what each block adds to the span of those before it. Depends on their order.
  case residual
  /// The estimate of ``IncrementalSVD``; exact while the blocks have at most r + oversampling independent columns.
  case incremental(oversampling: Int)
}

/// The least relative error, in the Frobenius norm, of a rank-r approximation of blocks side by side.
///
/// - Throws: `InvalidArgument` for an empty list, blocks of different row counts, numbers that are not finite, rank < 1.
/// - Complexity: O(m N min(m, N)) time for N columns in all.
public func concatenationError<Scalar: LinearScalar>(_ blocks: [Tensor<Scalar>], rank: Int) throws -> Double {
  let blocks = try BlockList(blocks)
  try requireRank(rank)
  return try blocks.exactError(Array(blocks.indices), rank: rank)
}

/// An upper bound of ``concatenationError(_:rank:)``, in double precision whatever the blocks are stored in.
///
/// - Throws: as the exact error, and for a negative oversampling.
public func concatenationErrorBound<Scalar: LinearScalar>(
  _ blocks: [Tensor<Scalar>], rank: Int, bound: ConcatenationBound
) throws -> Double {
  let blocks = try BlockList(blocks)
  try requireRank(rank)
  var certificate = try bound.certificate(rank: rank)
  for i in blocks.indices { try certificate.append(blocks[i]) }
  return certificate.relativeError
}

func requireRank(_ rank: Int) throws {
  guard rank >= 1 else { throw InvalidArgument("rank", found: "\(rank)", wanted: "at least 1") }
}

// MARK: Certificates

/// A bound that is updated block by block.
protocol ConcatenationCertificate: Sendable {
  mutating func append(_ block: Tensor<Double>) throws
  var relativeError: Double { get }
  /// Orthonormal directions of the blocks so far, where the bound knows them.
  var basis: Tensor<Double> { get }
}

extension IncrementalSVD<Double>: ConcatenationCertificate {}

extension ConcatenationBound {
  func certificate(rank: Int) throws -> any ConcatenationCertificate {
    switch self {
    case .weylBase: return WeylBound(rank: rank, usesAllBlocks: false)
    case .weylMax: return WeylBound(rank: rank, usesAllBlocks: true)
    case .residual: return ResidualBound(rank: rank)
    case .incremental(let oversampling):
      guard oversampling >= 0 else {
        throw InvalidArgument("oversampling", found: "\(oversampling)", wanted: "at least 0")
      }
      return IncrementalSVD<Double>(rank: rank, oversampling: oversampling)
    }
  }
}

/// M Mᵀ = sum A_i A_iᵀ is at least each of its terms, and so are its eigenvalues.
struct WeylBound: ConcatenationCertificate {
  let rank: Int
  let usesAllBlocks: Bool
  /// The largest singular values so far, at most r.
  private var values: [Double]?
  private var totalEnergy = 0.0

  init(rank: Int, usesAllBlocks: Bool) { (self.rank, self.usesAllBlocks) = (rank, usesAllBlocks) }

  mutating func append(_ block: Tensor<Double>) throws {
    totalEnergy += block.sumOfSquares().scalar
    guard usesAllBlocks || values == nil else { return }
    let own = try spectrum(ofGram: gramMatrix(block, transposing: block.rows > block.columns))
    let kept = values ?? []
    values = (0..<min(rank, max(own.count, kept.count))).map { i in
      max(i < own.count ? own[i] : 0, i < kept.count ? kept[i] : 0)
    }
  }

  var relativeError: Double {
    Compression.relativeError(captured: (values ?? []).reduce(0) { $0 + $1 * $1 }, total: totalEnergy)
  }
  var basis: Tensor<Double> { .zeros([0, 0]) }
}

/// In a basis that grows with the blocks, M is block upper triangular, with the residuals on its diagonal. Pinching to the
/// diagonal weakly majorizes the singular values downward, and squares keep that: the r largest values of all residuals
/// capture no more than the r largest of M. This holds for their sum, not one by one.
struct ResidualBound: ConcatenationCertificate {
  let rank: Int
  private(set) var basis = Tensor<Double>.zeros([0, 0])
  /// The largest singular values of residuals so far, decreasing, at most r.
  private var values: [Double] = []
  private var totalEnergy = 0.0

  init(rank: Int) { self.rank = rank }

  mutating func append(_ block: Tensor<Double>) throws {
    let energy = block.sumOfSquares().scalar
    totalEnergy += energy
    guard energy > 0, basis.columns < block.rows || basis.isEmpty else { return }
    var residual = block
    if basis.columns > 0 {
      for _ in 0..<2 { residual -= basis.matmul(basis.matmul(residual, transposingA: true)) }
    }
    let svd = try SingularValueDecomposition(of: residual)
    let own = svd.values.scalars
    values = Array((values + own).sorted(by: >).prefix(rank))
    let floor = 10 * Double.ulpOfOne * (Double(block.rows) * energy).squareRoot()
    let count = min(own.count { $0 > floor }, block.rows - basis.columns)
    guard count > 0 else { return }
    let added = svd.left[.all, 0..<count]
    basis = basis.columns > 0 ? Tensor.concatenated([basis, added], axis: 1) : added.dense
  }

  var relativeError: Double {
    Compression.relativeError(captured: values.reduce(0) { $0 + $1 * $1 }, total: totalEnergy)
  }
}

// MARK: Blocks

/// Checked blocks in double precision.
struct BlockList {
  private let blocks: [Tensor<Double>]
  let rows: Int
  let widths: [Int]
  /// Squared Frobenius norms.
  let energies: [Double]

  init<Scalar: LinearScalar>(_ blocks: [Tensor<Scalar>]) throws {
    guard let first = blocks.first else {
      throw InvalidArgument("blocks", found: "none", wanted: "at least one block")
    }
    for (i, block) in blocks.enumerated() {
      try block.requireMatrix("block \(i)")
      guard block.rows == first.rows else {
        throw InvalidArgument(
          "block \(i)", found: "\(block.rows) rows", wanted: "\(first.rows), as block 0 has")
      }
    }
    // Errors do not depend on a common scale; without one, squares of extreme numbers would overflow or vanish.
    let largest = blocks.map { Double($0.maximumNorm()) }.max() ?? 0
    let scale = largest > 1e100 || largest < 1e-100 && largest > 0 ? 1 / largest : 1
    self.blocks = blocks.map { scale == 1 ? Tensor<Double>($0).dense : Tensor<Double>($0) * scale }
    rows = first.rows
    widths = blocks.map(\.columns)
    energies = self.blocks.map { $0.sumOfSquares().scalar }
  }

  var indices: Range<Int> { blocks.indices }
  subscript(index: Int) -> Tensor<Double> { blocks[index] }

  /// The chosen blocks side by side.
  func concatenated(_ members: [Int]) -> Tensor<Double> {
    members.count == 1 ? blocks[members[0]] : Tensor.concatenated(members.map { blocks[$0] }, axis: 1)
  }

  /// The squared singular values of the chosen blocks side by side, decreasing.
  func spectrum(_ members: [Int]) throws -> [Double] {
    let width = members.reduce(0) { $0 + widths[$1] }
    let gram: Tensor<Double>
    if width < rows {
      gram = concatenated(members).multipliedByOwnTranspose(transposing: true)
    } else {
      var sum = blocks[members[0]].multipliedByOwnTranspose()
      for i in members.dropFirst() { sum += blocks[i].multipliedByOwnTranspose() }
      gram = sum
    }
    return try gram.symmetricEigenvalues().scalars.reversed().map { max($0, 0) }
  }

  func exactError(_ members: [Int], rank: Int) throws -> Double {
    let squares = try spectrum(members)
    let captured = squares.prefix(rank).reduce(0, +)
    return relativeError(captured: captured, total: members.reduce(0) { $0 + energies[$1] })
  }
}
