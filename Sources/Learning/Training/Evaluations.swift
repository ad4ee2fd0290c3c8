// The usual measurements on held-out data, a batch at a time.

public import Datasets
import Networks
public import Tensors

extension Evaluation {
  /// Cross-entropy and accuracy of a classifier.
  ///
  /// - Parameter scores: shape [batch, classes], for a batch of the data.
  public static func ofClassifier<Scalar: RealScalar>(
    on data: LabelledData<Scalar>, batchSize: Int = 256, scores: (LabelledData<Scalar>) throws -> Tensor<Scalar>
  ) rethrows -> Evaluation {
    var loss = 0.0
    var right = 0
    for batch in inOrder(data, batchSize) {
      let scores = try scores(batch)
      loss += Double(crossEntropy(scores, labels: batch.labels, reduction: .sum).scalar)
      right += (scores.argmax(axis: 1) .== batch.labels).scalars.count { $0 }
    }
    let count = Double(max(data.count, 1))
    return Evaluation(loss: loss / count, accuracy: Double(right) / count)
  }

  /// The mean squared error of predictions of shape [batch, outputs].
  public static func ofRegression<Scalar: RealScalar>(
    on data: RegressionData<Scalar>, batchSize: Int = 256,
    predictions: (RegressionData<Scalar>) throws -> Tensor<Scalar>
  ) rethrows -> Evaluation {
    var loss = 0.0
    for batch in inOrder(data, batchSize) {
      loss += Double(squaredError(try predictions(batch), batch.targets, reduction: .sum).scalar)
    }
    return Evaluation(loss: loss / Double(max(data.targets.count, 1)))
  }

  /// The mean cross-entropy, in nats a token, over the first `count` windows that follow one another.
  ///
  /// - Parameter scores: shape [batch, positions, vocabulary], for inputs of shape [batch, positions].
  public static func ofLanguageModel<Scalar: RealScalar>(
    on windows: TokenWindows, count: Int, batchSize: Int = 16, scores: (Tensor<Int>) throws -> Tensor<Scalar>
  ) rethrows -> Evaluation {
    let count = min(count, windows.consecutiveCount)
    var loss = 0.0
    for start in stride(from: 0, to: count, by: batchSize) {
      let batch = windows.consecutive(start..<min(start + batchSize, count))
      loss += Double(crossEntropy(try scores(batch.inputs), labels: batch.targets, reduction: .sum).scalar)
    }
    return Evaluation(loss: loss / Double(max(count * windows.length, 1)))
  }

  private static func inOrder<Data: Examples>(_ data: Data, _ size: Int) -> some Sequence<Data> {
    stride(from: 0, to: data.count, by: size).lazy.map { data.taken(Tensor<Int>($0..<min($0 + size, data.count))) }
  }
}
