import Networks
public import Tensors

/// Layers of a network, each over a dictionary of its own, fitted to the inputs it has in the network as it was.
///
/// The figures of a layer are `output error` (relative, on the calibration inputs), `atoms`, `entries` of an output, `kept`
/// (the fraction of 16 bits for each number of the weight, places included) and `damping`.
extension CoSpaDi: LayerCompressor {
  public var needs: CalibrationNeeds { .activations }

  /// - Throws: as ``compress(_:secondMoment:progress:)``, and `InvalidArgument` without moments.
  public func compress(
    weight: Tensor<Float>, calibration: LayerCalibration?, keeping fraction: Double
  ) throws -> CompressedLayer {
    guard let moments = calibration?.activations else {
      throw InvalidArgument("calibration", found: "no activations", wanted: "the moments of this layer's inputs")
    }
    var method = self
    method.keep = fraction
    let found = try method.compress(weight, secondMoment: moments.secondMoment)
    let report = found.report
    var warnings: [String] = []
    if moments.isUnderdetermined {
      warnings.append("\(moments.tokens) tokens for \(moments.width) inputs: give more of them")
    }
    if report.damping > damping { warnings.append("a damping of \(report.damping) for singular second moments") }
    return CompressedLayer(
      form: found.weight.form,
      figures: [
        ("output error", report.relativeError), ("atoms", Double(report.atoms)), ("entries", Double(report.sparsity)),
        ("kept", report.keptFraction), ("damping", report.damping),
      ], warnings: warnings)
  }
}
