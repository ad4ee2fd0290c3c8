/// What a matrix's Weibull shape says about its training.
///
/// - Source: Ding 2026, arXiv 2605.18898, table 1 and appendix A.7. The paper counts shapes above 1.21 as mild selection;
///   here they have a case of their own, because they lie on the other side of the anchor.
public enum WeibullRegime: String, Sendable, Hashable, CaseIterable {
  /// At step zero and within 0.01 of the shape of Gaussian weights.
  case initialization
  /// 1.18 ... 1.21 on a straight Weibull plot: the weights grew, and kept their law.
  case transmission
  /// 0.95 ... 1.18, or the band of transmission without a straight plot.
  case mildSelection
  /// Below 0.95: few large weights among many small ones.
  case strongSelection
  /// Above 1.21: lighter tails than a Gaussian's.
  case aboveAnchor

  /// As people write it.
  public var title: String {
    switch self {
    case .initialization: "initialization"
    case .transmission: "transmission"
    case .mildSelection: "mild selection"
    case .strongSelection: "strong selection"
    case .aboveAnchor: "above anchor"
    }
  }
}

extension WeibullFit {
  /// The plot's straightness below which two parameters do not describe the weights, and `MagnitudeMetrics` should be
  /// read instead.
  public static let straightness = 0.95

  /// The regime that the shape stands for; `atInitialization` says that the weights have not been trained yet.
  ///
  /// The limits belong to `MagnitudeTrim.middle80`.
  public func regime(atInitialization: Bool = false) -> WeibullRegime {
    if atInitialization && (shape - WeibullAnchor.gaussian(trim).shape).magnitude < 0.01 { return .initialization }
    if shape > 1.21 { return .aboveAnchor }
    if shape >= 1.18 && rSquared >= Self.straightness { return .transmission }
    return shape >= 0.95 ? .mildSelection : .strongSelection
  }
}
