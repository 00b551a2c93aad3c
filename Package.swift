// swift-tools-version: 6.2
import PackageDescription

/// Swift 6, no warnings. Arrows point down: HTTP and numerics share no edge.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

/// Kernels are optimised in debug builds too: full-size models run in tests.
let kernels: [CSetting] = [.unsafeFlags(["-O3", "-Wall", "-Wextra", "-Werror"])]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.byName(name: name)] + dependencies, exclude: exclude,
        swiftSettings: strict)
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

let package = Package(
    name: "Tessera",
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .executableTarget(
            name: "tessera-bench", dependencies: ["Models", "Tensor"], path: "Benchmarks/Engine", swiftSettings: strict),
        module("HTTPServer", ["HTTPWire"]),
        module("HTTPWire"),

        module("Models", ["TokenizerCore", "Checkpoint", "Tensor", crypto]),
        module("Checkpoint", ["JSON", "Yams"]),
        module("Tensor", ["CKernels", "COneDNN"]),
        module("ImageInput", ["TokenizerCore", "CCodecs"]),
        module("JSON"),
        module("TokenizerCore"),

        .target(
            name: "CKernels", exclude: ["kernels.inc"], cSettings: kernels,
            linkerSettings: [.linkedLibrary("openblas"), .linkedLibrary("gomp"), .linkedLibrary("m")]),
        .target(name: "COneDNN", cSettings: kernels, linkerSettings: [.linkedLibrary("dnnl")]),
        .target(
            name: "CCodecs", cSettings: kernels,
            linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg"), .linkedLibrary("z")]),

        .target(name: "Recipe", dependencies: ["TokenizerCore"], path: "Tests/Recipe", swiftSettings: strict),
        .target(name: "CheckpointBuilders", path: "Tests/CheckpointBuilders", swiftSettings: strict),
        tests("Tensor", ["CKernels"]),
        tests("JSON", []),
        tests("Checkpoint", ["JSON", "CheckpointBuilders"], exclude: ["Fixtures"]),
        tests("ImageInput", ["Recipe", "JSON"], exclude: ["Fixtures"]),
        tests("HTTPWire", []),
        tests("HTTPServer", ["HTTPWire"]),
        tests("Models", ["Recipe", "Checkpoint", "CheckpointBuilders", "JSON"], exclude: ["Fixtures"]),
        tests("Recipe", []),
    ]
)
