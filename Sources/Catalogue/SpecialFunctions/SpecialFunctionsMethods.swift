public import CatalogueCore

/// The methods of the module SpecialFunctions that work.
public let specialFunctionsMethods: [any CataloguedMethod] = [LogBessel()]
