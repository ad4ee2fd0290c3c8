public import CatalogueCore

/// The methods of the module Sketching that work.
public let sketchingMethods: [any CataloguedMethod] = []
