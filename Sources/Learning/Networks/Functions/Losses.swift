// Losses. Each returns one number: the mean over the examples, unless it says otherwise.

public import Tensors

/// How the losses of the examples become the loss.
public enum LossReduction: Sendable { case mean, sum, none }

/// -log softmax(logits)[label] of each row.
///
/// - Parameters:
///   - logits: shape [..., classes].
///   - labels: shape [...], each below `classes`; a label equal to `ignoring` does not count. Traps on others.
///   - smoothing: the share of the target spread evenly over all classes.
/// - Complexity: O(count) time; one array of the size of `logits` is kept for the way back.
public func crossEntropy<Scalar: RealScalar>(
  _ logits: Tensor<Scalar>, labels: Tensor<Int>, ignoring ignored: Int? = nil, smoothing: Double = 0,
  reduction: LossReduction = .mean
) -> Tensor<Scalar> {
  precondition(
    logits.rank >= 1 && Array(logits.shape.dropLast()) == labels.shape,
    "cross-entropy: logits of shape \(logits.shape) need labels of shape \(logits.shape.dropLast()), not \(labels.shape)"
  )
  let classes = logits.shape.last ?? 1
  let rows = logits.reshaped([labels.count, classes])
  let flat = labels.flattened
  let counted: Tensor<Bool>? = ignored.map { flat .!= $0 }
  let safe = counted.map { $0.select(flat, Tensor(0)) } ?? flat
  var losses = negativeLogLikelihoods(rows, safe)
  if smoothing > 0 {
    let uniform = rows.logSumExp(axis: -1) - rows.mean(axis: -1)
    losses = losses * Scalar(1 - smoothing) + uniform * Scalar(smoothing)
  }
  if let counted { losses = losses * counted.select(Tensor(1), Tensor(0)) }
  switch reduction {
  case .none: return losses.reshaped(labels.shape)
  case .sum: return losses.sum()
  case .mean:
    let number = counted.map { $0.select(Tensor<Scalar>(1), Tensor(0)).sum().scalar } ?? Scalar(labels.count)
    return losses.sum() / max(number, 1)
  }
}

/// The binary cross-entropy of logits against targets in [0, 1], without overflow: softplus(x) - x t.
public func binaryCrossEntropy<Scalar: RealScalar>(
  logits: Tensor<Scalar>, targets: Tensor<Scalar>, reduction: LossReduction = .mean
) -> Tensor<Scalar> {
  reduced(logits.softplus() - logits * targets, reduction)
}

/// (x - y)².
public func squaredError<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ y: Tensor<Scalar>, reduction: LossReduction = .mean
) -> Tensor<Scalar> {
  reduced((x - y).squared(), reduction)
}

/// |x - y|.
public func absoluteError<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ y: Tensor<Scalar>, reduction: LossReduction = .mean
) -> Tensor<Scalar> {
  reduced((x - y).absolute(), reduction)
}

/// Quadratic near zero, linear beyond `threshold` (Huber 1964).
public func huberLoss<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, _ y: Tensor<Scalar>, threshold: Scalar = 1, reduction: LossReduction = .mean
) -> Tensor<Scalar> {
  let distance = (x - y).absolute()
  let inner = distance.minimum(Tensor(threshold))
  return reduced(inner * (distance - inner * Scalar(0.5)), reduction)
}

/// Σ p (log p - log q) of each row, from log-probabilities.
///
/// - Parameters: logP and logQ, shape [..., classes]; the mean is over the rows.
public func klDivergence<Scalar: RealScalar>(
  logP: Tensor<Scalar>, logQ: Tensor<Scalar>, reduction: LossReduction = .mean
) -> Tensor<Scalar> {
  reduced((logP.exp() * (logP - logQ)).sum(axis: -1), reduction)
}

private func reduced<Scalar: RealScalar>(_ losses: Tensor<Scalar>, _ reduction: LossReduction) -> Tensor<Scalar> {
  switch reduction {
  case .none: losses
  case .sum: losses.sum()
  case .mean: losses.mean()
  }
}
