// Linear algebra, and reading files.

import FileFormats
import LinearAlgebra
import Tensors

private let sizes = [32, 128, 512, 1_024]

private func decompositions() -> [Work] {
  typealias Task = (Tensor<Double>, Tensor<Double>) throws -> Void
  let tasks: [(name: String, task: Task)] = [
    ("svd", { a, _ in keep(try SingularValueDecomposition(of: a)) }),
    ("eigh", { a, _ in keep(try SymmetricEigendecomposition(of: (a + a.transposed) / 2)) }),
    ("eig", { a, _ in keep(try Eigendecomposition(of: a)) }),
    ("qr", { a, _ in keep(try QRDecomposition(of: a)) }),
    ("cholesky", { a, _ in keep(try CholeskyDecomposition(of: a)) }),
    ("solve", { a, b in keep(try a.solve(b)) }),
  ]
  return tasks.flatMap { name, task in
    sizes.map { n in
      Work("\(name) f64 \(n)", bound: 1.05) { inputs in
        var a: Tensor<Double> = try normal([n, n], inputs)
        let b: Tensor<Double> = try normal([n, n], inputs, seed: 2)
        // The peers lay out the same matrix before their clock starts.
        if name == "eigh" { a = (a + a.transposed) / 2 }
        if name == "cholesky" { a = a.multipliedByOwnTranspose() / Double(n) + .identity(n) }
        return { try task(a, b) }
      }
    }
  }
}

private var randomized: Work {
  Work("randomized-svd f32 4096 64", bound: 0.8) { inputs in
    // Singular values that fall as 1 / (1 + i / 8): a spectrum whose tail matters.
    let n = 4_096
    let u: Tensor<Float> = try normal([n, 256], inputs)
    let v: Tensor<Float> = try normal([n, 256], inputs, seed: 2)
    let decay = 1 / (Tensor<Float>(Tensor<Int>(0..<256)) / 8 + 1)
    let noise: Tensor<Float> = try normal([n, n], inputs, seed: 4)
    let a = (u * decay).matmul(v, transposingB: true) + noise * 0.01
    try writeNPY(a, to: "\(inputs.folder)/decaying-f32-\(n).npy")
    // The peer takes seven power iterations at this rank; with as many, both are equally accurate.
    let method = RandomizedSVD(rank: 64, rangeFinder: RandomizedRangeFinder(powerIterations: 7))
    return {
      var random = RandomStream(seed: 0)
      keep(try method.decompose(a, random: &random))
    }
  }
}

/// Every byte of the sample checkpoint, read and summed.
func readCheckpoint(_ path: String) -> Work {
  Work("read-checkpoint \(path)", bound: 1.0) { _ in
    {
      let checkpoint = try Checkpoint(path)
      var total: Float = 0
      for entry in checkpoint.entries where entry.type == .float32 {
        total += try checkpoint.tensor(named: entry.name, as: Float.self).sum().scalar
      }
      keep(total)
    }
  }
}

var algebraWorks: [Work] { decompositions() + [randomized] }
