// Artificial problems whose answer is known.

public import Tensors

/// Pairs of tokens and the token that is their result.
public struct TokenTable: Sendable {
  /// Shape [count, 2].
  public var inputs: Tensor<Int>
  /// Shape [count].
  public var results: Tensor<Int>
}

/// A linear problem with few coefficients that are not zero.
public struct SparseRegression<Scalar: RealScalar>: Sendable {
  public var data: RegressionData<Scalar>
  /// Shape [features].
  public var coefficients: Tensor<Scalar>
}

extension Datasets {
  /// The whole table of a + b modulo `modulus`: the task on which grokking was found (Power et al., arXiv 2201.02177).
  ///
  /// Row a · modulus + b has the inputs a and b.
  public static func modularAddition(modulus: Int) -> TokenTable {
    precondition(modulus > 0, "numbers modulo \(modulus)")
    let rows = 0..<modulus * modulus
    return TokenTable(
      inputs: Tensor(shape: [rows.count, 2], scalars: rows.flatMap { [$0 / modulus, $0 % modulus] }),
      results: Tensor(rows.map { ($0 / modulus + $0 % modulus) % modulus }))
  }

  /// Random bits as ±1; the label is one when an odd number of the first `relevant` bits is -1.
  public static func parity<Scalar: RealScalar>(
    count: Int, bits: Int, relevant: Int, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> LabelledData<Scalar> {
    precondition(0 < relevant && relevant <= bits, "\(relevant) relevant bits of \(bits)")
    let flags = random.bernoulli([count, bits], probability: 0.5)
    let isSet = flags.scalars
    let labels = (0..<count).map { row in
      isSet[row * bits..<row * bits + relevant].count { $0 } % 2
    }
    return LabelledData(
      features: flags.select(Tensor(-1), Tensor(1)), labels: Tensor(labels), classNames: ["even", "odd"])
  }

  /// y = X w + noise with normal X and `nonzeros` coefficients of ±1 at random places.
  public static func sparseRegression<Scalar: RealScalar>(
    count: Int, features: Int, nonzeros: Int, noise: Double = 0.1, random: inout RandomStream,
    as: Scalar.Type = Float.self
  ) -> SparseRegression<Scalar> {
    let x: Tensor<Scalar> = random.normal([count, features])
    let places = random.sample(nonzeros, below: features)
    let signs: Tensor<Scalar> = random.bernoulli([nonzeros], probability: 0.5).select(Tensor(-1), Tensor(1))
    let coefficients = Tensor<Scalar>.zeros([features]).scatterAdded(signs, at: places)
    let deviations: Tensor<Scalar> = random.normal([count, 1])
    let y = x.matmul(coefficients.expanded(axis: 1)) + deviations * Scalar(noise)
    return SparseRegression(data: RegressionData(features: x, targets: y), coefficients: coefficients)
  }

  /// sin(2π `frequency` x) with noise, x uniform in [-1, 1).
  public static func sine<Scalar: RealScalar>(
    count: Int, frequency: Double = 1, noise: Double = 0, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> RegressionData<Scalar> {
    let x = random.uniform([count, 1], in: -1..<Scalar(1))
    let deviations: Tensor<Scalar> = random.normal([count, 1])
    return RegressionData(
      features: x, targets: (x * Scalar(2 * .pi * frequency)).sin() + deviations * Scalar(noise), featureNames: ["x"],
      targetNames: ["sine"])
  }

  /// What a fixed random network of one hidden tanh layer gives for normal inputs: v · tanh(W x) / √`hidden`, with normal
  /// W / √`features` and v.
  public static func teacherNetwork<Scalar: RealScalar>(
    count: Int, features: Int, hidden: Int, noise: Double = 0, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> RegressionData<Scalar> {
    let weight: Tensor<Scalar> = random.normal([features, hidden])
    let output: Tensor<Scalar> = random.normal([hidden, 1])
    let x: Tensor<Scalar> = random.normal([count, features])
    let deviations: Tensor<Scalar> = random.normal([count, 1])
    let activations = (x.matmul(weight) / Scalar.sqrt(Scalar(features))).tanh()
    let y = activations.matmul(output) / Scalar.sqrt(Scalar(hidden))
    return RegressionData(features: x, targets: y + deviations * Scalar(noise))
  }
}
