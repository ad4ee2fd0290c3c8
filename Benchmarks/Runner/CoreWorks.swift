// The core: products, element-wise functions, reductions, sorting, copies, random numbers.

import FileFormats
import Tensors

/// A normal matrix under a name both sides know; written once.
func normal<Scalar: RealScalar & StorableScalar>(_ shape: [Int], _ inputs: Inputs, seed: UInt64 = 1) throws -> Tensor<
  Scalar
> {
  var random = RandomStream(seed: seed)
  let x: Tensor<Scalar> = random.normal(shape)
  let type = MemoryLayout<Scalar>.size == 4 ? "f32" : "f64"
  let name = "\(inputs.folder)/normal-\(type)-\(shape.map(String.init).joined(separator: "x"))-\(seed).npy"
  try writeNPY(x, to: name)
  return x
}

private func products<Scalar: RealScalar & StorableScalar>(_: Scalar.Type, _ type: String) -> [Work] {
  let isSingle = MemoryLayout<Scalar>.size == 4
  let square = [32, 64, 256, 1_024, 2_048].map { (n: Int) -> Work in
    let flops = 2 * Double(n * n * n)
    let floor: Floor = isSingle ? .flopsSingle(flops) : .flopsDouble(flops)
    return Work("gemm \(type) \(n)", bound: 1.05, floor: floor) { inputs in
      let a: Tensor<Scalar> = try normal([n, n], inputs)
      let b: Tensor<Scalar> = try normal([n, n], inputs, seed: 2)
      return { keep(a.matmul(b)) }
    }
  }
  func floor(_ flops: Double) -> Floor { isSingle ? .flopsSingle(flops) : .flopsDouble(flops) }
  let batched = Work("batched-gemm \(type) 512 32", bound: 1.05, floor: floor(2 * 512 * 32_768)) { inputs in
    let a: Tensor<Scalar> = try normal([512, 32, 32], inputs)
    let b: Tensor<Scalar> = try normal([512, 32, 32], inputs, seed: 2)
    return { keep(a.matmul(b)) }
  }
  let gram = Work("gram \(type) 1024", bound: 1.05, floor: floor(1_024 * 1_024 * 1_024)) { inputs in
    let a: Tensor<Scalar> = try normal([1_024, 1_024], inputs)
    return { keep(a.multipliedByOwnTranspose()) }
  }
  return square + [batched, gram]
}

private func elementwise<Scalar: RealScalar & StorableScalar>(_: Scalar.Type, _ type: String) -> [Work] {
  typealias Function = @Sendable (Tensor<Scalar>, Tensor<Scalar>) -> Tensor<Scalar>
  let functions: [(String, Double, Function)] = [
    ("add", 3, { $0 + $1 }), ("multiply-add", 3, { $0.multiplyAdd($1, $0) }), ("exp", 2, { x, _ in x.exp() }),
    ("log", 2, { x, _ in x.log() }), ("tanh", 2, { x, _ in x.tanh() }), ("erf", 2, { x, _ in x.erf() }),
    ("sigmoid", 2, { x, _ in x.sigmoid() }), ("pow", 3, { $0.power($1) }),
  ]
  let bytes = Double(MemoryLayout<Scalar>.size)
  return functions.flatMap { name, passes, function in
    [10_000, 1_000_000, 10_000_000].map { n in
      Work("\(name) \(type) \(n)", bound: 1.0, floor: n > 1_000_000 ? .bytes(passes * bytes * Double(n)) : nil) {
        inputs in
        let x: Tensor<Scalar> = try normal([n], inputs).absolute()
        let y: Tensor<Scalar> = try normal([n], inputs, seed: 2)
        return { keep(function(x, y)) }
      }
    }
  }
}

