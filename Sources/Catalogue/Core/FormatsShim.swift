import Foundation
public import Tensors

public typealias StorableScalar = RealScalar
public struct AnyTensor: Sendable {
  let tensor: Tensor<Double>
  public init<S: RealScalar>(_ tensor: Tensor<S>) {
    self.tensor = Tensor<Double>(shape: tensor.shape, scalars: tensor.scalars.map(\.asDouble))
  }
  public var shape: [Int] { tensor.shape }
  public func real<S: RealScalar>(as: S.Type) -> Tensor<S> {
    Tensor<S>(shape: tensor.shape, scalars: tensor.scalars.map { S(clamping: $0) })
  }
  public func asInt(_ name: String) throws -> Tensor<Int> {
    Tensor<Int>(shape: tensor.shape, scalars: tensor.scalars.map { Int($0) })
  }
}
func readArray(_ path: String, of input: String) throws -> AnyTensor {
  let text = try String(contentsOfFile: path, encoding: .utf8)
  let rows = text.split(separator: "\n").map { $0.split(separator: ",").map { Double($0) ?? .nan } }
  return AnyTensor(Tensor(rows))
}
public struct TensorCollection: Sendable {
  public let names: [String]
  let all: [String: AnyTensor]
  init(paths: [String], of input: String) throws {
    names = paths
    all = try Dictionary(uniqueKeysWithValues: paths.map { ($0, try readArray($0, of: input)) })
  }
}
