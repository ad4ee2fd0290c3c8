import LinearAlgebra
import Tensors

/// Data that have been checked and scaled, pixel after pixel.
struct PreparedSpectra<Scalar: LinearScalar> {
  /// Yᵀ over the scale, shape [pixels, kept channels].
  let pixels: Tensor<Scalar>
  let scale: Scalar
  let channelCount: Int
  let kept: [Int]
  let dropped: [Int]
  let empty: [Int]
  var warnings: [String] = []
  /// The likeness of right and lower neighbours, shape [pixels] each, zero at the image's edge; nil without an image.
  let neighbours: (right: Tensor<Scalar>, below: Tensor<Scalar>, width: Int)?

  init(_ data: Tensor<Scalar>, settings: SpectralUnmixing) throws {
    guard data.rank == 2, data.count > 0 else {
      throw InvalidArgument("data", found: "shape \(data.shape)", wanted: "shape [channels, pixels], not empty")
    }
    try settings.requireSettings()
    let (channels, count) = (data.rows, data.columns)
    let finite = (0..<channels).map { data[$0].isFinite }
    kept = finite.indices.filter { finite[$0] }
    dropped = finite.indices.filter { !finite[$0] }
    let most = min(kept.count, count)
    guard settings.endmembers >= 2, settings.endmembers <= most else {
      throw InvalidArgument(
        "endmembers", found: "\(settings.endmembers)",
        wanted: "at least 2, at most \(most), the smaller of usable channels and pixels")
    }
    var usable = dropped.isEmpty ? data : data.gathered(Tensor(kept), axis: 0)
    let least = usable.minimum().scalar
    if least < 0 {
      guard settings.clipsNegative else {
        throw InvalidArgument("data", found: "\(least)", wanted: "numbers that are not negative, or clipping")
      }
      usable = usable.maximum(0)
    }
    let level = usable.flattened.quantile(0.99).scalar
    let high = level > 0 ? level : usable.maximum().scalar
    scale = high > 0 ? high : 1
    pixels = (usable.transposed / scale).dense
    channelCount = channels
    let brightness = pixels.maximum(axis: 1).scalars
    empty = brightness.indices.filter { brightness[$0] <= 0 }
    if let shape = settings.spatialShape {
      guard shape.count == 2, shape.allSatisfy({ $0 > 0 }), shape[0] * shape[1] == count else {
        throw InvalidArgument("spatialShape", found: "\(shape)", wanted: "height and width of \(count) pixels")
      }
      neighbours = Self.likeness(pixels, width: shape[1])
    } else {
      neighbours = nil
    }
    if !dropped.isEmpty { warnings.append("\(dropped.count) channels hold numbers that are not finite.") }
    if !empty.isEmpty { warnings.append("\(empty.count) pixels are zero in all channels.") }
  }

  /// exp(-‖y_n - y_j‖² / s²) with the median of these distances as s.
  private static func likeness(
    _ pixels: Tensor<Scalar>, width: Int
  ) -> (right: Tensor<Scalar>, below: Tensor<Scalar>, width: Int) {
    let count = pixels.rows
    func squaredDistances(_ step: Int) -> [Scalar] {
      guard count > step else { return [Scalar](repeating: 0, count: count) }
      let differences = pixels[step...] - pixels[..<(count - step)]
      return differences.sumOfSquares(axes: [1]).scalars + [Scalar](repeating: 0, count: step)
    }
    let (right, below) = (squaredDistances(1), squaredDistances(width))
    let inside = right.indices.filter { $0 % width + 1 < width }.map { right[$0] } + below.dropLast(width)
    let median = inside.isEmpty ? 1 : Tensor(Array(inside)).median().scalar
    let scale = max(median, .leastNormalMagnitude)
    func weights(_ values: [Scalar], _ exists: (Int) -> Bool) -> Tensor<Scalar> {
      Tensor(values.indices.map { exists($0) ? Scalar.exp(-values[$0] / scale) : 0 })
    }
    return (
      weights(right) { $0 % width + 1 < width && $0 + 1 < count }, weights(below) { $0 + width < count }, width
    )
  }

  /// The given start, over the scale, floored where multiplication could not leave zero.
  func adopted(
    _ start: SpectralUnmixing.Start<Scalar>, settings: SpectralUnmixing
  ) throws -> (spectra: Tensor<Scalar>, abundances: Tensor<Scalar>) {
    let count = settings.endmembers
    guard start.endmembers.shape == [channelCount, count], start.abundances.shape == [count, pixels.rows] else {
      throw InvalidArgument(
        "startingFrom", found: "shapes \(start.endmembers.shape) and \(start.abundances.shape)",
        wanted: "shapes [\(channelCount), \(count)] and [\(count), \(pixels.rows)]")
    }
    try start.endmembers.requireFinite("startingFrom")
    try start.abundances.requireFinite("startingFrom")
    guard start.endmembers.minimum().scalar >= 0, start.abundances.minimum().scalar >= 0 else {
      throw InvalidArgument("startingFrom", found: "negative numbers", wanted: "none")
    }
    return (start.endmembers.gathered(Tensor(kept), axis: 0) / scale, start.abundances.transposed.dense)
  }

