// swift-tools-version: 6.3
import PackageDescription

// A package of its own, so that a user of Apus never builds the benchmarks.
// `Scripts/bench` builds and runs it.
let package = Package(
  name: "apus-benchmarks",
  dependencies: [.package(name: "apus", path: "..")],
  targets: [
    .executableTarget(
      name: "PoolBenchmark",
      dependencies: [.product(name: "Apus", package: "apus")],
      swiftSettings: [.swiftLanguageMode(.v6)]),
    .executableTarget(
      name: "MessageBenchmark",
      dependencies: [.product(name: "Apus", package: "apus")],
      swiftSettings: [.swiftLanguageMode(.v6)]),
  ]
)
