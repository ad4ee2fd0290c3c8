import Convolutions
import Foundation
import Tensors
import TestSupport
import Testing

/// What Tests/Reference/convolutions.py wrote: functions of sin(1), sin(2), ..., and the gradient of their sum weighted
/// likewise.
private struct Case: Decodable {
  let name: String
  let shape, result: [Int]
  let value, gradient: [Double]

  static func load() throws -> [Case] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/convolutions.json")
    return try JSONDecoder().decode([Case].self, from: Data(contentsOf: file))
  }
}

private func pattern(_ shape: [Int]) -> Tensor<Double> {
  Tensor(shape: shape, scalars: (0..<shape.reduce(1, *)).map { sin(Double($0 + 1)) })
}

@Suite struct ReferenceTests {
  @Test func valuesAndGradientsArePyTorchs() throws {
    let cases = try Case.load()
    #expect(cases.count > 50)
    for problem in cases {
      let x = pattern(problem.shape)
      let (value, gradients) = vectorJacobianProduct(at: [x]) {
        apply(problem.name, to: $0[0])
      } direction: {
        pattern($0.shape)
      }
      let wanted = Tensor(shape: problem.result, scalars: problem.value)
      #expect(distance(value, wanted) < 1e-10, "\(problem.name) of shape \(problem.shape)")
      let slope = Tensor(shape: problem.shape, scalars: problem.gradient)
      #expect(distance(gradients[0], slope) < 1e-10, "gradient of \(problem.name) of shape \(problem.shape)")
    }
  }

  private func apply(_ name: String, to x: Tensor<Double>) -> Tensor<Double> {
    let axes = x.rank - 2
    let channels = x.shape[1]
    let kernel = Array([3, 2, 2].prefix(axes))
    let b = pattern([4])
    let words = name.split(separator: " ")
    let isAligned = words.last == "aligned"
    switch words[0] {
    case "convolution":
      return x.convolved(
        with: pattern([4, channels] + kernel), bias: b, ConvolutionOptions(stride: 2, padding: 1, dilation: 2))
    case "transpose":
      return x.transposeConvolved(
        with: pattern([channels, 4] + kernel), bias: b, ConvolutionOptions(stride: 2, padding: 1), outputPadding: 1)
    case "maximum":
      if words.count == 1 { return x.maximumPooled(window: 3, stride: 2, padding: 1) }
      // Rounding has no derivative; the value shows the ties' maxima.
      return (x * 2).rounded().maximumPooled(window: 3, stride: 1, padding: 1) + x.sum() * 0
    case "average":
      return x.averagePooled(window: 3, stride: 2, padding: 1, countingPadding: words.count == 1)
    case "adaptive":
      return words[1] == "average" ? x.adaptiveAveragePooled(to: 3) : x.adaptiveMaximumPooled(to: 3)
    case "nearest": return x.resampled(to: Int(words[2]) ?? 0, by: .nearest)
    case "linear":
      if words[1] == "by" { return x.resampled(scale: 1.7) }
      return x.resampled(to: Int(words[2]) ?? 0, by: .linear, aligningCorners: isAligned)
    case "cubic": return x.resampled(to: Int(words[2]) ?? 0, by: .cubic, aligningCorners: isAligned)
    case "reflecting": return x.padded([(before: Int, after: Int)](repeating: (1, 2), count: axes), by: .reflecting)
    case "replicating": return x.padded([(before: Int, after: Int)](repeating: (1, 2), count: axes), by: .replicating)
    case "wrapping": return x.padded([(before: Int, after: Int)](repeating: (1, 2), count: axes), by: .wrapping)
    case "unfolded": return x.unfolded(window: [3, 2], stride: 2, padding: 1)
    default: preconditionFailure("no function is named \(name)")
    }
  }
}
