// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// One array for every Swift target. CI turns warnings into errors; whoever depends on Tandem never pays for that.
let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// The examples also compile with everything on the main actor unless it says otherwise, as new app projects have it: CI asks for that.
let isolation: [SwiftSetting] =
    Context.environment["TANDEM_DEFAULT_ISOLATION"] == nil ? [] : [.defaultIsolation(MainActor.self)]

/// One folder in `Examples`, one concept, one executable of the folder's name.
func example(_ name: String) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["Tandem", "TandemSDL", .product(name: "SystemPackage", package: "swift-system")],
        path: "Examples/\(name)",
        swiftSettings: settings + isolation
    )
}

/// A program whose main has one of the forms that Swift knows.
func formOfMain(_ name: String) -> Target {
    .executableTarget(
        name: name, dependencies: ["FormsWitness"], path: "Tests/FormsOfMain/\(name)", swiftSettings: settings)
}

let package = Package(
    name: "Tandem",
    products: [
        .library(name: "Tandem", targets: ["Tandem"]),
        .library(name: "TandemSDL", targets: ["TandemSDL"]),
        .library(name: "TandemTesting", targets: ["TandemTesting"]),
        .executable(name: "Skirmish", targets: ["Skirmish"]),
        .library(name: "SkirmishMatch", targets: ["SkirmishMatch"]),
        .library(name: "SkirmishNetwork", targets: ["SkirmishNetwork"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.2.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
    ],
    targets: [
        .target(name: "TandemCLinux"),
        // No `pkgConfig:`: SDL's file carries -D_REENTRANT, about which the package manager warns at every build.
        .systemLibrary(name: "TandemCSDL", providers: [.apt(["libsdl2-dev"])]),

        .target(name: "TandemCSDLVideo", dependencies: ["TandemCSDL"]),

        .target(
            name: "Tandem",
            dependencies: [
                "TandemCLinux",
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TandemSDL",
            dependencies: [
                "Tandem", "TandemCLinux", "TandemCSDL", "TandemCSDLVideo",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings
        ),
        // Virtual time below the standard library.
        .target(name: "CTandemTesting"),
        .target(name: "TandemTesting", dependencies: ["Tandem", "CTandemTesting"], swiftSettings: settings),

        example("01-hello-guest"),
        example("02-timers"),
        example("03-your-own-loop"),
        example("04-wake-from-a-thread"),
        example("05-read-a-pipe"),
        example("06-quit-cleanly"),
        example("07-main-actor"),
        example("08-dispatch-main"),
        example("09-tcp-chat"),
        example("10-udp-ping"),
        example("18-pause-menu"),

        .target(name: "SkirmishRules", swiftSettings: settings),
        // The match without a window; all that other packages see of the game.
        .target(name: "SkirmishMatch", dependencies: ["SkirmishRules", "Tandem"], swiftSettings: settings),
        // What goes over the network, without a network.
        .target(name: "SkirmishProtocol", dependencies: ["SkirmishRules"], swiftSettings: settings),
        // A host and its players, on Tandem's sockets; without a window. Other packages see DedicatedHost and BotPlayer.
        .target(
            name: "SkirmishNetwork",
            dependencies: [
                "SkirmishProtocol", "SkirmishRules", "SkirmishMatch", "Tandem",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings + [.defaultIsolation(MainActor.self)]
        ),
        .executableTarget(
            name: "Skirmish",
            dependencies: [
                "SkirmishRules", "SkirmishMatch", "SkirmishProtocol", "SkirmishNetwork", "Tandem", "TandemSDL",
                "TandemTesting", argumentParser,
            ],
            swiftSettings: settings + [.defaultIsolation(MainActor.self)]
        ),
        .executableTarget(name: "MakeAssets", dependencies: [argumentParser], swiftSettings: settings),

        .executableTarget(
            name: "EchoServer", dependencies: ["Tandem"], path: "Tests/EchoServer", swiftSettings: settings),
        // What Tests/Attacks/attack attacks.
        .executableTarget(
            name: "AttackTarget", dependencies: ["Tandem"], path: "Tests/Attacks/AttackTarget", swiftSettings: settings),
        .target(name: "CBench", path: "Tests/Benchmarks/CBench"),
        .executableTarget(
            name: "TandemBench",
            dependencies: [
                "Tandem", "TandemSDL", "TandemTesting", "TandemCLinux", "CBench",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/Benchmarks/TandemBench",
            swiftSettings: settings
        ),

        .executableTarget(
            name: "Soak", dependencies: ["Tandem", "TandemSDL", "TandemCSDL"], path: "Tests/Soak",
            swiftSettings: settings),
        // What Tests/Faults/run runs with one call failing each time.
        .executableTarget(
            name: "FaultProbe",
            dependencies: [
                "Tandem", "TandemSDL", "TandemCSDL", .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Faults/FaultProbe", swiftSettings: settings),
        .target(name: "CTestSupport", path: "Tests/CTestSupport"),
        // Calls from bytes, beside a reference; the tests play many, and the program is what libFuzzer drives.
        .target(
            name: "CallFuzz",
            dependencies: [
                "Tandem", "TandemTesting", .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/CallFuzz",
            swiftSettings: settings),
        .target(name: "FuzzDriver", path: "Tests/FuzzDriver", swiftSettings: settings),
        .executableTarget(
            name: "CallFuzzer", dependencies: ["CallFuzz", "FuzzDriver"], path: "Tests/CallFuzzer",
            swiftSettings: settings),
        // Skirmish's messages from bytes; likewise.
        .target(
            name: "MessageFuzz", dependencies: ["SkirmishProtocol", "SkirmishRules"], path: "Tests/MessageFuzz",
            swiftSettings: settings),
        .executableTarget(
            name: "MessageFuzzer", dependencies: ["MessageFuzz", "FuzzDriver"], path: "Tests/MessageFuzzer",
            swiftSettings: settings),
        .testTarget(
            name: "TandemTests",
            dependencies: [
                "Tandem", "TandemTesting", "TandemCLinux", "CTestSupport", "CallFuzz",
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        // Programs that tests start: what can only be seen with a main of one's own.
        .executableTarget(
            name: "MainActorProbe",
            dependencies: ["TandemSDL", .product(name: "SystemPackage", package: "swift-system")],
            path: "Tests/MainActorProbe",
            swiftSettings: settings),
        .target(
            name: "FormsWitness", dependencies: ["TandemSDL"], path: "Tests/FormsOfMain/FormsWitness",
            swiftSettings: settings),
        formOfMain("FormTopLevel"),
        formOfMain("FormTopLevelAsync"),
        formOfMain("FormAtMain"),
        formOfMain("FormAtMainAsync"),
        // No dependency of the tests', which start it: what it puts in place of the C library's clock must not be linked into them.
        .target(name: "CWaitProbe", path: "Tests/CWaitProbe"),
        .executableTarget(
            name: "WaitProbe",
            dependencies: ["TandemSDL", "CWaitProbe", .product(name: "SystemPackage", package: "swift-system")],
            path: "Tests/WaitProbe",
            swiftSettings: settings),
        .testTarget(
            name: "TandemSDLTests",
            dependencies: [
                "Tandem", "TandemSDL", "TandemTesting", "TandemCLinux", "TandemCSDLVideo", "CTestSupport",
                "MainActorProbe", "FormTopLevel", "FormTopLevelAsync", "FormAtMain", "FormAtMainAsync",
                "07-main-actor",
                "Skirmish", "SkirmishRules", "SkirmishMatch", "SkirmishProtocol", "SkirmishNetwork",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "DocumentationTests", swiftSettings: settings),
        .testTarget(name: "SimulationXCTests", dependencies: ["Tandem", "TandemTesting"], swiftSettings: settings),
        .testTarget(name: "SkirmishRulesTests", dependencies: ["SkirmishRules"], swiftSettings: settings),
        .testTarget(
            name: "SkirmishProtocolTests", dependencies: ["SkirmishProtocol", "SkirmishRules", "MessageFuzz"],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
