// swift-tools-version: 6.3
import PackageDescription

/// A module of the house: one target per domain, so that a wrong import does not compile and a changed method rebuilds
/// its own domain alone.
func module(
  _ floor: String, _ name: String, folder: String? = nil, _ dependencies: [Target.Dependency] = [],
  linker: [LinkerSetting] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/\(floor)/\(folder ?? name)", linkerSettings: linker)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies + ["Tensors", "TestSupport"], path: "Tests/\(name)")
}

let numerics = Target.Dependency.product(name: "Numerics", package: "swift-numerics")
let core: [Target.Dependency] = [
  "Tensors", "LinearAlgebra", "Fourier", "SpecialFunctions", "Convolutions", "FileFormats",
]
let learning: [Target.Dependency] = ["Networks", "Optimizers", "Datasets", "Training"]
let methods: [Target.Dependency] = [
  "Diagnostics", "Compression", "DataSelection", "Sketching", "Recovery", "Imaging", "LinearSolvers",
]
let libraries = [
  "Tensors", "LinearAlgebra", "Fourier", "SpecialFunctions", "Convolutions", "FileFormats", "Networks", "Optimizers",
  "Datasets", "Training", "Diagnostics", "Compression", "DataSelection", "Sketching", "Recovery", "Imaging",
  "LinearSolvers", "Catalogue", "Jobs",
]

