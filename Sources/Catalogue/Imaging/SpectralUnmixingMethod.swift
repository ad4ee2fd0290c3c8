import CatalogueCore
import Imaging
import LinearAlgebra
import Tensors

/// `spectral-unmixing`: an image of spectra in; materials and their fractions out.
struct SpectralUnmixingMethod: CataloguedMethod {
  enum Variant: String, ParameterChoice {
    case rrlbs, nmf, half, l21
  }

  private let cube = MethodInput(
    "cube", "Spectra: channels by pixels, or an image with the channels last.", shape: "[l, n] or [h, w, l]")
  private let endmembers = MethodParameter(
    "endmembers", "Materials; estimated from the data if left out.", default: Int?.none, in: .atLeast(2))
  private let variant = MethodParameter(
    "method", "Robust with learned sparsity, plain factorization, half-norm sparsity, or robust alone.",
    default: Variant.rrlbs)
  private let strength = MethodParameter("strength", "Weight of the sparsity.", default: 0.05, in: .atLeast(0))
  private let sumWeight = MethodParameter(
    "sum-to-one", "Weight of the condition that fractions sum to one.", default: 1.0, in: .atLeast(0))
  private let iterations = MethodParameter("iterations", "Most iterations.", default: 300, in: .atLeast(1))
  private let clip = MethodParameter("clip", "Take negative numbers as zero.", default: false)

  var card: MethodCard {
    MethodCard(
      id: "spectral-unmixing", module: "Imaging",
      title: "Effective Spectral Unmixing via Robust Representation and Learning-based Sparsity",
      paper: Paper("Zhu et al.", 2014, arXiv: "1409.0685"),
      summary: "Splits every pixel's spectrum into a few materials and their fractions, without a library. Channels of "
        + "noise count little, because whole channels are measured by their norms; how sparse a pixel's fractions shall "
        + "be is learned with them. Linear time in the data for each of a few hundred iterations.",
      inputs: [cube],
      parameters: [endmembers, variant, strength, sumWeight, iterations, clip],
      outputs: [
        MethodOutput("endmembers", "Spectra of the materials.", shape: "[l, k]"),
        MethodOutput("abundances", "Fractions of each pixel.", shape: "[k, n]"),
        MethodOutput("guidance", "How pure each pixel is.", shape: "[n]"),
        MethodOutput("channel-weights", "What each channel counts.", shape: "[l]"),
      ],
      example: "apus run spectral-unmixing cube=scene.npy --endmembers 4 -o unmixed.npz",
      claim: "With channels of noise, fractions are several times as accurate as those of plain and of sparse "
        + "factorizations from the same start.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let array = request.unchecked(cube)
    var data = array
    var image: [Int]?
    if array.rank == 3 {
      image = [array.shape[0], array.shape[1]]
      data = array.reshaped([array.shape[0] * array.shape[1], array.shape[2]]).transposed.dense
    }
    let count = try request[endmembers] ?? max(2, estimateEndmemberCount(request[clip] ? data.maximum(0) : data))
    var method: SpectralUnmixing
    switch request[variant] {
    case .rrlbs:
      method = SpectralUnmixing(endmembers: count, sparsity: .learned(strength: request[strength]), spatialShape: image)
    case .nmf: method = .nonNegativeFactorization(endmembers: count)
    case .half: method = .halfSparse(endmembers: count, strength: request[strength])
    case .l21: method = SpectralUnmixing(endmembers: count, sparsity: .none)
    }
    method.sumToOneWeight = request[sumWeight]
    method.iterationLimit = request[iterations]
    method.clipsNegative = request[clip]
    method.seed = request.seed
    let found = try method.fit(data, progress: request.progress)
    var table = Table("Materials", columns: ["material", "mean fraction", "brightest channel", "largest value"])
    let shares = found.abundances.mean(axis: 1).scalars
    for k in 0..<count {
      let spectrum = found.endmembers[.all, k].copied()
      table.add([k, shares[k], spectrum.argmax(axis: 0).scalar, spectrum.maximum().scalar])
    }
    var plots = [
      Plot(
        "Spectra", x: "channel", y: "value",
        (0..<min(count, 6)).map { Series("material \($0)", found.endmembers[.all, $0].copied().scalars, first: 0) }),
      Plot(
        "Channel weights", x: "channel", y: "weight", [Series("", found.channelWeights.scalars, first: 0, .bars)]),
    ]
    if let image {
      for k in 0..<min(count, 4) {
        plots.append(
          Plot(
            "Material \(k)", x: "column", y: "row", heatMap: found.abundances[k].copied().reshaped(image)))
      }
    }
    return RunOutcome(
      summary: [
        Fact("Channels", data.rows), Fact("Pixels", data.columns), Fact("Materials", count),
        Fact("Iterations", found.iterations), Fact("Objective", found.objectiveHistory.last),
        Fact("Converged", found.isConverged), Fact("Dropped channels", found.droppedChannels.count),
      ],
      tables: [table], plots: plots,
      notes: found.warnings + (found.isConverged ? [] : ["The objective was still changing at the last iteration."]),
      outputs: [
        OutputArray("endmembers", found.endmembers), OutputArray("abundances", found.abundances),
        OutputArray("guidance", found.guidance), OutputArray("channel-weights", found.channelWeights),
      ])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try SpectralUnmixingClaim(settings: settings).evidence()
  }
}
