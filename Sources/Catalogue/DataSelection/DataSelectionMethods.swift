public import CatalogueCore

/// The methods of the module DataSelection that work.
public let dataSelectionMethods: [any CataloguedMethod] = [
  DataDietMethod(),
  DatasetDistillation(),
]
