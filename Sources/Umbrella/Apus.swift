// Everything, for those who want one import.

@_exported import Catalogue
@_exported import CatalogueCore
@_exported import Compression
@_exported import Convolutions
@_exported import DataSelection
@_exported import Datasets
@_exported import Diagnostics
@_exported import FileFormats
@_exported import Fourier
@_exported import Imaging
@_exported import Jobs
@_exported import LinearAlgebra
@_exported import LinearSolvers
@_exported import Networks
@_exported import Optimizers
@_exported import Recovery
@_exported import Sketching
@_exported import SpecialFunctions
@_exported import Tensors
@_exported import Training
