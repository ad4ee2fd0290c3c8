public import CatalogueCore

/// The methods of the module LinearSolvers that work.
public let linearSolversMethods: [any CataloguedMethod] = [
  BootstrapAMGMethod(), LearningToRelaxMethod(), DeepConjugateDirectionMethod(), ConvergentGraphSolverMethod(),
]
