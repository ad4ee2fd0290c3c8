import CatalogueCore
import LinearAlgebra
import Recovery
import Tensors
