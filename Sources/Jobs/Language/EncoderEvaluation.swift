import LinearAlgebra
import Networks
import Tensors

/// How much of an encoder's meaning a changed encoder keeps, on sentences.
public struct EncoderEvaluation: Sendable {
  public var sentences: Int
  /// The mean cosine between the vectors of both models, and the one that 5 % of the sentences fall below.
  public var meanCosine: Double
  public var lowCosine: Double
  /// Of the ten nearest sentences of each sentence by the original, the share that is among the ten nearest still.
  public var retrievalOverlap: Double
  /// The accuracy of a linear classifier on the vectors of each model, and what it tells apart.
  public var probeAccuracy: Double
  public var originalProbeAccuracy: Double
  public var probeMeaning: String
  public var tokensPerSecond: Double
  public var originalTokensPerSecond: Double
}

extension EncoderEvaluation {
  /// Compares the vectors that two encoders give to the same sentences.
  ///
  /// - Throws: `InvalidArgument` when the vectors are not finite.
  init(_ vectors: Tensor<Float>, _ original: Tensor<Float>, of data: LabelledSentences) throws {
    try vectors.requireFinite("the model's vectors")
    try original.requireFinite("the original's vectors")
    sentences = vectors.rows
    let cosines = Tensor<Double>((vectors * original).sum(axis: 1))
    meanCosine = cosines.mean().scalar
    lowCosine = cosines.quantile(0.05).scalar
    retrievalOverlap = Self.overlap(of: vectors, original, neighbours: min(10, vectors.rows - 1))
    probeAccuracy = try Self.probe(vectors, data)
    originalProbeAccuracy = try Self.probe(original, data)
    probeMeaning = data.meaning
    (tokensPerSecond, originalTokensPerSecond) = (.nan, .nan)
  }

  private static func overlap(of vectors: Tensor<Float>, _ original: Tensor<Float>, neighbours: Int) -> Double {
    func nearest(_ vectors: Tensor<Float>) -> [Set<Int>] {
      var similarity = vectors.matmul(vectors, transposingB: true)
      similarity -= Tensor<Float>.identity(vectors.rows) * 4
      let indices = similarity.topK(neighbours).indices
      return (0..<vectors.rows).map { Set(indices[$0].scalars) }
    }
    let shared = zip(nearest(vectors), nearest(original)).map { $0.intersection($1).count }
    return Double(shared.reduce(0, +)) / Double(vectors.rows * neighbours)
  }

  /// Ridge regression onto the classes, on four of five sentences; the share of right answers on the fifth ones.
  private static func probe(_ vectors: Tensor<Float>, _ data: LabelledSentences) throws -> Double {
    let x = Tensor<Double>(vectors)
    let isTest = (0..<x.rows).map { $0 % 5 == 4 }
    let train = Tensor(isTest.indices.filter { !isTest[$0] })
    let test = Tensor(isTest.indices.filter { isTest[$0] })
    let labels = Tensor(data.labels)
    let mean = x.gathered(train).mean(axis: 0)
    let inputs = x.gathered(train) - mean
    let targets = Tensor<Double>.identity(data.classes).gathered(labels.gathered(train))
    let share = targets.mean(axis: 0)
    var gram = inputs.multipliedByOwnTranspose(transposing: true)
    // Vectors of length one: a hundredth of an example in every direction.
    let ridge = 0.01 * max(gram.diagonal.sum().scalar / Double(x.columns), 1e-12)
    gram += Tensor<Double>.identity(x.columns) * ridge
    let weights = try CholeskyDecomposition(of: gram).solve(inputs.matmul(targets - share, transposingA: true))
    let answers = ((x.gathered(test) - mean).matmul(weights) + share).argmax(axis: 1)
    let right = (answers .== labels.gathered(test)).scalars.count { $0 }
    return Double(right) / Double(test.count)
  }
}
