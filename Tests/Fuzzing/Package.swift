// swift-tools-version: 6.1
import PackageDescription

// A package of its own, so that the instrumented build and its flags stay out of everybody else's. Build with `run`.
let package = Package(
  name: "Fuzzing",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "apus", path: "../..")],
  targets: [
    .target(name: "CLibFuzzer"),
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        "CLibFuzzer", .product(name: "FileFormats", package: "apus"), .product(name: "Tensors", package: "apus"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
