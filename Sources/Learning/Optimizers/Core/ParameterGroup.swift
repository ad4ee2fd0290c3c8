// Some parameters that are treated differently: another learning rate, no weight decay.

/// Which parameters have a learning rate or weight decay of their own.
///
/// An optimizer asks its groups in order and takes the first that contains a parameter; what the group leaves open, and
/// every parameter in no group, follows the optimizer.
///
/// ```swift
/// var optimizer = AdamW<Float>(
///   learningRate: 3e-4, weightDecay: 0.1,
///   groups: [.vectors(weightDecay: 0), ParameterGroup(matching: "head.*", learningRate: 1e-3)])
/// ```
public struct ParameterGroup: Sendable {
  /// Instead of the optimizer's; nil leaves it.
  public var learningRate: Double?
  /// Instead of the optimizer's; nil leaves it.
  public var weightDecay: Double?
  private let condition: @Sendable (_ name: String, _ shape: [Int]) -> Bool

  /// The parameters whose names satisfy a condition.
  public init(
    where condition: @escaping @Sendable (_ name: String) -> Bool, learningRate: Double? = nil,
    weightDecay: Double? = nil
  ) {
    self.init(condition: { name, _ in condition(name) }, learningRate: learningRate, weightDecay: weightDecay)
  }

  /// The parameters whose names match one of the patterns; `*` stands for any characters, none included.
  public init(matching patterns: String..., learningRate: Double? = nil, weightDecay: Double? = nil) {
    let patterns = patterns.map(NamePattern.init)
    self.init(
      condition: { name, _ in patterns.contains { $0.matches(name) } }, learningRate: learningRate,
      weightDecay: weightDecay)
  }

  /// Every parameter with fewer than two axes: biases, and the scales and shifts of normalisations.
  public static func vectors(learningRate: Double? = nil, weightDecay: Double? = nil) -> ParameterGroup {
    ParameterGroup(condition: { _, shape in shape.count < 2 }, learningRate: learningRate, weightDecay: weightDecay)
  }

  private init(
    condition: @escaping @Sendable (String, [Int]) -> Bool, learningRate: Double?, weightDecay: Double?
  ) {
    self.condition = condition
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }

  public func contains(_ name: String, shape: [Int]) -> Bool { condition(name, shape) }
}

extension [ParameterGroup] {
  /// What holds for a parameter: its group's settings, or else these.
  func setting<Scalar>(
    of entry: ParameterMemory<Scalar>.Entry, learningRate: Double, weightDecay: Double
  ) -> (learningRate: Double, weightDecay: Double) {
    let group = first { $0.contains(entry.name, shape: entry.shape) }
    return (group?.learningRate ?? learningRate, group?.weightDecay ?? weightDecay)
  }
}

/// A name with stars for any characters.
struct NamePattern: Sendable {
  private let parts: [String]

  init(_ pattern: String) {
    parts = pattern.split(separator: "*", omittingEmptySubsequences: false).map(String.init)
  }

  func matches(_ name: String) -> Bool {
    guard parts.count > 1 else { return name == parts[0] }
    guard name.hasPrefix(parts[0]) else { return false }
    var rest = name.dropFirst(parts[0].count)
    for part in parts[1..<(parts.count - 1)] where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return rest.hasSuffix(parts[parts.count - 1])
  }
}
