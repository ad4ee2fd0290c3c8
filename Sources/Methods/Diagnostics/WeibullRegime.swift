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

extension WeibullRegime {
  /// The regime of a shape k that was fitted to the middle 80 %, with the straightness R^2 of its plot.
  /// `atInitialization` says that the weights have not been trained yet.
  public init(shape: Double, rSquared: Double, atInitialization: Bool = false) {
    if atInitialization && (shape - WeibullAnchor.gaussian().shape).magnitude < 0.01 {
      self = .initialization
    } else if shape > 1.21 {
      self = .aboveAnchor
    } else if shape >= 1.18 && rSquared >= WeibullFit.leastStraightness {
      self = .transmission
    } else {
      self = shape >= 0.95 ? .mildSelection : .strongSelection
    }
  }
}

extension WeibullFit {
  /// R^2 below which two parameters do not describe the weights, and `MagnitudeMetrics` should be read instead.
  public static let leastStraightness = 0.95

  /// The regime that the shape stands for; the limits are meant for `MagnitudeTrim.middle80`.
  public func regime(atInitialization: Bool = false) -> WeibullRegime {
    WeibullRegime(shape: shape, rSquared: rSquared, atInitialization: atInitialization)
  }
}
