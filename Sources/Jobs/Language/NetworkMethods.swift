import CatalogueCore
public import Compression

/// The methods that compress the layers of a network, by their ids.
public enum NetworkMethods {
  /// In the order in which a frontier shows them.
  public static let ids = ["svd", "welore", "concat-svd", "whitened-svd", "fwsvd", "saes-svd", "cospadi"]

  /// - Throws: `UsageError` for an id that is none of ``ids``.
  public static func compressor(_ id: String) throws -> any NetworkCompressor {
    switch id {
    // The same share of every matrix's numbers, as the methods that look at data keep it.
    case "svd": return SAESSVD(mode: .plain)
    case "whitened-svd": return SAESSVD(mode: .whitened)
    case "welore": return PlannedCompression(WeLore())
    case "concat-svd": return PlannedCompression(ConcatenatedSVD())
    case "fwsvd": return FWSVD()
    case "saes-svd": return SAESSVD()
    case "cospadi": return CoSpaDi()
    default: throw UsageError(noSuch: "way '\(id)' to compress a network", id, among: ids)
    }
  }
}
