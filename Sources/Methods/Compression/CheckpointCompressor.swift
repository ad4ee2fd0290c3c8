public import Tensors

/// A matrix of a checkpoint: what it is called, its shape, and how to get its numbers when they are needed.
public struct MatrixSource: Sendable {
  public var shape: MatrixShape
  /// Reads the matrix. May be called more than once, and from several threads.
  public var load: @Sendable () throws -> Tensor<Float>

  public init(name: String, shape: [Int], load: @escaping @Sendable () throws -> Tensor<Float>) throws {
    guard shape.count == 2, shape.allSatisfy({ $0 > 0 }) else {
      throw InvalidArgument(name, found: "shape \(shape)", wanted: "a matrix with at least one row and column")
    }
    self.shape = MatrixShape(name: name, rows: shape[0], columns: shape[1])
    self.load = load
  }

  /// A matrix that is in memory already.
  public init(name: String, matrix: Tensor<Float>) throws {
    try self.init(name: name, shape: matrix.shape) { matrix }
  }

  public var name: String { shape.name }

  /// The numbers, checked against the announced shape.
  func loaded() throws -> Tensor<Float> {
    let matrix = try load()
    try matrix.require(shape)
    return matrix
  }
}

/// A method that turns the matrices of a checkpoint into factors within a budget.
///
/// Planning reads matrix by matrix and keeps spectra only; ``CompressionPlan/execute(loading:progress:deliver:)`` then
/// reads them again. Peak memory is a small multiple of the largest matrix, whatever the checkpoint's size.
public protocol CheckpointCompressor: Sendable {
  /// Decides on ranks and groups.
  ///
  /// - Throws: `InvalidArgument` for a budget outside its range or below what the method can reach (the message says
  ///   what it can), for an empty list, two matrices of one name, or numbers that are not finite; what loading throws.
  func plan(
    for matrices: [MatrixSource], budget: CompressionBudget, progress: WorkProgress
  ) throws -> CompressionPlan
}

extension CheckpointCompressor {
  public func plan(for matrices: [MatrixSource], budget: CompressionBudget) throws -> CompressionPlan {
    try plan(for: matrices, budget: budget, progress: .silent)
  }
}

/// What every planner asks of its input.
func validate(_ names: [String]) throws {
  guard !names.isEmpty else { throw InvalidArgument("matrices", found: "none", wanted: "at least one matrix") }
  var seen: Set<String> = []
  for name in names where !seen.insert(name).inserted {
    throw InvalidArgument("matrices", found: "two called \(name)", wanted: "different names")
  }
}

/// `body` of every matrix, loaded one at a time on each thread.
func survey<Value>(
  _ matrices: [MatrixSource], progress: WorkProgress, _ body: (Tensor<Float>) throws -> Value
) throws -> [Value] {
  let step = 4 * max(threadCount, 1)
  var values: [Value] = []
  for start in stride(from: 0, to: matrices.count, by: step) {
    let wave = Array(matrices[start..<min(start + step, matrices.count)])
    try progress.report(start, of: matrices.count, wave[0].name)
    values += try parallelMap(wave.count) { try body(wave[$0].loaded()) }
  }
  try progress.report(matrices.count, of: matrices.count)
  return values
}

extension InvalidArgument {
  /// A fraction of parameters that is below what can be reached; what can is rounded up, so that it really can.
  static func unreachable(_ ratio: Double, least: Double) -> InvalidArgument {
    let shown = min(1, (least * 10_000).rounded(.up) / 10_000)
    return InvalidArgument("ratio", found: "\(ratio)", wanted: "at least \(shown), the least possible here")
  }
}
