// Scores of weights at initialization, whose counts by layer say how dense each layer should be.

public import Networks
public import Tensors

extension Module {
  /// |g · w| of every weight: what the loss would change to first order if the weight were not there.
  ///
  /// - Parameter loss: one number, on a batch.
  /// - Source: Lee, Ajanthan and Torr, "SNIP: single-shot network pruning based on connection sensitivity", ICLR 2019.
  public func snipScores(of loss: (Self) throws -> Tensor<Scalar>) rethrows -> NamedTensors<Scalar> {
    let gradient = try valueAndGradient(of: loss).gradient
    return NamedTensors(
      names: gradient.names, tensors: zip(gradient.tensors, parameters.tensors).map { ($0 * $1).absolute() })
  }

  /// w · H g of every weight: what the squared norm of the gradient would lose to first order without the weight; the
  /// weights to keep have the largest.
  ///
  /// - Source: Wang, Zhang and Grosse, "Picking winning tickets before training by preserving gradient flow", ICLR 2020.
  public func graspScores(of loss: (Self) throws -> Tensor<Scalar>) rethrows -> NamedTensors<Scalar> {
    let gradient = try valueAndGradient(of: loss).gradient
    let product = try hessianVectorProduct(along: gradient, of: loss).product
    return NamedTensors(names: product.names, tensors: zip(product.tensors, parameters.tensors).map { $0 * $1 })
  }

  /// The norm of the gradient over the weights that a mask keeps, and over the parameters that it leaves whole.
  public func gradientNorm(under mask: SparseMask, of loss: (Self) throws -> Tensor<Scalar>) rethrows -> Double {
    var masked = self
    mask.apply(to: &masked)
    var gradient = try masked.valueAndGradient(of: loss).gradient
    mask.apply(to: &gradient)
    return Double(gradient.norm)
  }
}

extension SparseMask {
  /// The densities by layer of a global choice by scores, for random masks that borrow only the counts.
  ///
  /// A layer without any chosen weight keeps one.
  public var borrowedDensities: [Double] {
    parts.map { Double(max($0.keptCount, 1)) / Double(max($0.isKept.count, 1)) }
  }
}
