import Tensors
import TestSupport
import Testing

@Suite struct MatrixProductTests {
  /// Three loops.
  private func naive(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Tensor<Double> {
    let (m, n, k) = (a.rows, b.columns, a.columns)
    let x = a.scalars
    let y = b.scalars
    return Tensor(
      shape: [m, n],
      scalars: (0..<m * n).map { at in
        (0..<k).reduce(0.0) { $0 + x[at / n * k + $1] * y[$1 * n + at % n] }
      })
  }

  @Test(arguments: 0..<100)
  func productsOfViews(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    func extent() -> Int { Int.random(in: 0...40, using: &generator) }
    let (m, n, k) = (extent(), extent(), extent())
    // Operands as slices of something larger, transposed or not, so that leading dimensions and offsets matter.
    func operand(_ rows: Int, _ columns: Int, transposed: Bool) -> Tensor<Double> {
      let whole: Tensor<Double> = generator.tensor([rows + 2, columns + 3])
      let part = whole[1..<1 + rows, 2..<2 + columns]
      return transposed ? part.transposed.dense.transposed : part
    }
    let a = operand(m, k, transposed: Bool.random(using: &generator))
    let b = operand(k, n, transposed: Bool.random(using: &generator))
    let wanted = naive(a, b)
    #expect(distance(a.matmul(b), wanted) < 1e-12, "seed \(seed)")
    #expect(distance(a.transposed.matmul(b, transposingA: true), wanted) < 1e-12, "seed \(seed)")
    #expect(distance(a.matmul(b.transposed, transposingB: true), wanted) < 1e-12, "seed \(seed)")
    #expect(distance(a.dense.transposed.dense.matmul(b, transposingA: true), wanted) < 1e-12, "seed \(seed)")
    #expect(distance(a.multipliedByOwnTranspose(), naive(a, a.transposed)) < 1e-12, "seed \(seed)")
    #expect(distance(a.multipliedByOwnTranspose(transposing: true), naive(a.transposed, a)) < 1e-12, "seed \(seed)")
  }

  @Test(arguments: 0..<60)
  func productsDoNotDependOnTheNumberOfThreads(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    // Every fourth case has a row or a column for an operand, every fifth is wide.
    let m = seed % 4 == 0 ? 1 : Int.random(in: 1...600, using: &generator)
    let n = seed % 4 == 1 ? 1 : Int.random(in: 1...600, using: &generator) * (seed % 5 == 0 ? 9 : 1)
    let k = Int.random(in: 1...700, using: &generator)
    let (flipsA, flipsB) = (Bool.random(using: &generator), Bool.random(using: &generator))
    let a: Tensor<Double> = generator.tensor(flipsA ? [k, m] : [m, k])
    let b: Tensor<Double> = generator.tensor(flipsB ? [n, k] : [k, n])
    let x = Tensor<Float>(a)
    let y = Tensor<Float>(b)
    func products() -> (Tensor<Double>, Tensor<Float>, Tensor<Double>) {
      (
        a.matmul(b, transposingA: flipsA, transposingB: flipsB),
        x.matmul(y, transposingA: flipsA, transposingB: flipsB), a.multipliedByOwnTranspose()
      )
    }
    let single = withThreads(1, products)
    for count in [2, 3, 4, 7] {
      let several = withThreads(count, products)
      let message: Comment = "\(m) x \(k) x \(n), \(count) threads, transposed \(flipsA) \(flipsB)"
      #expect(several.0 == single.0, message)
      #expect(several.1 == single.1, message)
      #expect(several.2 == single.2, message)
    }
  }

  @Test func batchesBroadcast() {
    var generator = TestGenerator(seed: 4)
    let a: Tensor<Double> = generator.tensor([2, 1, 3, 4])
    let b: Tensor<Double> = generator.tensor([5, 4, 6])
    let product = a.matmul(b)
    #expect(product.shape == [2, 5, 3, 6])
    for i in 0..<2 { for j in 0..<5 { #expect(distance(product[i, j], naive(a[i, 0], b[j])) < 1e-13) } }
    let shared = a.matmul(b[0])
    #expect(shared.shape == [2, 1, 3, 6] && distance(shared[1, 0], naive(a[1, 0], b[0])) < 1e-13)
    let flipped = a.matmul(b.transposed, transposingB: true)
    #expect(distance(flipped, product) < 1e-13)
    let many: Tensor<Double> = generator.tensor([64, 8, 8])
    let squares = many.matmul(many, transposingA: true)
    for i in 0..<64 { #expect(distance(squares[i], naive(many[i].transposed, many[i])) < 1e-13) }
  }

  @Test func vectorsAreRowsOnTheLeftAndColumnsOnTheRight() {
    let a = Tensor<Double>([[1, 2], [3, 4]])
    let x = Tensor<Double>([5, 6])
    #expect(a.matmul(x).scalars == [17, 39])
    #expect(x.matmul(a).scalars == [23, 34])
    #expect(a.matmul(x, transposingA: true).scalars == [23, 34])
    #expect(x.dot(x).scalar == 61)
    #expect(x.outer(x).scalars == [25, 30, 30, 36])
    // A column of a larger matrix has a stride.
    let wide = Tensor<Double>([[5, 0], [6, 0]])
    #expect(a.matmul(wide[.all, 0]).scalars == [17, 39])
  }

  @Test func einsumAgreesWithLoops() {
    var generator = TestGenerator(seed: 9)
    let a: Tensor<Double> = generator.tensor([2, 3, 4])
    let b: Tensor<Double> = generator.tensor([2, 4, 5])
    #expect(distance(einsum("bij,bjk->bik", [a, b]), a.matmul(b)) < 1e-13)
    #expect(distance(einsum("bij,bjk->kb", [a, b]), a.matmul(b).sum(axis: 1).transposed) < 1e-13)
    #expect(distance(einsum("bij->", [a]), a.sum()) < 1e-13)
    let square: Tensor<Double> = generator.tensor([4, 4])
    #expect(distance(einsum("ii->i", [square]), square.diagonal) < 1e-15)
    #expect(distance(einsum("ii", [square]), square.diagonal.sum()) < 1e-15)
    let x: Tensor<Double> = generator.tensor([4])
    let y: Tensor<Double> = generator.tensor([5])
    #expect(distance(einsum("i,j->ij", [x, y]), x.outer(y)) < 1e-15)
    #expect(distance(einsum("i,ij,j", [x, square, x]), x.matmul(square).dot(x)) < 1e-13)
    #expect(
      distance(
        einsum("bij,bkj,bk->bi", [a, a, a[.all, .all, 0]]),
        a.matmul(a, transposingB: true).matmul(a[.all, .all, 0].expanded(axis: -1)).squeezed(axis: -1)) < 1e-13)
  }

  @Test func productsOfNothingHaveTheirShape() {
    #expect(Tensor<Double>.zeros([0, 2, 3]).matmul(.ones([3, 4])).shape == [0, 2, 4])
    #expect(Tensor<Double>.ones([2, 2, 0]).matmul(.ones([0, 4])) == .zeros([2, 2, 4]))
    #expect(Tensor<Double>.ones([0, 2, 3]).matmul(Tensor<Double>.ones([0, 3, 4])).shape == [0, 2, 4])
  }
}
