// Linear algebra, and reading files.

import FileFormats
import Foundation
import LinearAlgebra
import Tensors

private let sizes = [32, 128, 512, 1_024]

private func decompositions() -> [Work] {
  typealias Task = (Tensor<Double>, Tensor<Double>) throws -> Void
  // Flops as multiples of n³: reductions and back-transformations, without the iteration in between; of eig, with it
  // (Golub and Van Loan's count).
  let tasks: [(name: String, flops: Double, task: Task)] = [
    ("svd", 20 / 3, { a, _ in keep(try SingularValueDecomposition(of: a)) }),
    ("eigh", 10 / 3, { a, _ in keep(try SymmetricEigendecomposition(of: a)) }),
    ("eig", 25, { a, _ in keep(try Eigendecomposition(of: a)) }),
    ("qr", 8 / 3, { a, _ in keep(try QRDecomposition(of: a)) }),
    ("cholesky", 1 / 3, { a, _ in keep(try CholeskyDecomposition(of: a)) }),
    ("solve", 8 / 3, { a, b in keep(try a.solve(b)) }),
  ]
  return tasks.flatMap { name, flops, task in
    sizes.map { n in
      let floor: Floor? = n < 512 ? nil : .flopsDouble(flops * Double(n * n * n))
      return Work("\(name) f64 \(n)", bound: 1.05, floor: floor) { inputs in
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
  // Sixteen products with 74 vectors.
  Work("randomized-svd f32 4096 64", bound: 0.8, floor: .flopsSingle(2 * 16 * 74 * 4_096 * 4_096)) { inputs in
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
  let attributes = try? FileManager.default.attributesOfItem(atPath: path)
  let bytes = (attributes?[.size] as? Int).map { Floor.bytes(Double($0)) }
  return Work("read-checkpoint \(path)", bound: 1.0, floor: bytes) { _ in
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

/// What SciPy has and PyTorch has not, but for the exponential.
private var equations: [Work] {
  [
    Work("expm f64 256", bound: 1.05) { inputs in
      let a: Tensor<Double> = try normal([256, 256], inputs) / 16
      return { keep(try a.matrixExponential()) }
    },
    Work("sylvester f64 256", bound: 1.05) { inputs in
      let a: Tensor<Double> = try normal([256, 256], inputs)
      let b: Tensor<Double> = try normal([256, 256], inputs, seed: 2)
      let c: Tensor<Double> = try normal([256, 256], inputs, seed: 3)
      return { keep(try SylvesterEquation(a, b).solve(c)) }
    },
    Work("assignment f64 512", bound: 1.0) { inputs in
      let costs: Tensor<Double> = try normal([512, 512], inputs)
      return { keep(try AssignmentSolver().solve(costs)) }
    },
    Work("nnls f64 256", bound: 1.0) { inputs in
      let a: Tensor<Double> = try normal([512, 256], inputs)
      let b: Tensor<Double> = try normal([512], inputs)
      return { keep(try NonNegativeLeastSquares().solve(a, b)) }
    },
  ]
}

var algebraWorks: [Work] { decompositions() + [randomized] + equations }
