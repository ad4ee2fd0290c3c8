/// What a person is shown: sections of text, facts, tables and figures, as one HTML page or as text on a terminal.
public struct Report: Sendable {
  public var title: String
  /// One sentence under the title: what this report is.
  public var subtitle: String
  public var sections: [Section]
  /// What made it and with which settings: seed, seconds, versions. Stands at the end.
  public var provenance: [Fact]

  public struct Section: Sendable {
    /// The anchor of the section and the word in the index.
    public var id: String
    public var title: String
    /// Whether its checks passed; nothing if it has none.
    public var passed: Bool?
    public var blocks: [Block]

    public init(id: String, title: String, passed: Bool? = nil, blocks: [Block]) {
      self.id = id
      self.title = title
      self.passed = passed
      self.blocks = blocks
    }
  }

  public enum Block: Sendable {
    case text(String)
    case note(String)
    case facts([Fact])
    case table(Table)
    case plot(Plot)
    case checks([Check])
    /// A command line that can be typed again.
    case command(String)
    /// An address on the web, with the words that stand for it.
    case link(String, to: String)
  }

  public init(title: String, subtitle: String = "", sections: [Section] = [], provenance: [Fact] = []) {
    self.title = title
    self.subtitle = subtitle
    self.sections = sections
    self.provenance = provenance
  }
}

extension Report.Section {
  /// What one executed claim shows.
  public init(_ reproduction: Reproduction, _ card: MethodCard) {
    var blocks: [Report.Block] = [.text(card.claim)]
    if let link = card.paper.link {
      blocks.append(.link(card.paper.citation, to: link))
    } else {
      blocks.append(.text(card.paper.citation))
    }
    blocks.append(.checks(reproduction.evidence.checks))
    blocks += reproduction.evidence.notes.map { .note($0) }
    blocks += reproduction.evidence.plots.map { .plot($0) }
    blocks += reproduction.evidence.tables.map { .table($0) }
    blocks += card.pending.map { .note("Not built yet: \($0)") }
    blocks.append(.command(reproduction.command))
    blocks.append(
      .facts([
        Fact("Seconds", (reproduction.seconds * 100).rounded() / 100), Fact("Seed", "\(reproduction.seed)"),
        Fact("Size", reproduction.isFull ? "full" : "quick"),
      ]))
    self.init(id: card.id, title: card.title, passed: reproduction.passed, blocks: blocks)
  }

  /// What one run of a method gave.
  public init(_ outcome: RunOutcome, _ card: MethodCard) {
    var blocks: [Report.Block] = []
    if !outcome.summary.isEmpty { blocks.append(.facts(outcome.summary)) }
    blocks += outcome.notes.map { .note($0) }
    blocks += outcome.plots.map { .plot($0) }
    blocks += outcome.tables.map { .table($0) }
    self.init(id: card.id, title: card.title, blocks: blocks)
  }
}
