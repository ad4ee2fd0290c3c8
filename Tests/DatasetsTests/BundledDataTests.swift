import Datasets
import Tensors
import Testing

@Suite struct BundledDataTests {
  /// Sums as numpy gives them for the arrays of scikit-learn's loaders.
  @Test func tablesAreThoseOfScikitLearn() {
    let iris = Datasets.iris(as: Double.self)
    #expect(iris.features.shape == [150, 4] && iris.classNames == ["setosa", "versicolor", "virginica"])
    #expect(abs(iris.features.sum().scalar - 2078.7) < 1e-9)
    #expect(iris.features[0].scalars == [5.1, 3.5, 1.4, 0.2] && iris.labels[at: 149] == 2)

    let wine = Datasets.wine(as: Double.self)
    #expect(wine.features.shape == [178, 13] && wine.featureNames.count == 13)
    #expect(abs(wine.features.sum().scalar - 159975.295999) < 1e-6)
    #expect((0..<3).map { k in wine.labels.scalars.count { $0 == k } } == [59, 71, 48])

    let cancer = Datasets.breastCancer(as: Double.self)
    #expect(cancer.features.shape == [569, 30] && cancer.featureNames.count == 30)
    #expect(abs(cancer.features.sum().scalar - 1056474.4596356) < 1e-6)
    #expect(cancer.labels.scalars.count { $0 == 1 } == 357 && cancer.classNames[1] == "benign")

    let diabetes = Datasets.diabetes(as: Double.self)
    #expect(diabetes.features.shape == [442, 10] && diabetes.targets.shape == [442, 1])
    #expect(abs(diabetes.features.sum().scalar - 276404.2336) < 1e-6)
    #expect(diabetes.targets.sum().scalar == 67243)
  }

  @Test func digitsAreImages() {
    let digits = Datasets.digits()
    #expect(digits.features.shape == [1797, 64] && digits.images.shape == [1797, 1, 8, 8])
    #expect(digits.features.maximum().scalar == 1 && digits.features.minimum().scalar == 0)
    #expect(Tensor<Double>(digits.features).sum().scalar * 16 == 561718)
    #expect(digits.labels.sum().scalar == 8070)
  }

  @Test func mnistHas500OfEachClass() {
    let mnist = Datasets.mnist(as: Double.self)
    #expect(mnist.features.shape == [5000, 784] && mnist.images.shape == [5000, 1, 28, 28])
    #expect((0..<10).allSatisfy { k in mnist.labels.scalars.count { $0 == k } == 500 })
    #expect(abs(mnist.features.sum().scalar * 255 - 131_267_102) < 1e-3)
  }

  @Test func theTextHasItsKnownSize() {
    let plays = Datasets.shakespearePlays()
    #expect(plays.bytes.count == 1_388_661 && Set(plays.bytes).count == 67)
    #expect(plays.text.hasPrefix("HAMLET, PRINCE OF DENMARK\n") && plays.text.hasSuffix("God say Amen!\n\n[Exeunt.]"))
    let all = Datasets.shakespeare()
    #expect(all.bytes.count == 5_056_226 && Set(all.bytes) == Set(plays.bytes))
    let (train, heldOut) = plays.split(heldOut: 0.1)
    #expect(train.bytes + heldOut.bytes == plays.bytes && train.bytes.count == 1_249_794)
  }

  @Test func namesLeadToData() {
    for name in Datasets.labelledNames { #expect(Datasets.named(name) != nil, "\(name)") }
    #expect(Datasets.named("cifar") == nil)
  }

  @Test func cutsKeepCharactersWhole() {
    let corpus = TextCorpus(name: "x", text: "äöüß€")
    for tenth in 0...10 {
      let (train, heldOut) = corpus.split(heldOut: Double(tenth) / 10)
      #expect(train.text + heldOut.text == corpus.text && !train.text.contains("\u{FFFD}"))
    }
  }
}
