public import CatalogueCore

/// The methods of the module Compression that work.
public let compressionMethods: [any CataloguedMethod] = [
  WeLoreMethod(),
  ConcatSVD(),
  QERAMethod(),
  CoSpaDiMethod(),
  RandomPruningMethod(),
  RandomSearchSparseMethod(),
  MFACMethod(),
  ModHiFi(),
  TRP(),
  GGPrior(),
  StructuredFFN(),
  SAESSVDMethod(),
  FWSVDMethod(),
]
