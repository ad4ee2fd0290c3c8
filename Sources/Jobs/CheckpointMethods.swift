import CatalogueCore
public import Compression

/// The methods by which checkpoints are compressed, by their ids.
public enum CheckpointMethods {
  public static let ids = ["svd", "welore", "concat-svd"]

  /// - Throws: `UsageError` for an id that is none of ``ids``.
  public static func compressor(_ id: String) throws -> any CheckpointCompressor {
    switch id {
    case "svd": TruncatedSVD()
    case "welore": WeLore()
    case "concat-svd": ConcatenatedSVD()
    default: throw UsageError(noSuch: "way '\(id)' to compress a checkpoint", id, among: ids)
    }
  }
}