let package = Package(
  name: "apus",
  platforms: [.macOS(.v15), .iOS(.v18)],
  products: [
    .executable(name: "apus", targets: ["ApusCommand"]),
    .executable(name: "apus-benchmarks", targets: ["ApusBenchmarks"]),
    .library(name: "Apus", targets: ["Apus"]),
  ] + libraries.map { .library(name: $0, targets: [$0]) },
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    // Kernels: what runs close to the machine.
    .target(name: "CVectorKernels", path: "Sources/Kernels/CVectorKernels"),
    .systemLibrary(
      name: "COpenBLAS", path: "Sources/Kernels/COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
    .systemLibrary(
      name: "CZlib", path: "Sources/Kernels/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CDatasets", path: "Sources/Kernels/CDatasets"),
    .systemLibrary(name: "COneDNN", path: "Sources/Kernels/COneDNN", providers: [.apt(["libdnnl-dev"])]),
    module("Kernels", "OneDNN", [.target(name: "COneDNN", condition: .when(platforms: [.linux]))]),
    module(
      "Kernels", "BLAS", [.target(name: "COpenBLAS", condition: .when(platforms: [.linux])), numerics],
      linker: [.linkedFramework("Accelerate", .when(platforms: [.macOS, .iOS]))]),

    // Core: tensors and what is done with them.
    module("Core", "Tensors", ["CVectorKernels", "BLAS", numerics]),
    module("Core", "SpecialFunctions", ["Tensors", "CVectorKernels", numerics]),
    module("Core", "LinearAlgebra", ["Tensors", "BLAS", "OneDNN", "CVectorKernels", numerics]),
    module("Core", "Fourier", ["Tensors", "CVectorKernels", numerics]),
    module(
      "Core", "Convolutions",
      [
        "Tensors", "BLAS", "CVectorKernels", "OneDNN", .target(name: "COneDNN", condition: .when(platforms: [.linux])),
      ]),
    module("Core", "FileFormats", ["Tensors", "CVectorKernels", "CZlib"]),

    // Learning: networks, how they are trained, and on what.
    module(
      "Learning", "Networks",
      ["Tensors", "LinearAlgebra", "Convolutions", "FileFormats", "BLAS", "CVectorKernels", numerics]),
    module("Learning", "Optimizers", ["Tensors", "LinearAlgebra", "Networks", "CVectorKernels", numerics]),
    module("Learning", "Datasets", ["Tensors", "FileFormats", "CDatasets"]),
    module("Learning", "Training", ["Tensors", "FileFormats", "Networks", "Optimizers", "Datasets"]),

    // Methods: one module per domain, one file per method.
    module(
      "Methods", "Diagnostics",
      ["Tensors", "LinearAlgebra", "SpecialFunctions", "Networks", "Optimizers", "FileFormats", "CVectorKernels"]),
    module(
      "Methods", "Compression",
      [
        "Tensors", "LinearAlgebra", "SpecialFunctions", "Fourier", "Convolutions", "Networks", "Optimizers",
        "FileFormats", "CVectorKernels",
      ]),
    module(
      "Methods", "DataSelection",
      ["Tensors", "LinearAlgebra", "SpecialFunctions", "Networks", "Optimizers", "Datasets"]),
    module(
      "Methods", "Sketching",
      ["Tensors", "LinearAlgebra", "Fourier", "SpecialFunctions", "FileFormats", "CVectorKernels"]),
    module("Methods", "Recovery", ["Tensors", "LinearAlgebra", "SpecialFunctions", "CVectorKernels"]),
    module("Methods", "Imaging", ["Tensors", "LinearAlgebra", "Networks", "Optimizers"]),
    module(
      "Methods", "LinearSolvers",
      [
        "Tensors", "LinearAlgebra", "SpecialFunctions", "Convolutions", "Networks", "Optimizers", "CVectorKernels",
      ]),

    // Catalogue: how each method is offered, and what it must show.
    module(
      "Catalogue", "CatalogueCore", folder: "Core",
      core + [.product(name: "Mustache", package: "swift-mustache")]),
    module(
      "Catalogue", "Experiments",
      ["Tensors", "FileFormats", "Networks", "Optimizers", "Datasets"]),
    module(
      "Catalogue", "DiagnosticsCatalogue", folder: "Diagnostics",
      core + learning + ["CatalogueCore", "Experiments", "Diagnostics"]),
    module(
      "Catalogue", "CompressionCatalogue", folder: "Compression",
      core + learning + ["CatalogueCore", "Experiments", "Compression"]),
    module(
      "Catalogue", "DataSelectionCatalogue", folder: "DataSelection",
      core + learning + ["CatalogueCore", "Experiments", "DataSelection"]),
    module(
      "Catalogue", "SketchingCatalogue", folder: "Sketching",
      core + learning + ["CatalogueCore", "Experiments", "Sketching"]),
    module(
      "Catalogue", "RecoveryCatalogue", folder: "Recovery",
      core + learning + ["CatalogueCore", "Experiments", "Recovery"]),
    module(
      "Catalogue", "ImagingCatalogue", folder: "Imaging",
      core + learning + ["CatalogueCore", "Experiments", "Imaging"]),
    module(
      "Catalogue", "LinearSolversCatalogue", folder: "LinearSolvers",
      core + learning + ["CatalogueCore", "Experiments", "LinearSolvers"]),
    module("Catalogue", "SpecialFunctionsCatalogue", folder: "SpecialFunctions", core + ["CatalogueCore", "Datasets"]),
    module(
      "Catalogue", "Catalogue", folder: "Index",
      [
        "CatalogueCore", "DiagnosticsCatalogue", "CompressionCatalogue", "DataSelectionCatalogue", "SketchingCatalogue",
        "RecoveryCatalogue", "ImagingCatalogue", "LinearSolversCatalogue",
        "SpecialFunctionsCatalogue",
      ]),

    // Jobs: what people do with whole checkpoints.
    .target(
      name: "Jobs", dependencies: core + methods + ["Networks", "Datasets", "CatalogueCore"], path: "Sources/Jobs"),

    // The command line, and the umbrella for those who import everything.
    .executableTarget(
      name: "ApusCommand",
      dependencies: core + learning + methods + [
        "Catalogue", "CatalogueCore", "Jobs", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/apus"),
    .target(
      name: "Apus", dependencies: core + learning + methods + ["Catalogue", "CatalogueCore", "Jobs"],
      path: "Sources/Umbrella"),

    // Ours beside the peers: `make bench`.
    .executableTarget(
      name: "ApusBenchmarks", dependencies: core + learning + methods + ["Jobs"], path: "Benchmarks/Runner"),

    // Tests.
    .target(name: "TestSupport", dependencies: ["Tensors"], path: "Tests/Support"),
    tests("TensorsTests", []),
    tests("SpecialFunctionsTests", ["SpecialFunctions"]),
    tests("LinearAlgebraTests", ["LinearAlgebra"]),
    tests("FourierTests", ["Fourier"]),
    tests("FileFormatsTests", ["FileFormats"]),
    tests("ConvolutionsTests", ["Convolutions"]),
    tests("NetworksTests", ["Networks", "FileFormats", "Convolutions"]),
    tests("OptimizersTests", ["Optimizers", "Networks", "FileFormats"]),
    tests("DatasetsTests", ["Datasets", "FileFormats"]),
    tests("TrainingTests", ["Training", "Networks", "Optimizers", "Datasets", "FileFormats"]),
    tests("DiagnosticsTests", ["Diagnostics", "LinearAlgebra", "SpecialFunctions", "Networks", "Optimizers"]),
    tests(
      "CompressionTests",
      ["Compression", "LinearAlgebra", "SpecialFunctions", "Networks", "Optimizers", "FileFormats"]),
    tests(
      "DataSelectionTests",
      ["DataSelection", "LinearAlgebra", "Convolutions", "Networks", "Optimizers", "Datasets"]),
    tests("SketchingTests", ["Sketching", "LinearAlgebra", "FileFormats"]),
    tests("RecoveryTests", ["Recovery", "LinearAlgebra", "FileFormats"]),
    tests("ImagingTests", ["Imaging", "LinearAlgebra", "FileFormats"]),
    tests(
      "LinearSolversTests",
      ["LinearSolvers", "LinearAlgebra", "SpecialFunctions", "Networks", "FileFormats"]),
    tests("CatalogueTests", ["Catalogue", "CatalogueCore", "FileFormats"]),
    tests(
      "JobsTests",
      ["Jobs", "FileFormats", "Compression", "LinearAlgebra", "Networks", "Datasets", "Training", "CatalogueCore"]),
    tests("CommandTests", ["FileFormats", "ApusCommand"]),
    tests("DocumentationTests", ["Apus"]),
  ],
  swiftLanguageModes: [.v6]
)
