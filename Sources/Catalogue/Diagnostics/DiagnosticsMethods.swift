public import CatalogueCore

/// The methods of the module Diagnostics that work.
public let diagnosticsMethods: [any CataloguedMethod] = [IntrinsicDimensionMethod(), Weibull()]
