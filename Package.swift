// swift-tools-version: 6.2
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
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Apus", targets: ["Apus"]),
    .executable(name: "Fibonacci", targets: ["Fibonacci"]),
  ],
  targets: [
    .target(name: "CApus"),
    .target(name: "ApusCore", dependencies: ["CApus"], swiftSettings: settings),
    .target(name: "ApusProcesses", dependencies: ["ApusCore"], swiftSettings: settings),
    .target(name: "Apus", dependencies: ["ApusCore", "ApusProcesses"], swiftSettings: settings),
    .executableTarget(
      name: "CrashSurvival", dependencies: ["Apus"], path: "Examples/CrashSurvival", swiftSettings: settings),
    .executableTarget(
      name: "Fibonacci", dependencies: ["Apus"], path: "Examples/Fibonacci", swiftSettings: settings),
    .executableTarget(
      name: "WordCount", dependencies: ["Apus"], path: "Examples/WordCount", swiftSettings: settings),
    .target(name: "PoolStressSaboteur", path: "Tests/Stress/Saboteur"),
    .executableTarget(
      name: "PoolStress", dependencies: ["Apus", "ApusCore", "PoolStressSaboteur"],
      path: "Tests/Stress/Program",
      swiftSettings: settings),
    .testTarget(name: "ApusCoreTests", dependencies: ["ApusCore", "CApus"], swiftSettings: settings),
    // Programs that tests run as children, since what they show can't be shown in the test's own process.
    .executableTarget(
      name: "PoolScenarios", dependencies: ["Apus", "ApusCore"], path: "Tests/Programs/PoolScenarios",
      swiftSettings: settings),
    .executableTarget(
      name: "TopLevelVariables", dependencies: ["Apus"], path: "Tests/Programs/TopLevelVariables",
      swiftSettings: settings),
    .target(name: "StaticInitialiser", path: "Tests/Programs/StaticInitialiser"),
    .testTarget(
      name: "ApusProcessesTests",
      dependencies: ["Apus", "ApusCore", "PoolScenarios", "TopLevelVariables", "StaticInitialiser"],
      swiftSettings: settings),
  ]
)
