// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "apus",
  products: [
    .library(name: "Apus", targets: ["Apus"]),
    .library(name: "ApusProcesses", targets: ["ApusProcesses"]),
    .library(name: "ApusMessages", targets: ["ApusMessages"]),
    .library(name: "ApusDisplays", targets: ["ApusDisplays"]),
    .library(name: "ApusPython", type: .dynamic, targets: ["ApusPython"]),
    .executable(name: "apus", targets: ["ApusCommand"]),
    .executable(name: "Fibonacci", targets: ["Fibonacci"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // `swift package generate-documentation`: no product has anything of it.
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    // From the bottom up; ARCHITECTURE.md draws the graph, and `Scripts/arrows` compares.
    .target(name: "CApus", exclude: ["README.md"]),
    .target(name: "ApusSystem", dependencies: ["CApus"], swiftSettings: settings),
    .target(
      name: "ApusWire", dependencies: ["ApusSystem", "CApus"],
      exclude: ["Functions/README.md", "Values/README.md"], swiftSettings: settings),
    .target(
      name: "ApusEngine", dependencies: ["ApusWire", "ApusSystem", "CApus"],
      exclude: ["Channel/README.md", "Pool/README.md"], swiftSettings: settings),
    .target(
      name: "ApusProcesses", dependencies: ["ApusEngine", "ApusWire", "ApusSystem", "CApus"],
      swiftSettings: settings),
    .target(
      name: "ApusMessages", dependencies: ["ApusWire", "ApusSystem", "CApus"],
      exclude: [
        "Collectives/README.md", "Launch/README.md", "Local/README.md", "MPI/README.md",
      ], swiftSettings: settings),
    .target(
      name: "ApusRankPool",
      dependencies: ["ApusProcesses", "ApusMessages", "ApusEngine", "ApusWire", "ApusSystem", "CApus"],
      exclude: ["README.md"], swiftSettings: settings),
    .target(name: "ApusDisplays", dependencies: ["ApusSystem", "CApus"], swiftSettings: settings),
    .target(
      name: "ApusPrograms", dependencies: ["ApusSystem", "CApus"], swiftSettings: settings),
    // The engine for Python's package (`Python/`), behind a C interface.
    .target(name: "CApusPython"),
    .target(
      name: "ApusPython",
      dependencies: ["CApusPython", "ApusMessages", "ApusEngine", "ApusWire", "ApusSystem", "CApus"],
      exclude: ["exports.map"],
      swiftSettings: settings),
    .target(
      name: "Apus", dependencies: ["ApusProcesses", "ApusMessages", "ApusRankPool"], swiftSettings: settings),
    .executableTarget(
      name: "ApusCommand",
      dependencies: [
        "ApusDisplays", "ApusMessages", "ApusPrograms", "ApusSystem", "CApus",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/ApusCommand", swiftSettings: settings),
    .executableTarget(
      name: "Articles", dependencies: ["Apus", "ApusDisplays"], path: "Examples/Articles",
      swiftSettings: settings),
    .executableTarget(
      name: "CrashSurvival", dependencies: ["Apus"], path: "Examples/CrashSurvival", swiftSettings: settings),
    .executableTarget(
      name: "Fibonacci", dependencies: ["Apus"], path: "Examples/Fibonacci", swiftSettings: settings),
    .executableTarget(
      name: "WordCount", dependencies: ["Apus"], path: "Examples/WordCount", swiftSettings: settings),
    .executableTarget(
      name: "Ring", dependencies: ["Apus"], path: "Examples/Ring", swiftSettings: settings),
    .executableTarget(
      name: "ClusterFibonacci", dependencies: ["Apus"], path: "Examples/ClusterFibonacci",
      swiftSettings: settings),
    .executableTarget(
      name: "MonteCarloPi", dependencies: ["Apus"], path: "Examples/MonteCarloPi", swiftSettings: settings),
    .executableTarget(
      name: "MasterWorkers", dependencies: ["Apus"], path: "Examples/MasterWorkers", swiftSettings: settings),
    .executableTarget(
      name: "HeatEquation", dependencies: ["Apus"], path: "Examples/HeatEquation", swiftSettings: settings),
    .executableTarget(
      name: "DistributedSort", dependencies: ["Apus"], path: "Examples/DistributedSort",
      swiftSettings: settings),
    .target(name: "StressSupport", path: "Tests/Stress/Support", swiftSettings: settings),
    .executableTarget(
      name: "RanksInside", dependencies: ["Apus"], path: "Examples/RanksInside", swiftSettings: settings),
    .target(name: "PoolStressSaboteur", path: "Tests/Stress/Saboteur"),
    .executableTarget(
      name: "MessageStress", dependencies: ["Apus", "ApusMessages", "ApusSystem", "StressSupport"],
      path: "Tests/Stress/Messages", swiftSettings: settings),
    .executableTarget(
      name: "PoolStress",
      dependencies: ["Apus", "ApusEngine", "ApusSystem", "PoolStressSaboteur", "StressSupport"],
      path: "Tests/Stress/Program",
      swiftSettings: settings),
    .testTarget(
      name: "ApusSystemTests", dependencies: ["ApusSystem", "CApus", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "ApusWireTests", dependencies: ["ApusWire", "ApusSystem", "CApus", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "ApusEngineTests",
      dependencies: ["ApusEngine", "ApusWire", "ApusSystem", "CApus", "TestSupport"],
      swiftSettings: settings),
    .executableTarget(
      name: "MessageScenarios", dependencies: ["Apus"],
      path: "Tests/Programs/MessageScenarios", swiftSettings: settings),
    .testTarget(
      name: "ApusMessagesTests",
      dependencies: [
        "ApusMessages", "ApusWire", "ApusSystem", "CApus", "ApusCommand", "MessageScenarios", "MPIProbe",
        "Ring",
        "ClusterFibonacci", "MonteCarloPi", "MasterWorkers", "HeatEquation", "DistributedSort", "RanksInside",
        "TestSupport",
      ],
      swiftSettings: settings),
    // Programs that tests run as children, since what they show can't be shown in the test's own process.
    .target(
      name: "TestSupport", dependencies: ["ApusSystem"], path: "Tests/Support", swiftSettings: settings),
    .executableTarget(name: "Oddly", path: "Tests/Programs/Oddly"),
    .executableTarget(
      name: "RankScenarios", dependencies: ["ApusMessages", "ApusSystem", "CApus"],
      path: "Tests/Programs/RankScenarios",
      swiftSettings: settings),
    .testTarget(
      name: "ApusLaunchTests",
      dependencies: [
        "ApusMessages", "ApusSystem", "CApus", "ApusCommand", "RankScenarios", "Oddly", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ApusProgramsTests", dependencies: ["ApusPrograms", "ApusSystem", "ApusCommand", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "ApusDisplaysTests", dependencies: ["ApusDisplays", "ApusSystem"], swiftSettings: settings),
    .executableTarget(
      name: "PoolScenarios",
      dependencies: ["Apus", "ApusProcesses", "ApusEngine", "ApusSystem", "Interposed"],
      path: "Tests/Programs/PoolScenarios", swiftSettings: settings),
    .target(name: "Interposed", path: "Tests/Programs/Interposed"),
    .executableTarget(
      name: "TopLevelVariables", dependencies: ["Apus"], path: "Tests/Programs/TopLevelVariables",
      swiftSettings: settings),
    .executableTarget(
      name: "MPIProbe", dependencies: ["ApusMessages", "ApusWire", "ApusSystem", "CApus"],
      path: "Tests/Programs/MPIProbe",
      swiftSettings: settings),
    .target(name: "StaticInitialiser", path: "Tests/Programs/StaticInitialiser"),
    .testTarget(
      name: "ApusProcessesTests",
      dependencies: [
        "Apus", "ApusProcesses", "ApusEngine", "ApusWire", "ApusSystem", "CApus", "PoolScenarios",
        "TopLevelVariables", "StaticInitialiser", "Oddly", "TestSupport",
      ],
      swiftSettings: settings),
  ]
)

// Optimised, or with sanitizers, Scripts/test runs some of the tests, and builds what they need alone.
if let wanted = Context.environment["APUS_ONLY"]?.split(separator: " ").map(String.init) {
  var needed: Set<String> = []
  func need(_ name: String) {
    guard needed.insert(name).inserted else { return }
    for case .byNameItem(let name, _) in package.targets.first(where: { $0.name == name })?.dependencies ?? []
    {
      need(name)
    }
  }
  wanted.forEach(need)
  package.targets.removeAll { !needed.contains($0.name) }
  package.products.removeAll {
    !needed.isSuperset(of: ($0 as? Product.Executable)?.targets ?? ["a library"])
  }
  package.dependencies.removeLast(needed.contains("ApusCommand") ? 1 : 2)
}
