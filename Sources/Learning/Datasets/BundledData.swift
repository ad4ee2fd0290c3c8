// The data sets that every program carries with it. Sources and licences: Data/README.md.

import CDatasets
public import FileFormats
public import Tensors

/// Small real data sets, and generators of artificial ones.
///
/// ```swift
/// let parts = try Datasets.digits().split(test: 0.2, seed: 1)
/// ```
public enum Datasets {
  /// The names under which `named(_:)` knows the real data sets with classes.
  public static let labelledNames = ["digits", "mnist", "iris", "wine", "breast-cancer"]

  /// A real data set with classes by its name, or nil.
  public static func named<Scalar: RealScalar>(
    _ name: String, as: Scalar.Type = Float.self
  ) -> LabelledData<Scalar>? {
    switch name {
    case "digits": digits(as: Scalar.self)
    case "mnist": mnist(as: Scalar.self)
    case "iris": iris(as: Scalar.self)
    case "wine": wine(as: Scalar.self)
    case "breast-cancer": breastCancer(as: Scalar.self)
    default: nil
    }
  }

  /// 1,797 handwritten digits of 8×8 pixels, as multiples of 1/16 in [0, 1].
  public static func digits<Scalar: RealScalar>(as: Scalar.Type = Float.self) -> LabelledData<Scalar> {
    images(APUS_DATA_DIGITS, "digits.csv.gz", side: 8, white: 16)
  }

  /// 5,000 handwritten digits of MNIST, 500 of each class, of 28×28 pixels in [0, 1]; those of a class stand together.
  ///
  /// - Complexity: about 0.1 s.
  public static func mnist<Scalar: RealScalar>(as: Scalar.Type = Float.self) -> LabelledData<Scalar> {
    images(APUS_DATA_MNIST, "mnist_5k.csv.gz", side: 28, white: 255)
  }

