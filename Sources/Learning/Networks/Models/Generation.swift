// Text from a language model: one token at a time, drawn from the distribution that the model gives.

public import Tensors

/// How the next token is drawn.
public struct TokenSampling: Sendable, Hashable {
  /// Divides the scores: below one the likely tokens gain, at zero the likeliest is taken.
  public var temperature: Double
  /// Only the `topK` likeliest tokens can be drawn.
  public var topK: Int?
  /// Only the likeliest tokens can be drawn, as many as are needed for this probability together (Holtzman et al.,
  /// ICLR 2020).
  public var topP: Double?

  public init(temperature: Double = 1, topK: Int? = nil, topP: Double? = nil) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
  }

  func validate() throws {
    guard temperature >= 0, temperature.isFinite else {
      throw InvalidArgument("temperature", found: "\(temperature)", wanted: "a finite number that is not negative")
    }
    if let topK, topK < 1 { throw InvalidArgument("topK", found: "\(topK)", wanted: "at least one") }
    if let topP, !(0 < topP && topP <= 1) {
      throw InvalidArgument("topP", found: "\(topP)", wanted: "a probability in (0, 1]")
    }
  }

  /// A token for `scores`, a vector of logarithms of probabilities up to a constant.
  public func draw<Scalar: RealScalar>(_ scores: Tensor<Scalar>, random: inout RandomStream) throws -> Int {
    try validate()
    try scores.requireFinite("scores")
    if temperature == 0 { return scores.argmax(axis: 0).scalar }
    let order = scores.argsort(axis: 0, descending: true).scalars
    let scaled = Tensor<Double>(scores) / temperature
    let probabilities = scaled.softmax(axis: 0).scalars
    var kept = min(topK ?? order.count, order.count)
    if let topP {
      var total = 0.0
      let needed = order.firstIndex { token in
        total += probabilities[token]
        return total >= topP
      }
      kept = min(kept, needed.map { order.distance(from: 0, to: $0) + 1 } ?? kept)
    }
    let candidates = order.prefix(kept)
    let weights = Tensor<Double>(candidates.map { probabilities[$0] })
    return order[try random.categorical([], weights: weights).scalar]
  }
}

extension GPT {
  /// The `count` tokens that follow `prompt`.
  ///
  /// Beyond the model's context the older half of it is forgotten.
  /// - Parameters:
  ///   - sampling: temperature 0 takes the likeliest token each time.
  ///   - isEnd: stops after a token for which this holds.
  /// - Throws: `InvalidArgument` when the prompt is empty or has a token beyond the vocabulary, or the scores are not
  ///   finite; `CancellationError`.
  /// - Complexity: O(count · (parameters + context)) by a cache of keys and values.
  public func generate(
    _ prompt: [Int], count: Int, sampling: TokenSampling = TokenSampling(), random: inout RandomStream,
    progress: WorkProgress = .silent, until isEnd: (Int) -> Bool = { _ in false }
  ) throws -> [Int] {
    guard let bad = prompt.first(where: { !(0..<configuration.vocabulary).contains($0) }) ?? (prompt.isEmpty ? -1 : nil)
    else { return try continued(prompt, count, sampling, &random, progress, isEnd) }
    throw InvalidArgument(
      "prompt", found: prompt.isEmpty ? "no tokens" : "token \(bad)",
      wanted: "at least one token, each below \(configuration.vocabulary)")
  }

  private func continued(
    _ prompt: [Int], _ count: Int, _ sampling: TokenSampling, _ random: inout RandomStream, _ progress: WorkProgress,
    _ isEnd: (Int) -> Bool
  ) throws -> [Int] {
    let limit = configuration.contextLength
    var all = prompt
    var cache = DecoderCache(for: self)
    var fresh = Array(prompt.suffix(limit))
    for i in 0..<max(count, 0) {
      if cache.count + fresh.count > limit {
        cache = DecoderCache(for: self)
        fresh = Array(all.suffix(max(1, limit / 2)))
      }
      let scores = self(Tensor(fresh).expanded(axis: 0), cache: &cache)
      let token = try sampling.draw(scores[0, fresh.count - 1], random: &random)
      all.append(token)
      fresh = [token]
      try progress.report(i + 1, of: count)
      if isEnd(token) { break }
    }
    return Array(all.dropFirst(prompt.count))
  }
}
