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
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "Tessera",
    products: [.executable(name: "tessera", targets: ["tessera"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .executableTarget(
            name: "tessera",
            dependencies: [
                "TokenService", "TokenFormats", "HTTPServer", "Batching", "Models", "Checkpoint", "Evaluation",
                "ImageInput", "JSON", "TokenizerCore", "Training", "FilePaths", "CLinux", "Yams", arguments, logging,
            ], resources: [.copy("Resources/revq-mini")], swiftSettings: strict),
        .executableTarget(
            name: "tessera-bench", dependencies: ["Models", "Tensor"], path: "Benchmarks/Engine",
            swiftSettings: strict),
        .executableTarget(
            name: "tessera-pixels", dependencies: ["ImageInput"], path: "conformance/corpora/PixelReader",
            swiftSettings: strict),
        .target(
            name: "TokenService",
            dependencies: [
                "HTTPServer", "HTTPWire", "Batching", "Models", "Metrics", "Evaluation", "ImageInput", "JSON",
                "Checkpoint", "TokenFormats", "TokenizerCore", crypto, logging,
            ], resources: [.embedInCode("openapi.yaml")], swiftSettings: strict),

        module("TokenFormats", ["ImageInput", "JSON", "TokenizerCore", crypto]),
        module("HTTPServer", ["HTTPWire", "FilePaths", "CLinux"]),
        module("HTTPWire"),
        module("Metrics"),

        module("Batching", ["TokenizerCore"]),
        module(
            "Training",
            ["Models", "Checkpoint", "Tensor", "CKernels", "ImageInput", "JSON", "TokenizerCore", "FilePaths"]),
        module("Models", ["TokenizerCore", "Checkpoint", "Tensor", "FilePaths", crypto]),
        module("Checkpoint", ["JSON", "FilePaths", "Yams", "CZlib", crypto]),
        module("Tensor", ["CKernels", "COneDNN"]),
        module("ImageInput", ["TokenizerCore", "FilePaths", "CCodecs", "CZlib"]),
        module("Evaluation", ["TokenizerCore"]),
        module("JSON"),
        module("TokenizerCore"),
        module("FilePaths"),

        .target(
            name: "CKernels",
            exclude: [
                "attention.inc", "attention_bfloat16.inc", "gradients.inc", "kernels.inc", "product.inc",
                "winograd.inc",
            ],
            cSettings: kernels,
            linkerSettings: [.linkedLibrary("openblas"), .linkedLibrary("gomp"), .linkedLibrary("m")]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "COneDNN", cSettings: kernels, linkerSettings: [.linkedLibrary("dnnl")]),
        .target(
            name: "CCodecs", cSettings: kernels,
            linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg"), .linkedLibrary("deflate")]),

        .target(name: "Recipe", dependencies: ["TokenizerCore"], path: "Tests/Recipe", swiftSettings: strict),
        .target(name: "CheckpointBuilders", path: "Tests/CheckpointBuilders", swiftSettings: strict),
        .target(name: "MetricsReader", path: "Tests/MetricsReader", swiftSettings: strict),
        .target(name: "Patience", path: "Tests/Patience", swiftSettings: strict),
        .target(
            name: "SocketClient", dependencies: ["HTTPServer", "FilePaths", "Patience"], path: "Tests/SocketClient",
            swiftSettings: strict),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "HTTPWire", "JSON", "TokenFormats", "TokenService", "Checkpoint", "CheckpointBuilders", "ImageInput",
                "CCodecs", "TokenizerCore",
            ], path: "Fuzz/Targets", swiftSettings: strict),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"], swiftSettings: strict),
        tests("Tensor", ["CKernels"]),
        tests("Evaluation", ["TokenizerCore"], exclude: ["Fixtures"]),
        tests("JSON", []),
        tests("FilePaths", ["JSON"], exclude: ["Fixtures"]),
        tests("Checkpoint", ["JSON", "CheckpointBuilders", "FilePaths"], exclude: ["Fixtures"]),
        tests(
            "ImageInput", ["CCodecs", "CZlib", "Recipe", "JSON", "Patience", "TokenizerCore", "FilePaths"],
            exclude: ["Fixtures"]),
        tests("HTTPWire", []),
        tests("HTTPServer", ["HTTPWire", "SocketClient", "FilePaths", "Patience"]),
        tests("Metrics", ["MetricsReader"]),
        tests("Batching", ["TokenizerCore", "Patience"]),
        tests(
            "Models", ["Recipe", "Tensor", "TokenizerCore", "Checkpoint", "CheckpointBuilders", "JSON"],
            exclude: ["Fixtures"]),
        tests(
            "TokenService",
            [
                "HTTPServer", "HTTPWire", "ImageInput", "JSON", "Batching", "TokenFormats", "TokenizerCore", "Models",
                "Recipe", "MetricsReader", "SocketClient", "Patience", logging,
            ]),
        tests("TokenFormats", ["ImageInput", "JSON", "TokenizerCore"], exclude: ["Fixtures"]),
        tests(
            "Training",
            [
                "Models", "Checkpoint", "Tensor", "CKernels", "ImageInput", "JSON", "TokenizerCore", "Recipe",
                "FilePaths",
            ],
            exclude: ["Fixtures"]),
        tests("Recipe", ["TokenizerCore"]),
        tests(
            "tessera",
            [
                "Models", "ImageInput", "JSON", "TokenFormats", "TokenizerCore", "TokenService", "Recipe",
                "SocketClient", "Patience", "FilePaths", logging,
            ]),
    ]
)

// libFuzzer is linked by `scripts/fuzz` only, which sets this.
if Context.environment["TESSERA_FUZZ"] != nil {
    package.targets += [
        .systemLibrary(name: "CLibFuzzer", path: "Fuzz/CLibFuzzer"),
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets", "CLibFuzzer"], path: "Fuzz/Driver", swiftSettings: strict),
    ]
}