  /// 150 flowers of three species, by four lengths in centimetres (Fisher, 1936).
  public static func iris<Scalar: RealScalar>(as: Scalar.Type = Float.self) -> LabelledData<Scalar> {
    titledTable(
      APUS_DATA_IRIS, "iris.csv",
      featureNames: ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"])
  }

  /// 178 wines of three cultivars, by 13 chemical measurements.
  public static func wine<Scalar: RealScalar>(as: Scalar.Type = Float.self) -> LabelledData<Scalar> {
    titledTable(
      APUS_DATA_WINE, "wine.csv",
      featureNames: [
        "alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
        "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "od280/od315 of diluted wines", "proline",
      ])
  }

  /// 569 tumours, malignant or benign, by 30 features of their cell nuclei.
  public static func breastCancer<Scalar: RealScalar>(as: Scalar.Type = Float.self) -> LabelledData<Scalar> {
    let properties = [
      "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
      "fractal dimension",
    ]
    return titledTable(
      APUS_DATA_BREAST_CANCER, "breast_cancer.csv",
      featureNames: properties.map { "mean \($0)" } + properties.map { "\($0) error" }
        + properties.map { "worst \($0)" })
  }

  /// 442 patients by ten measurements, and how far their diabetes was after a year (Efron et al., 2004).
  ///
  /// The features are as they were measured; scikit-learn's default is to standardise them.
  public static func diabetes<Scalar: RealScalar>(as: Scalar.Type = Float.self) -> RegressionData<Scalar> {
    let features = table(bytes(of: APUS_DATA_DIABETES_FEATURES, "diabetes_features.csv.gz"), "diabetes_features.csv.gz")
    let targets = table(bytes(of: APUS_DATA_DIABETES_TARGETS, "diabetes_targets.csv.gz"), "diabetes_targets.csv.gz")
    return RegressionData(
      features: Tensor<Scalar>(features), targets: Tensor<Scalar>(targets),
      featureNames: ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"],
      targetNames: ["progression after a year"])
  }

  /// The plays and poems of William Shakespeare: 5,056,226 characters of 67 kinds.
  public static func shakespeare() -> TextCorpus {
    TextCorpus(name: "shakespeare", bytes: bytes(of: APUS_DATA_SHAKESPEARE, "shakespeare.txt.gz"))
  }

  /// Ten of the plays, 1,388,661 characters: Hamlet, Macbeth, Lear, Othello, Romeo and Juliet, Julius Caesar, The Tempest,
  /// The Merchant of Venice, Henry V, Richard III.
  public static func shakespearePlays() -> TextCorpus {
    TextCorpus(name: "shakespeare-plays", bytes: Array(shakespeare().bytes.prefix(1_388_661)))
  }

  /// The weights of a decoder of 870,272 parameters that learned nine tenths of `shakespearePlays()`, character by
  /// character, stored in f16: Data/Models/shakespeare-characters, Documentation/LanguageModels.md.
  public static func shakespeareCharacterModel() -> Checkpoint {
    checkpoint(APUS_DATA_SHAKESPEARE_MODEL, named: "shakespeare-characters/model.safetensors")
  }

  /// The weights of the network that proposes search directions on 32 x 32 cells, 32,657 numbers:
  /// Data/Models/conjugate-directions, Documentation/Methods/deep-conjugate-direction.md.
  public static func conjugateDirectionModel() -> Checkpoint {
    checkpoint(APUS_DATA_DIRECTION_MODEL, named: "conjugate-directions/model.safetensors")
  }

  /// The weights of the graph networks that evaluate policies, with fixed points (`convergent.`) and without (`plain.`):
  /// Data/Models/graph-values, Documentation/Methods/convergent-graph-solver.md.
  public static func graphValueModels() -> Checkpoint {
    checkpoint(APUS_DATA_VALUE_MODEL, named: "graph-values/model.safetensors")
  }

  private static func checkpoint(_ file: apus_data, named name: String) -> Checkpoint {
    var count = 0
    let start = apus_data_bytes(file, &count)
    return unwrapped {
      guard let start else { throw FileError(.truncated, name, "it is not part of the program") }
      let bytes = StaticBytes(start: start, count: count)
      return Checkpoint(try SafetensorsFile(named: name, partOfProgram: bytes))
    }
  }

  // MARK: Reading

  private static func images<Scalar: RealScalar>(
    _ file: apus_data, _ name: String, side: Int, white: Scalar
  ) -> LabelledData<Scalar> {
    let table = table(bytes(of: file, name), name)
    let pixels = side * side
    return LabelledData(
      features: Tensor<Scalar>(table.slice(axis: 1, 0..<pixels)) / white,
      labels: wholeNumbers(table.slice(axis: 1, at: pixels)), classNames: (0..<10).map(String.init),
      featureNames: (0..<pixels).map { "pixel \($0 / side),\($0 % side)" }, imageShape: [1, side, side])
  }

  /// A table under a title of its own: the number of rows and of features, and the names of the classes.
  private static func titledTable<Scalar: RealScalar>(
    _ file: apus_data, _ name: String, featureNames: [String]
  ) -> LabelledData<Scalar> {
    let bytes = bytes(of: file, name)
    let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
    let title = String(decoding: bytes[..<end], as: UTF8.self).split(separator: ",").map(String.init)
    let table = table(Array(bytes[end...]), name)
    let features = featureNames.count
    return LabelledData(
      features: Tensor<Scalar>(table.slice(axis: 1, 0..<features)),
      labels: wholeNumbers(table.slice(axis: 1, at: features)), classNames: Array(title.dropFirst(2)),
      featureNames: featureNames)
  }

  private static func wholeNumbers(_ column: Tensor<Double>) -> Tensor<Int> { Tensor(column.scalars.map { Int($0) }) }

  private static func table(_ bytes: [UInt8], _ name: String) -> Tensor<Double> {
    unwrapped { try bytes.withUnsafeBytes { try readCSV($0, name: name, hasHeader: false).values } }
  }

  private static func bytes(of file: apus_data, _ name: String) -> [UInt8] {
    var count = 0
    let stored = UnsafeRawBufferPointer(start: apus_data_bytes(file, &count), count: count)
    return name.hasSuffix(".gz") ? unwrapped { try gunzipped(stored, name: name) } : Array(stored)
  }

  /// The files are part of the program; that one of them cannot be read is a fault of the build.
  private static func unwrapped<Result>(_ body: () throws -> Result) -> Result {
    do { return try body() } catch { preconditionFailure("bundled data: \(error)") }
  }
}
