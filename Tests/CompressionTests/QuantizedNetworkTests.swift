import Compression
import Networks
import Tensors
import TestSupport
import Testing

/// QERA and CoSpaDi as compressors of whole networks.
@Suite struct QuantizedNetworkTests {
  private let model: GPT<Float>
  private let data: CalibrationData<GPT<Float>>

  init() throws {
    var random = RandomStream(seed: 1)
    model = try GPT(
      GPTConfiguration(vocabulary: 19, width: 32, layers: 2, heads: 2, hidden: 48, contextLength: 24), random: &random)
    data = CalibrationData(tokens: (0..<6).map { _ in random.integers([2, 24], in: 0..<19) })
  }

  @Test func layersAreQuantizedAndCorrected() throws {
    let tokens = Tensor<Int>(Array(0..<19)).reshaped([1, 19])
    func outcome(_ method: QERA?) throws -> NetworkCompression<GPT<Float>> {
      try QERACompressor(format: .mxint(3), method: method).compress(model, keeping: 1, data: data)
    }
    let plain = try outcome(nil)
    let exact = try outcome(QERA(rank: 6))
    #expect(plain.layers.count == 14 && exact.layers.count == 14)
    for (bare, corrected) in zip(plain.layers, exact.layers) {
      let before = try #require(bare.result[figure: "output error"])
      let after = try #require(corrected.result[figure: "output error"])
      #expect(after < before, "\(bare.name)")
      #expect(corrected.result[figure: "uncorrected output error"].map { abs($0 - before) < 1e-9 * before } == true)
      #expect(corrected.result[figure: "rank"] == 6 && bare.result[figure: "bits per weight"] ?? .nan >= 3.25)
      #expect(corrected.result.form?.rank == 6)
    }
    let wanted = model(tokens)
    #expect((exact.model(tokens) - wanted).frobeniusNorm() < (plain.model(tokens) - wanted).frobeniusNorm())
  }

  @Test func ranksFitTheBudget() throws {
    let result = try QERACompressor(format: .mxint(2), method: QERA(rank: 16)).compress(model, keeping: 0.4, data: data)
    for layer in result.layers {
      let bits = try #require(layer.result[figure: "bits per weight"])
      let rank = try #require(layer.result[figure: "rank"])
      #expect(bits <= 0.4 * 16 && rank >= 1 && rank < 16, "\(layer.name)")
      let more = bits + Double(16 * (layer.shape[0] + layer.shape[1])) / Double(layer.shape[0] * layer.shape[1])
      #expect(more > 0.4 * 16, "another rank does not fit")
    }
    for fraction in [0.1, 0, 1.5] {
      #expect(throws: InvalidArgument.self) {
        try QERACompressor(format: .mxint(2), method: QERA(rank: 4)).compress(model, keeping: fraction, data: data)
      }
    }
    #expect(throws: InvalidArgument.self) {
      try QERACompressor(format: .nf4).compress(
        weight: .ones([4, 4]), calibration: LayerCalibration(), keeping: 1)
    }
  }

  @Test func layersBecomeDictionaries() throws {
    let method = CoSpaDi(ratio: 2, sweeps: 4)
    let result = try method.compress(model, keeping: 0.7, data: data)
    let calibration = try method.calibration(of: model, on: data)
    for layer in result.layers {
      guard case .dictionary(let codes, let atoms)? = layer.result.form else {
        Issue.record("\(layer.name) is no dictionary")
        continue
      }
      #expect([codes.rows, atoms.columns] == layer.shape)
      #expect(layer.result[figure: "kept"] ?? .nan <= 0.7)
      // The figure is the error of the layer as it now runs.
      let weight = try #require(model.linearLayers.first { $0.name == layer.name }?.layer.weight)
      let moments = try #require(calibration[layer.name]?.activations)
      let dense = try #require(layer.result.form?.dense)
      let error = moments.meanSquaredOutput(of: Tensor<Double>(weight) - Tensor<Double>(dense))
      let relative = (error / moments.meanSquaredOutput(of: weight)).squareRoot()
      #expect(abs(relative - (layer.result[figure: "output error"] ?? .nan)) < 1e-3, "\(layer.name)")
    }
    let less = try method.compress(model, keeping: 0.4, data: data)
    let tokens = Tensor<Int>(Array(0..<19)).reshaped([1, 19])
    let wanted = model(tokens)
    #expect((result.model(tokens) - wanted).frobeniusNorm() < (less.model(tokens) - wanted).frobeniusNorm())
    #expect(throws: InvalidArgument.self) {
      try method.compress(weight: .ones([4, 4]), calibration: nil, keeping: 0.5)
    }
  }
}
