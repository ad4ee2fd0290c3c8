// Artificial points in the plane and in space.

public import Tensors

extension Datasets {
  /// Points around `centers`, each class around one: center + `deviation` times normal numbers.
  ///
  /// - Parameter centers: shape [classes, dimension].
  public static func gaussianMixture<Scalar: RealScalar>(
    count: Int, centers: Tensor<Scalar>, deviation: Double = 1, random: inout RandomStream
  ) -> LabelledData<Scalar> {
    precondition(centers.rank == 2 && centers.rows > 0, "centers have shape [classes, dimension], not \(centers.shape)")
    let labels = evenLabels(count, classes: centers.rows)
    let noise: Tensor<Scalar> = random.normal([count, centers.columns])
    return LabelledData(
      features: centers.gathered(labels) + noise * Scalar(deviation), labels: labels, classNames: numbered(centers.rows)
    )
  }

  /// Points around `classes` random centers, which are normal with deviation `spread`.
  public static func gaussianMixture<Scalar: RealScalar>(
    count: Int, classes: Int, dimension: Int, spread: Double = 4, deviation: Double = 1, random: inout RandomStream,
    as: Scalar.Type = Float.self
  ) -> LabelledData<Scalar> {
    let centers: Tensor<Scalar> = random.normal([classes, dimension])
    return gaussianMixture(count: count, centers: centers * Scalar(spread), deviation: deviation, random: &random)
  }

  /// Eight narrow Gaussians on a circle: what a generative model that covers few modes fails on.
  public static func eightGaussians<Scalar: RealScalar>(
    count: Int, radius: Double = 2, deviation: Double = 0.1, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> LabelledData<Scalar> {
    let angles = (0..<8).map { Double($0) * (.pi / 4) }
    let centers = Tensor<Scalar>(angles.map { [Scalar(radius * Double.cos($0)), Scalar(radius * Double.sin($0))] })
    return gaussianMixture(count: count, centers: centers, deviation: deviation, random: &random)
  }

  /// Two interleaved half circles, as scikit-learn's `make_moons`.
  public static func twoMoons<Scalar: RealScalar>(
    count: Int, noise: Double = 0.1, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> LabelledData<Scalar> {
    let labels = evenLabels(count, classes: 2)
    let angles = random.uniform([count], in: 0..<Scalar.pi)
    let isUpper = labels .== 0
    let x = isUpper.select(angles.cos(), 1 - angles.cos())
    let y = isUpper.select(angles.sin(), 0.5 - angles.sin())
    return planar(x, y, noise, labels, ["upper", "lower"], &random)
  }

  /// Two circles, one inside the other, as scikit-learn's `make_circles`.
  ///
  /// - Parameter ratio: the inner radius; the outer one is 1.
  public static func circles<Scalar: RealScalar>(
    count: Int, ratio: Double = 0.5, noise: Double = 0.05, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> LabelledData<Scalar> {
    let labels = evenLabels(count, classes: 2)
    let angles = random.uniform([count], in: 0..<2 * Scalar.pi)
    let radii = (labels .== 0).select(Tensor(1), Tensor<Scalar>(Scalar(ratio)))
    return planar(radii * angles.cos(), radii * angles.sin(), noise, labels, ["outer", "inner"], &random)
  }

  /// Points uniform on the dark fields of a 4×4 checkerboard over [-2, 2]²; the label is the field's number of eight.
  public static func checkerboard<Scalar: RealScalar>(
    count: Int, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> LabelledData<Scalar> {
    let labels = random.integers([count], in: 0..<8)
    let corners = Tensor<Scalar>(
      (0..<8).map { field in
        let row = field / 2
        let column = 2 * (field % 2) + row % 2
        return [Scalar(column - 2), Scalar(row - 2)]
      })
    let inside: Tensor<Scalar> = random.uniform([count, 2])
    return LabelledData(
      features: corners.gathered(labels) + inside, labels: labels, classNames: numbered(8), featureNames: ["x", "y"])
  }

  /// A rolled sheet in space, as scikit-learn's `make_swiss_roll`. The targets are the coordinates on the sheet: the angle
  /// along the roll and the height.
  public static func swissRoll<Scalar: RealScalar>(
    count: Int, noise: Double = 0, random: inout RandomStream, as: Scalar.Type = Float.self
  ) -> RegressionData<Scalar> {
    let unit: Tensor<Scalar> = random.uniform([count])
    let angles = (unit * 2 + 1) * (1.5 * Scalar.pi)
    let heights = random.uniform([count], in: 0..<21, of: Scalar.self)
    let points = Tensor.stacked([angles * angles.cos(), heights, angles * angles.sin()], axis: 1)
    let deviations: Tensor<Scalar> = random.normal([count, 3])
    return RegressionData(
      features: points + deviations * Scalar(noise), targets: Tensor.stacked([angles, heights], axis: 1),
      featureNames: ["x", "y", "z"], targetNames: ["angle", "height"])
  }

  // MARK: Parts

  /// 0, 1, ..., classes - 1, 0, 1, ...
  private static func evenLabels(_ count: Int, classes: Int) -> Tensor<Int> {
    precondition(count >= 0, "there are no sets of \(count) points")
    return Tensor((0..<count).map { $0 % classes })
  }

  private static func numbered(_ count: Int) -> [String] { (0..<count).map(String.init) }

  private static func planar<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ y: Tensor<Scalar>, _ noise: Double, _ labels: Tensor<Int>, _ classNames: [String],
    _ random: inout RandomStream
  ) -> LabelledData<Scalar> {
    let deviations: Tensor<Scalar> = random.normal([labels.count, 2])
    return LabelledData(
      features: Tensor.stacked([x, y], axis: 1) + deviations * Scalar(noise), labels: labels, classNames: classNames,
      featureNames: ["x", "y"])
  }
}
