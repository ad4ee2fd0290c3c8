import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

/// `apus solve` along directions of a network, and what it says of its errors.
@Suite struct SolveTests {
  private let folder = TemporaryFolder()

  /// The five-point Laplacian on h x w cells, of which those outside `inside` are left out, as a file.
  private func laplacian(_ h: Int, _ w: Int, named name: String, inside: (Int) -> Bool = { _ in true }) throws -> String
  {
    let cells = (0..<h * w).filter(inside)
    let numbers = Dictionary(uniqueKeysWithValues: zip(cells, 1...))
    var lines: [String] = []
    for cell in cells {
      let (i, j) = (cell / w, cell % w)
      lines.append("\(numbers[cell] ?? 0) \(numbers[cell] ?? 0) 4")
      let around = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
      for (y, x) in around where (0..<h).contains(y) && (0..<w).contains(x) {
        if let other = numbers[y * w + x] { lines.append("\(numbers[cell] ?? 0) \(other) -1") }
      }
    }
    let path = folder.file(name)
    try
      ("%%MatrixMarket matrix coordinate real general\n\(cells.count) \(cells.count) \(lines.count)\n"
      + lines.joined(separator: "\n") + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private func solved(_ words: String...) throws -> [String: Any] {
    let outcome = try Apus.run(["solve"] + words + ["--json"])
    #expect(outcome.status == 0 && outcome.complaints.isEmpty, "\(words): \(outcome)")
    return try #require(try outcome.json() as? [String: Any])
  }

  @Test func alongDirectionsOfTheNetwork() throws {
    let matrix = try laplacian(24, 20, named: "a.mtx")
    let (side, output) = (folder.file("b.npy"), folder.file("x.npy"))
    var random = RandomStream(seed: 3)
    try writeArray(random.normal([24, 20], of: Double.self), to: side)
    let gradients = try solved(matrix, side, "--method", "cg")
    let found = try solved(matrix, side, "--method", "dcdm", "-o", output)
    let iterations = try #require(found["iterations"] as? Int)
    #expect(try iterations < #require(gradients["iterations"] as? Int) / 2)
    #expect(found["grid"] as? [Int] == [24, 20] && found["fallbacks"] as? Int == 0)
    #expect(try #require(found["relative_residual"] as? Double) <= 1e-8)
    // Both are as near to the solution as they say.
    let x = try readMatrix(output)
    #expect(x.shape == [24, 20])
    let bound = try #require(found["error_bound"] as? Double)
    let exact = folder.file("exact.npy")
    _ = try solved(matrix, side, "--method", "amg", "--tolerance", "1e-13", "-o", exact)
    #expect(try distance(x, readMatrix(exact)) <= bound && bound < 1e-4)
    #expect(try solved(matrix, side, "--method", "dcdm", "--grid", "24x20")["iterations"] as? Int == iterations)
    #expect(try Apus.run(["solve", matrix, side, "--method", "dcdm", "--iterations", "2"]).status == 1)
    #expect(try solved(matrix, side, "--no-error-bound")["error_bound"] == nil)
  }

  @Test func domainsAndOwnWeights() throws {
    // An L, whose cells alone are unknowns.
    let inside = (0..<256).map { $0 / 16 < 8 || $0 % 16 < 8 }
    let matrix = try laplacian(16, 16, named: "l.mtx") { inside[$0] }
    let (side, mask, load) = (folder.file("b.npy"), folder.file("mask.npy"), folder.file("load.npy"))
    try writeArray(Tensor<Double>.ones([192]), to: side)
    try writeArray(Tensor(shape: [16, 16], scalars: inside.map { $0 ? 1.0 : 0 }), to: mask)
    let found = try solved(matrix, side, "--method", "dcdm", "--mask", mask)
    #expect(try #require(found["relative_residual"] as? Double) <= 1e-8)
    try writeArray(Tensor<Double>.ones([16, 16]), to: load)
    let trained = folder.file("trained.npz")
    #expect(
      try Apus.run(["run", "deep-conjugate-direction", "load=\(load)", "--train", "3", "-o", trained]).status == 0)
    let own = try solved(matrix, side, "--method", "dcdm", "--mask", mask, "--model", trained)
    #expect(try #require(own["relative_residual"] as? Double) <= 1e-8)
  }

  @Test func whatCannotBeDoneIsSaid() throws {
    let band = try laplacian(1, 30, named: "band.mtx")
    let side = folder.file("b.npy")
    try writeArray(Tensor<Double>.ones([30]), to: side)
    let refused = try Apus.run(["solve", band, side, "--method", "dcdm"])
    #expect(refused.status != 0 && refused.complaints.contains("--method amg, cg or sor"), "\(refused)")
    for words in [
      ["--method", "dcdm", "--grid", "5x5"], ["--method", "dcdm", "--grid", "30"], ["--grid", "5x6"],
      ["--method", "cg", "--relaxation", "1.2"], ["--method", "dcdm", "--grid", "2x3x5"],
      ["--method", "dcdm", "--grid", "5x6", "--tolerance", "0"],
      ["--method", "dcdm", "--grid", "5x6", "--model", side],
    ] {
      let outcome = try Apus.run(["solve", band, side] + words)
      #expect(outcome.status != 0 && outcome.complaints.contains("apus: "), "\(words): \(outcome)")
    }
    // Not definite: the exit code and the reason.
    let indefinite = folder.file("i.mtx")
    try "%%MatrixMarket matrix coordinate real general\n2 2 4\n1 1 -2\n2 2 -2\n1 2 1\n2 1 1\n"
      .write(toFile: indefinite, atomically: true, encoding: .utf8)
    let two = folder.file("two.npy")
    try writeArray(Tensor<Double>([0, 1]), to: two)
    let stopped = try Apus.run(["solve", indefinite, two, "--method", "dcdm", "--grid", "1x2"])
    #expect(stopped.status == 1 && stopped.output.contains("not positive definite"), "\(stopped)")
  }
}
