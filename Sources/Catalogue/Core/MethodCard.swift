/// Everything that a person is told about a method, and that the uniform commands need to know.
public struct MethodCard: Sendable {
  /// The word that names it in commands: small letters, digits and hyphens.
  public var id: String
  /// The module of the API, which is also the domain: "Transport".
  public var module: String
  /// The paper's title.
  public var title: String
  public var paper: Paper
  /// One paragraph: what it does, when to use it, what it costs.
  public var summary: String
  public var inputs: [MethodInput]
  public var parameters: [any MethodParameterDescription]
  public var outputs: [MethodOutput]
  /// A command line that works: "apus run weibull weights=model.safetensors".
  public var example: String
  /// One sentence: what `apus reproduce` measures, and against what.
  public var claim: String
  /// Parts of the specification that are not built yet, a sentence each.
  public var pending: [String]

  public init(
    id: String, module: String, title: String, paper: Paper, summary: String, inputs: [MethodInput],
    parameters: [any MethodParameterDescription] = [], outputs: [MethodOutput] = [], example: String, claim: String,
    pending: [String] = []
  ) {
    self.id = id
    self.module = module
    self.title = title
    self.paper = paper
    self.summary = summary
    self.inputs = inputs
    self.parameters = parameters
    self.outputs = outputs
    self.example = example
    self.claim = claim
    self.pending = pending
  }
}

/// Where a method was published.
public struct Paper: Sendable, Hashable {
  /// As a citation gives them: "Tang et al.", "Ding".
  public var authors: String
  public var year: Int
  /// "ICLR 2024", or nothing.
  public var venue: String
  /// "2401.12253", or nothing.
  public var arXiv: String
  /// "10.1145/...", or nothing.
  public var doi: String

  public init(_ authors: String, _ year: Int, venue: String = "", arXiv: String = "", doi: String = "") {
    self.authors = authors
    self.year = year
    self.venue = venue
    self.arXiv = arXiv
    self.doi = doi
  }

  /// "Tang et al., 2024, ICLR 2024, arXiv 2401.12253"
  public var citation: String {
    var parts = [authors, "\(year)"]
    if !venue.isEmpty { parts.append(venue) }
    if !arXiv.isEmpty { parts.append("arXiv \(arXiv)") }
    if !doi.isEmpty { parts.append("doi \(doi)") }
    return parts.joined(separator: ", ")
  }

  /// The page of the paper, if it has a known one.
  public var link: String? {
    if !arXiv.isEmpty { return "https://arxiv.org/abs/\(arXiv)" }
    return doi.isEmpty ? nil : "https://doi.org/\(doi)"
  }
}

/// Data that a method takes from files, given as `name=file`. It is also the key that reads them.
public struct MethodInput: Sendable {
  public enum Kind: Sendable, Hashable {
    /// One array: a `.npy`, `.csv`, `.tsv` or `.mtx` file, or the only array of a `.npz` or `.safetensors` file.
    case array(ShapePattern)
    /// Named arrays: a `.npz` or `.safetensors` file, a sharded checkpoint's index, a folder, or several files.
    case tensors
    /// A matrix by its entries: a `.mtx` file, or the entries that are not zero of any other array file.
    case sparse(ShapePattern)
  }

  public let name: String
  public let meaning: String
  public let kind: Kind
  public let isRequired: Bool

  /// One array of a known shape.
  public init(_ name: String, _ meaning: String, shape: ShapePattern, isRequired: Bool = true) {
    self.name = name
    self.meaning = meaning
    self.kind = .array(shape)
    self.isRequired = isRequired
  }

  /// Any number of named arrays, as in a checkpoint.
  public init(tensors name: String, _ meaning: String, isRequired: Bool = true) {
    self.name = name
    self.meaning = meaning
    self.kind = .tensors
    self.isRequired = isRequired
  }

  /// A matrix of which most entries may be zero, and which is never written out with its zeros.
  public init(sparse name: String, _ meaning: String, shape: ShapePattern, isRequired: Bool = true) {
    self.name = name
    self.meaning = meaning
    self.kind = .sparse(shape)
    self.isRequired = isRequired
  }

  /// The shape as a person reads it.
  public var shapeText: String {
    switch kind {
    case .array(let shape): shape.description
    case .tensors: "named arrays"
    case .sparse(let shape): "\(shape), sparse"
    }
  }
}

/// An array that a method computes, and that `-o` writes.
public struct MethodOutput: Sendable {
  public let name: String
  public let meaning: String
  public let shape: String

  public init(_ name: String, _ meaning: String, shape: String) {
    self.name = name
    self.meaning = meaning
    self.shape = shape
  }
}
