public import CatalogueCore

/// The methods of the module Recovery that work.
public let recoveryMethods: [any CataloguedMethod] = [
  AltMinCompletion(), OrthogonalDictionary(), SubGM(), MatrixSensingGD(), KroneckerSBLMethod(),
  RandomSupportRegressionMethod(),
]
