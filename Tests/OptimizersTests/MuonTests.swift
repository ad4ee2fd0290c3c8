import Optimizers
import Tensors
import TestSupport
import Testing

struct MuonTests {
  /// With a convergent iteration a step is the polar factor Q of the gradient G, scaled: the shorter side of Q is
  /// orthonormal, and its product with G symmetric with a positive trace.
  @Test(arguments: [[6, 4], [4, 6], [5, 5], [1, 7]]) func aStepIsThePolarFactor(shape: [Int]) {
    var generator = TestGenerator(seed: 3)
    let slope: Tensor<Double> = generator.tensor(shape)
    for scaling in [Muon<Double>.Scaling.spectral, .matchingAdam, .none] {
      var optimizer = Muon<Double>(
        learningRate: 0.1, scaling: scaling, orthogonalization: .convergent(steps: 40), isHidden: { _, _ in true })
      var tensors = [Tensor<Double>.zeros(shape)]
      optimizer.update(tensors: &tensors, along: [slope])
      let factor = tensors[0] * (-10 / scaling(rows: shape[0], columns: shape[1]))
      let isTall = shape[0] > shape[1]
      let gram = factor.multipliedByOwnTranspose(transposing: isTall)
      #expect(distance(gram, .identity(min(shape[0], shape[1]))) < 1e-10, "\(scaling)")
      let product = factor.matmul(slope, transposingA: isTall, transposingB: !isTall)
      #expect(distance(product, product.transposed) < 1e-10 && product.diagonal.sum().scalar > 0, "\(scaling)")
    }
    #expect(abs(Muon<Double>.Scaling.spectral(rows: 8, columns: 2) - 2) < 1e-12)
    #expect(Muon<Double>.Scaling.spectral(rows: 2, columns: 8) == 1)
    #expect(abs(Muon<Double>.Scaling.matchingAdam(rows: 4, columns: 25) - 1) < 1e-12)
  }

  @Test func embeddingsHeadsAndVectorsAreLeftToAdamW() {
    for (name, shape, isHidden) in [
      ("layers.0.attention.weight", [4, 4], true), ("embedding.weight", [4, 4], false),
      ("lm_head.weight", [4, 4], false),
      ("layers.0.norm.weight", [4], false), ("stem.weight", [4, 3, 3, 3], false),
      ("transformer.wte.weight", [4, 4], false), ("fc.weight", [4, 4], false), ("fc1.weight", [4, 4], true),
    ] {
      #expect(Muon<Float>.isHiddenMatrix(name, shape) == isHidden, "\(name)")
    }
  }

  /// A convolution's weight counts as the matrix [out, rest] where it is admitted.
  @Test func weightsOfMoreAxesAreFlattened() {
    var generator = TestGenerator(seed: 4)
    let slope: Tensor<Double> = generator.tensor([4, 3, 2])
    var first = Muon<Double>(isHidden: { _, _ in true })
    var second = first
    var block = [Tensor<Double>.ones([4, 3, 2])]
    var matrix = [Tensor<Double>.ones([4, 6])]
    first.update(tensors: &block, along: [slope])
    second.update(tensors: &matrix, along: [slope.reshaped([4, 6])])
    #expect(block[0].reshaped([4, 6]) == matrix[0])
  }
}