private func reductions<Scalar: RealScalar & StorableScalar>(_: Scalar.Type, _ type: String) -> [Work] {
  typealias Function = @Sendable (Tensor<Scalar>) -> Tensor<Scalar>
  // How often the matrix is read or written.
  let functions: [(String, Double, Function)] = [
    ("sum", 1, { $0.sum() }), ("sum-rows", 1, { $0.sum(axis: 1) }), ("sum-columns", 1, { $0.sum(axis: 0) }),
    ("max", 1, { $0.maximum() }), ("max-rows", 1, { $0.maximum(axis: 1) }), ("max-columns", 1, { $0.maximum(axis: 0) }),
    ("logsumexp", 1, { $0.logSumExp(axis: 1) }), ("softmax", 2, { $0.softmax(axis: 1) }),
    ("variance", 1, { $0.variance(axis: 1) }), ("cumsum", 2, { $0.cumulativeSum(axis: 1) }),
  ]
  let bytes = Double(MemoryLayout<Scalar>.size) * 2_000 * 2_000
  return functions.map { name, passes, function in
    Work("\(name) \(type) 2000", bound: 1.0, floor: .bytes(passes * bytes)) { inputs in
      let x: Tensor<Scalar> = try normal([2_000, 2_000], inputs)
      return { keep(function(x)) }
    }
  }
}

private var orders: [Work] {
  [
    Work("sort f32 1000000", bound: 1.0, floor: .bytes(8e6)) { inputs in
      let x: Tensor<Float> = try normal([1_000_000], inputs)
      return { keep(x.sorted()) }
    },
    Work("argsort f32 1000000", bound: 1.0, floor: .bytes(12e6)) { inputs in
      let x: Tensor<Float> = try normal([1_000_000], inputs)
      return { keep(x.argsort()) }
    },
    Work("top-64 f32 1000000", bound: 1.0, floor: .bytes(4e6)) { inputs in
      let x: Tensor<Float> = try normal([1_000_000], inputs)
      return { keep(x.topK(64)) }
    },
    Work("gather f32 1000000", bound: 1.0, floor: .bytes(16e6)) { inputs in
      let x: Tensor<Float> = try normal([1_000_000], inputs)
      let indices = try indices(1_000_000, inputs)
      return { keep(x.gathered(indices)) }
    },
    Work("scatter-add f32 1000000", bound: 1.0, floor: .bytes(20e6)) { inputs in
      let x: Tensor<Float> = try normal([1_000_000], inputs)
      let indices = try indices(1_000_000, inputs)
      let zeros = Tensor<Float>.zeros([1_000_000])
      return { keep(zeros.scatterAdded(x, at: indices)) }
    },
    Work("transpose f32 4096", bound: 1.0, floor: .bytes(8 * 4_096 * 4_096)) { inputs in
      let x: Tensor<Float> = try normal([4_096, 4_096], inputs)
      return { keep(x.transposed.dense) }
    },
    Work("broadcast-add f32 2000", bound: 1.0, floor: .bytes(8 * 2_000 * 2_000)) { inputs in
      let x: Tensor<Float> = try normal([2_000, 2_000], inputs)
      let y: Tensor<Float> = try normal([2_000], inputs)
      return { keep(x + y) }
    },
    Work("small-add f32 8", bound: 0.2) { inputs in
      let x: Tensor<Float> = try normal([8], inputs)
      return { keep(x + x) }
    },
    Work("random-normal f64 10000000", bound: 1.0, floor: .bytes(8e7)) { _ in
      var random = RandomStream(seed: 1)
      return { keep(random.normal([10_000_000], of: Double.self)) }
    },
  ]
}

private func indices(_ count: Int, _ inputs: Inputs) throws -> Tensor<Int> {
  var random = RandomStream(seed: 3)
  let indices = random.integers([count], in: 0..<count)
  try writeNPY(indices, to: "\(inputs.folder)/indices-\(count).npy")
  return indices
}

var coreWorks: [Work] {
  products(Float.self, "f32") + products(Double.self, "f64") + elementwise(Float.self, "f32")
    + elementwise(Double.self, "f64") + reductions(Float.self, "f32") + reductions(Double.self, "f64") + orders
}
