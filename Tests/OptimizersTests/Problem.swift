import Foundation
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

/// The problem of Tests/Reference/optimizers.py: a stretched bowl and hills, over three tensors.
struct Problem<Scalar: RealScalar>: Module {
  struct Layer: Module {
    var weight: Tensor<Scalar>
    var bias: Tensor<Scalar>

    mutating func visit(_ visitor: Visitor<Scalar>) {
      visitor.parameter("weight", &weight)
      visitor.parameter("bias", &bias)
    }
  }

  var layer: Layer
  var scale: Tensor<Scalar>

  init() {
    let weight = Self.matrix { i, j in sin(1.3 * i + 0.7 * j) }
    layer = Layer(weight: weight, bias: Tensor((0..<3).map { Scalar(cos(Double($0) + 0.5)) }))
    scale = Tensor([0.3])
  }

  mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("layer", &layer)
    visitor.parameter("scale", &scale)
  }

  var loss: Tensor<Scalar> {
    let stretch = Self.matrix { i, j in 0.2 + i + 0.5 * j }
    let centre = Self.matrix { i, j in cos(i * j + 1) }
    let x = Tensor((0..<4).map { Scalar(sin(Double($0) + 1)) })
    let bowl = (stretch * (layer.weight - centre).squared()).sum() * 0.5
    let hills = (layer.bias * 2 + scale).cos().sum()
    let quartic = (layer.weight.matmul(x) - layer.bias).squared().squared().sum() * 0.1
    return bowl + hills + quartic / (scale[0].squared() + 1)
  }

  /// Every parameter, one behind the other.
  var numbers: [Double] { parameters.tensors.flatMap { $0.scalars.map(Double.init) } }

  private static func matrix(_ entry: (Double, Double) -> Double) -> Tensor<Scalar> {
    Tensor((0..<3).map { i in (0..<4).map { j in Scalar(entry(Double(i), Double(j))) } })
  }
}

extension Optimizer where Scalar == Double {
  /// `steps` further steps on the problem; `prepare` may clip the gradient.
  mutating func run(
    _ model: inout Problem<Double>, steps: Range<Int>, schedule: Schedule = .constant,
    prepare: (inout NamedTensors<Double>) -> Void = { _ in }
  ) {
    for step in steps {
      var gradient = model.valueAndGradient { $0.loss }.gradient
      prepare(&gradient)
      update(&model, along: gradient, rateFactor: schedule(step))
    }
  }
}

/// Tests/Reference/optimizers.json.
struct Reference: Decodable {
  struct Search: Decodable {
    var parameters: [Double]
    var evaluations: Int
  }

  var trajectories: [String: [String: [Double]]]
  var schedules: [String: [Double]]
  var lbfgs: [String: [Search]]

  static func load() throws -> Reference {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appending(path: "Reference/optimizers.json")
    return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
  }
}

/// The largest difference of two lists of numbers.
func distance(_ a: [Double], _ b: [Double]) -> Double {
  TestSupport.distance(Tensor(a), Tensor(b))
}
