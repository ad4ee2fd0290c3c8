// How much one example matters to a classifier as it stands.

public import Datasets
public import Networks
public import Tensors

/// A measure of how much a training example matters, large for the hard ones.
///
/// With p the probabilities that a classifier gives to the C classes, and y one for the right class and zero elsewhere.
///
/// - Source: Paul, Ganguli and Dziugaite, "Deep learning on a data diet", NeurIPS 2021, definitions 1 and 2; forgetting
///   events after Toneva et al., "An empirical study of example forgetting during deep neural network learning", ICLR 2019.
public enum ImportanceScore: String, Sendable, Hashable, CaseIterable {
  /// ‖p - y‖, within [0, √2].
  case el2n
  /// ‖∇ℓ‖, the norm of the gradient of this example's cross-entropy with respect to all parameters.
  case grand
  /// Σ |p - y|, within [0, 2].
  case l1Error = "l1-error"
  /// The largest probability of a wrong class, less that of the right one; within [-1, 1].
  case maxMargin = "max-margin"
  /// Σ over the wrong classes of their probability less that of the right one.
  case sumMargin = "sum-margin"
  /// How often the example went from right to wrong between visits in mini-batches; infinite if it never was right.
  case forgetting

  /// The scores of examples from the probabilities of their classes; shape [count].
  ///
  /// Traps for `grand` and `forgetting`, which need more than probabilities.
  /// - Parameters: probabilities, shape [count, classes]; labels, shape [count], each below the number of classes.
  public func of<Scalar: RealScalar>(probabilities: Tensor<Scalar>, labels: Tensor<Int>) -> Tensor<Scalar> {
    precondition(
      probabilities.rank == 2 && labels.shape == [probabilities.rows],
      "scores of probabilities of shape \(probabilities.shape) and labels of shape \(labels.shape)")
    let classes = probabilities.columns
    let target = Tensor<Scalar>(labels.expanded(axis: 1) .== Tensor<Int>(0..<classes))
    let right = (probabilities * target).sum(axis: 1)
    switch self {
    case .el2n: return (probabilities - target).norm(axis: 1)
    case .l1Error: return (probabilities - target).absolute().sum(axis: 1)
    // Less two, the right class is never the largest.
    case .maxMargin: return (probabilities - target * Scalar(2)).maximum(axis: 1) - right
    case .sumMargin: return probabilities.sum(axis: 1) - right * Scalar(classes)
    case .grand, .forgetting: preconditionFailure("the score \(rawValue) is not a function of probabilities")
    }
  }
}

extension Layer {
  /// The score of every example under this classifier, evaluated at inference; shape [count].
  ///
  /// Traps for `forgetting`, which is a property of a training run.
  /// - Parameters:
  ///   - batchSize: how many examples are evaluated at once; it does not change the result.
  ///   - input: what the classifier is given for a batch; the features by default.
  /// - Complexity: one pass forward over the data, for `grand` one forward and one back. Gradients of dense layers are
  ///   not formed: the squared norm over weight and bias is that of the output's derivative times (‖input‖² + 1).
  public func importanceScores(
    of data: LabelledData<Scalar>, _ score: ImportanceScore, batchSize: Int = 256,
    input: (LabelledData<Scalar>) -> Tensor<Scalar> = \.features
  ) -> Tensor<Scalar> {
    if score == .grand { return perExampleGradientNorms(of: data, batchSize: batchSize, input: input) }
    return batches(of: data, batchSize) { batch in
      score.of(probabilities: self(input(batch)).softmax(axis: 1), labels: batch.labels)
    }
  }

  /// ‖∇ℓ‖ of every example's cross-entropy with respect to the parameters; shape [count].
  ///
  /// - Parameter isTrainable: which parameters count, by name; all by default.
  public func perExampleGradientNorms(
    of data: LabelledData<Scalar>, batchSize: Int = 256, where isTrainable: (String) -> Bool = { _ in true },
    input: (LabelledData<Scalar>) -> Tensor<Scalar> = \.features
  ) -> Tensor<Scalar> {
    batches(of: data, batchSize) { batch in
      perExampleGradientNorms(examples: batch.count, where: isTrainable) { model in
        crossEntropy(model(input(batch)), labels: batch.labels, reduction: .none)
      }.norms
    }
  }

  private func batches(
    of data: LabelledData<Scalar>, _ size: Int, _ scores: (LabelledData<Scalar>) -> Tensor<Scalar>
  ) -> Tensor<Scalar> {
    precondition(size > 0, "batches of \(size) examples")
    guard data.count > 0 else { return .zeros([0]) }
    let parts = stride(from: 0, to: data.count, by: size).map { start in
      scores(data.taken(Tensor<Int>(start..<min(start + size, data.count))))
    }
    return Tensor.concatenated(parts)
  }
}
