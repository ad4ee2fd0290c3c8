public import CatalogueCore

/// The methods of the module Imaging that work.
public let imagingMethods: [any CataloguedMethod] = [SpectralUnmixingMethod()]
