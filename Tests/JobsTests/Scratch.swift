import FileFormats
import Foundation
import Tensors

/// A folder for one test, gone when the test is.
final class Scratch: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "apus-jobs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
  var contents: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

  /// A small transformer: two layers whose weights have low rank plus noise, embeddings, norms, and integers.
  func checkpoint(_ name: String = "model.safetensors", type: StoredType = .float32) throws -> String {
    var random = RandomStream(seed: 3)
    func weight(_ rows: Int, _ columns: Int, rank: Int) -> Tensor<Float> {
      let left: Tensor<Float> = random.normal([rows, rank])
      let right: Tensor<Float> = random.normal([rank, columns])
      return left.matmul(right) * (0.1 / Float(rank).squareRoot()) + random.normal([rows, columns]) * 0.005
    }
    var tensors: [(name: String, tensor: AnyTensor)] = [
      ("embed_tokens.weight", AnyTensor(random.normal([200, 48], of: Float.self))),
      ("position_ids", AnyTensor(Tensor<Int>(0..<16))),
    ]
    for layer in 0..<2 {
      for part in ["q_proj", "k_proj", "v_proj", "o_proj"] {
        tensors.append(("layers.\(layer).self_attn.\(part).weight", AnyTensor(weight(48, 48, rank: 4 + 4 * layer))))
      }
      tensors.append(("layers.\(layer).mlp.up_proj.weight", AnyTensor(weight(96, 48, rank: 12))))
      tensors.append(("layers.\(layer).mlp.down_proj.weight", AnyTensor(weight(48, 96, rank: 12))))
      tensors.append(("layers.\(layer).norm.weight", AnyTensor(Tensor<Float>.ones([48]))))
    }
    try writeSafetensors(tensors, to: file(name), as: type, metadata: ["format": "pt"])
    return file(name)
  }
}
