import FileFormats
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// What Tests/Reference/vision.py wrote: values of PyTorch in double precision.
struct VisionReference {
  let tensors: [String: Tensor<Double>]

  init(_ name: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let checkpoint = try Checkpoint(folder.appendingPathComponent("Reference/vision_\(name).safetensors").path)
    var tensors: [String: Tensor<Double>] = [:]
    for entry in checkpoint.entries { tensors[entry.name] = try checkpoint.tensor(named: entry.name) }
    self.tensors = tensors
  }

  subscript(name: String) -> Tensor<Double> { tensors[name] ?? Tensor(.nan) }

  /// The tensors whose names start with `prefix` and a dot, without it.
  func group(_ prefix: String) -> [String: Tensor<Double>] {
    var result: [String: Tensor<Double>] = [:]
    for (name, tensor) in tensors where name.hasPrefix(prefix + ".") {
      result[String(name.dropFirst(prefix.count + 1))] = tensor
    }
    return result
  }
}

/// The largest distance between named tensors, and infinity when one is missing on either side.
func distance(_ found: NamedTensors<Double>, _ wanted: [String: Tensor<Double>]) -> Double {
  guard Set(found.names) == Set(wanted.keys) else { return .infinity }
  return zip(found.names, found.tensors).map { distance($1, wanted[$0] ?? Tensor(.nan)) }.max() ?? 0
}

/// The slope of `function` at `x` along `direction` by central differences.
func slope(at x: Tensor<Double>, along direction: Tensor<Double>, of function: (Tensor<Double>) -> Double) -> Double {
  let step = 1e-5
  return (function(x + direction * step) - function(x - direction * step)) / (2 * step)
}

/// How far the first and second derivatives of `function` are from central differences, along random directions.
func derivativeError(
  at x: Tensor<Double>, seed: UInt64 = 1, of function: (Tensor<Double>) -> Tensor<Double>
) -> (first: Double, second: Double) {
  var random = RandomStream(seed: seed)
  let (u, v): (Tensor<Double>, Tensor<Double>) = (random.normal(x.shape), random.normal(x.shape))
  let weights: Tensor<Double> = random.normal(function(x).shape)
  func value(_ x: Tensor<Double>) -> Tensor<Double> { (function(x) * weights).sum() }
  func along(_ x: Tensor<Double>) -> Tensor<Double> { (gradient(at: x, of: value) * u).sum() }
  let first = abs(along(x).scalar - slope(at: x, along: u) { value($0).scalar })
  let second = abs((gradient(at: x, of: along) * v).sum().scalar - slope(at: x, along: v) { along($0).scalar })
  return (first, second)
}
