public import LinearAlgebra
public import Tensors

/// Extreme pixels of an image, as first guesses of pure materials.
public struct VertexComponents<Scalar: LinearScalar>: Sendable {
  /// Shape [channels, K], denoised by projection and not negative.
  public let spectra: Tensor<Scalar>
  /// The pixels they were taken from.
  public let pixels: [Int]
}

/// Vertex component analysis: the pixels at the corners of the simplex that mixtures of K spectra form.
///
/// K times, the pixel with the most extreme projection on a random direction that is orthogonal to the corners found.
/// - Parameter data: shape [channels, pixels].
/// - Throws: `InvalidArgument` for numbers that are not finite, or `count` beyond channels or pixels.
/// - Complexity: O(channels² pixels) time.
/// - Source: Nascimento and Bioucas-Dias, IEEE Trans. Geosci. Remote Sens. 43 (2005), with projective scaling.
public func vertexComponents<Scalar: LinearScalar>(
  _ data: Tensor<Scalar>, count: Int, random: inout RandomStream
) throws -> VertexComponents<Scalar> {
  try data.requireMatrix("data")
  guard count >= 1, count <= min(data.rows, data.columns) else {
    throw InvalidArgument(
      "count", found: "\(count)", wanted: "at least 1, at most \(min(data.rows, data.columns)), channels and pixels")
  }
  let correlation = data.multipliedByOwnTranspose() / Scalar(data.columns)
  let eigen = try SymmetricEigendecomposition(of: correlation)
  let basis = eigen.vectors[.all, (data.rows - count)...].copied()
  let signal = basis.matmul(data, transposingA: true)
  let mean = signal.mean(axis: 1)
  // Pixels that point away from the mean hold no signal: they must not become corners by a division by almost nothing.
  let lengths = mean.matmul(signal)
  let typical = lengths.absolute().median().scalar
  let isUsable = lengths .> Scalar(1e-3) * max(typical, .leastNormalMagnitude)
  let scaled = isUsable.broadcast(to: signal.shape).select(
    signal / isUsable.select(lengths, .ones(lengths.shape)), .zeros(signal.shape))
  var corners: [Tensor<Scalar>] = []
  var found: [Int] = []
  for _ in 0..<count {
    var direction: Tensor<Scalar> = random.normal([count])
    // Twice, for directions that are nearly spanned.
    for _ in 0..<2 { for corner in corners { direction -= corner * (corner * direction).sum().scalar } }
    let projections = direction.matmul(scaled).absolute()
    let pixel = projections.argmax(axis: 0).scalar
    found.append(pixel)
    var corner = scaled[.all, pixel].copied()
    for _ in 0..<2 { for other in corners { corner -= other * (other * corner).sum().scalar } }
    let length = corner.frobeniusNorm()
    if length > 0 { corners.append(corner / length) }
  }
  let spectra = basis.matmul(signal.gathered(Tensor(found), axis: 1)).maximum(0)
  return VertexComponents(spectra: spectra, pixels: found)
}

/// How many materials the data can tell apart: eigenvectors of the signal whose power exceeds that of the noise.
///
/// - Parameter data: shape [channels, pixels], more pixels than channels.
/// - Throws: `InvalidArgument` for numbers that are not finite, or fewer pixels than channels.
/// - Source: Bioucas-Dias and Nascimento, "Hyperspectral subspace identification", IEEE Trans. Geosci. Remote Sens. 46
///   (2008).
public func estimateEndmemberCount(_ data: Tensor<Double>) throws -> Int {
  try data.requireMatrix("data")
  guard data.columns > data.rows else {
    throw InvalidArgument("data", found: "shape \(data.shape)", wanted: "more pixels than channels")
  }
  let correlation = data.multipliedByOwnTranspose() / Double(data.columns)
  let ridge = correlation.diagonal.mean().scalar * 1e-10
  let inverse = try CholeskyDecomposition(of: correlation + Tensor.identity(data.rows) * ridge).inverse()
  // What regression on all other channels leaves of a channel.
  let noise = inverse.diagonal.reciprocal()
  let signal = correlation - Tensor.identity(data.rows) * noise
  let vectors = try SymmetricEigendecomposition(of: (signal + signal.transposed) / 2).vectors
  let power = (vectors * correlation.matmul(vectors)).sum(axis: 0)
  let noisePower = (vectors.squared() * noise.expanded(axis: 1)).sum(axis: 0)
  return zip(power.scalars, noisePower.scalars).count { $0 > 2 * $1 }
}

/// The angles between spectra in radians, shape [K, K'], for spectra in the columns of two matrices.
public func spectralAngles<Scalar: LinearScalar>(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) -> Tensor<Scalar> {
  precondition(
    a.rank == 2 && b.rank == 2 && a.rows == b.rows, "spectra of shapes \(a.shape) and \(b.shape)")
  let lengths = a.norm(axes: [0]).expanded(axis: 1) * b.norm(axes: [0])
  return (a.matmul(b, transposingA: true) / lengths.maximum(.leastNormalMagnitude)).clamped(to: -1...1).acos()
}

/// For each column of `truth` the column of `found` that is its own, by the smallest sum of spectral angles.
///
/// - Throws: `InvalidArgument` for spectra that are not finite.
public func matchEndmembers<Scalar: LinearScalar>(
  _ found: Tensor<Scalar>, to truth: Tensor<Scalar>
) throws -> [Int] {
  try AssignmentSolver().solve(spectralAngles(truth, found)).columns.map { $0 ?? 0 }
}
