// One row of the results: ours beside the best peer.

struct Row: Codable {
  enum Unit: String, Codable {
    case milliseconds = "ms"
    case megabytes = "MB"
  }

  var work: String
  var unit: Unit
  var ours = 0.0
  /// The best of the peers.
  var peer: String?
  var theirs: Double?
  var ratio: Double?
  /// The ratio to be reached, if one was set.
  var bound: Double?
  /// The least it can take on this machine, in milliseconds.
  var floor: Double?
  /// The fastest round of either side: what a quiet moment gives.
  var oursFastest: Double?
  var theirsFastest: Double?
  /// Of the results, where they have one: ours and the best peer's.
  var errors: (ours: Double, theirs: Double?)?
  /// Memory after one execution, where `ours` and `theirs` are after ten.
  var oursAfterOne: Double?
  var theirsAfterOne: Double?
  /// What went wrong, by peer: the best peer is then not known.
  var failures: [String: String] = [:]
  /// What `floor` is reckoned from.
  var cost: Floor?

  /// The names of numbers say their unit: `ours_ms` and `peer_ms`, or `ours_mb` and `peer_mb`.
  private enum CodingKeys: String, CodingKey {
    case work, peer, ratio, bound, failures
    case oursMs, peerMs, floorMs, oursFastestMs, peerFastestMs, oursError, peerError
    case oursMb, peerMb, oursAfterOneMb, peerAfterOneMb
  }

  func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: CodingKeys.self)
    try members.encode(unit == .milliseconds ? work : "\(work), memory", forKey: .work)
    try members.encode(peer, forKey: .peer)
    try members.encode(ratio, forKey: .ratio)
    try members.encode(bound, forKey: .bound)
    if !failures.isEmpty { try members.encode(failures, forKey: .failures) }
    try members.encodeIfPresent(errors?.ours, forKey: .oursError)
    try members.encodeIfPresent(errors?.theirs, forKey: .peerError)
    switch unit {
    case .milliseconds:
      try members.encode(ours, forKey: .oursMs)
      try members.encode(theirs, forKey: .peerMs)
      try members.encodeIfPresent(floor, forKey: .floorMs)
      try members.encodeIfPresent(oursFastest, forKey: .oursFastestMs)
      try members.encodeIfPresent(theirsFastest, forKey: .peerFastestMs)
    case .megabytes:
      try members.encode(ours, forKey: .oursMb)
      try members.encode(theirs, forKey: .peerMb)
      try members.encodeIfPresent(oursAfterOne, forKey: .oursAfterOneMb)
      try members.encodeIfPresent(theirsAfterOne, forKey: .peerAfterOneMb)
    }
  }

  init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: CodingKeys.self)
    let name = try members.decode(String.self, forKey: .work)
    let suffix = ", memory"
    unit = name.hasSuffix(suffix) ? .megabytes : .milliseconds
    let isTime = unit == .milliseconds
    work = isTime ? name : String(name.dropLast(suffix.count))
    func number(_ key: CodingKeys) throws -> Double? { try members.decodeIfPresent(Double.self, forKey: key) }
    ours = try members.decode(Double.self, forKey: isTime ? .oursMs : .oursMb)
    theirs = try number(isTime ? .peerMs : .peerMb)
    peer = try members.decodeIfPresent(String.self, forKey: .peer)
    (ratio, bound, floor) = (try number(.ratio), try number(.bound), try number(.floorMs))
    (oursFastest, theirsFastest) = (try number(.oursFastestMs), try number(.peerFastestMs))
    (oursAfterOne, theirsAfterOne) = (try number(.oursAfterOneMb), try number(.peerAfterOneMb))
    errors = try number(.oursError).map { ($0, try number(.peerError)) }
    failures = try members.decodeIfPresent([String: String].self, forKey: .failures) ?? [:]
  }

  init(work: String, unit: Unit, bound: Double?, cost: Floor? = nil) {
    (self.work, self.unit, self.bound, self.cost) = (work, unit, bound, cost)
  }

  mutating func compare(with peer: String, _ theirs: Double) {
    self.peer = peer
    self.theirs = theirs
    ratio = ours / theirs
  }

  /// A target counts as reached only where every peer ran, and with an error no larger than the best peer's.
  var isReached: Bool { bound != nil && ratio != nil && failures.isEmpty && !isMissed }

  var isMissed: Bool {
    guard let ratio, let bound else { return false }
    return !(ratio <= bound) || hasLargerError
  }

  /// Two in a hundred are noise.
  var hasLargerError: Bool {
    guard let errors, let theirs = errors.theirs else { return errors != nil }
    return !(errors.ours <= 1.02 * theirs)
  }

  /// Whether there is a target, but nothing to hold against it, or not everything.
  var isFailed: Bool { bound != nil && (ratio == nil || !failures.isEmpty) }
}