  /// Extreme pixels of the channels that are not noise; the other channels follow from the abundances.
  func start(
    settings: SpectralUnmixing
  ) throws -> (spectra: Tensor<Scalar>, abundances: Tensor<Scalar>) {
    let count = settings.endmembers
    let good = screenedChannels(atLeast: count)
    let clean = pixels.gathered(Tensor(good), axis: 1)
    var random = RandomStream(seed: settings.seed)
    let vertices = try vertexComponents(clean.transposed, count: count, random: &random)
    let abundances = try fullyConstrainedLeastSquares(clean.transposed, endmembers: vertices.spectra)
      .transposed.maximum(Scalar(1e-3)).dense
    var spectra = Tensor<Scalar>.zeros([kept.count, count])
    let isGood = Set(good)
    let noisy = kept.indices.filter { !isGood.contains($0) }
    // min over m >= 0 of ‖y_l - A m‖, for the rest of the channels.
    if !noisy.isEmpty {
      let rest = pixels.gathered(Tensor(noisy), axis: 1)
      let rows = nonNegativeRows(
        gram: abundances.multipliedByOwnTranspose(transposing: true),
        moments: rest.matmul(abundances, transposingA: true))
      spectra = spectra.scattered(rows, at: noisy)
    }
    spectra = spectra.scattered(vertices.spectra, at: good)
    return (spectra.maximum(Scalar(1e-6)), abundances)
  }

  /// Channels whose median difference between neighbouring pixels is at most five times that of the median channel.
  private func screenedChannels(atLeast count: Int) -> [Int] {
    guard pixels.rows > 1 else { return Array(kept.indices) }
    let noise = (pixels[1...] - pixels[..<(pixels.rows - 1)]).absolute().median(axis: 0)
    let limit = 5 * noise.median().scalar
    let values = noise.scalars
    let good = values.indices.filter { values[$0] <= limit }
    return good.count >= count ? good : Array(kept.indices)
  }

  func result(
    _ state: UnmixingState<Scalar>, objectives: [Double], convergence: Convergence
  ) -> Unmixing<Scalar> {
    let count = state.spectra.columns
    var abundances = state.abundances
    if !empty.isEmpty {
      let uniform = Tensor(repeating: 1 / Scalar(count), shape: [empty.count, count])
      abundances = abundances.scattered(uniform, at: empty)
    }
    let spectra = Tensor<Scalar>.zeros([channelCount, count]).scattered(state.spectra * scale, at: kept)
    let largest = max(state.weights.maximum().scalar, .leastNormalMagnitude)
    let weights = Tensor<Scalar>.zeros([channelCount, 1]).scattered(
      (state.weights / largest).expanded(axis: 1), at: kept)
    var warnings = warnings
    let singular = (try? (pixels.multipliedByOwnTranspose(transposing: true)).singularValues().scalars) ?? []
    let rank = singular.count { $0 > (singular.first ?? 0) * .ulpOfOne * 16 }
    if rank < count { warnings.append("The data have rank \(rank), fewer than the \(count) endmembers.") }
    return Unmixing(
      endmembers: spectra, abundances: abundances.transposed.dense, guidance: state.guidance,
      channelWeights: weights.flattened, objectiveHistory: objectives, convergence: convergence,
      droppedChannels: dropped, emptyPixels: empty, warnings: warnings)
  }
}

extension Tensor where Scalar: LinearScalar {
  /// A copy with the rows of `rows` in place of its own rows at `places`.
  func scattered(_ rows: Tensor, at places: [Int]) -> Tensor {
    var result = copied()
    let width = columns
    let source = rows.dense
    result.withUnsafeMutableBuffer { to in
      source.withUnsafeBuffer { from in
        for (i, place) in places.enumerated() { for j in 0..<width { to[place * width + j] = from[i * width + j] } }
      }
    }
    return result
  }
}

extension SpectralUnmixing {
  func requireSettings() throws {
    func require(_ isRight: Bool, _ name: String, _ found: String, _ wanted: String) throws {
      if !isRight { throw InvalidArgument(name, found: found, wanted: wanted) }
    }
    switch sparsity {
    case .none: break
    case .fixed(let exponent, let strength):
      try require(exponent > 0 && exponent <= 1, "exponent", "\(exponent)", "above 0, at most 1")
      try require(strength >= 0 && strength.isFinite, "strength", "\(strength)", "at least 0")
    case .learned(let strength):
      try require(strength >= 0 && strength.isFinite, "strength", "\(strength)", "at least 0")
    }
    try require(
      sumToOneWeight >= 0 && sumToOneWeight.isFinite, "sumToOneWeight", "\(sumToOneWeight)", "at least 0")
    try require((0...1).contains(guidanceSmoothing), "guidanceSmoothing", "\(guidanceSmoothing)", "between 0 and 1")
    try require(iterationLimit >= 1, "iterationLimit", "\(iterationLimit)", "at least 1")
    try require(tolerance >= 0, "tolerance", "\(tolerance)", "at least 0")
  }
}
