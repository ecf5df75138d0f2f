// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

/// The program also compiles with everything on the main actor unless it says otherwise, as new app projects have it: CI asks for that. What is a library
/// says what belongs to which actor, and needs no such setting.
let isolation: [SwiftSetting] =
    Context.environment["TANDEM_DEFAULT_ISOLATION"] == nil ? [] : [.defaultIsolation(MainActor.self)]

let package = Package(
    name: "http-in-the-game",
    products: [
        .library(name: "TandemFlyingFox", targets: ["TandemFlyingFox"]),
        .library(name: "TandemInspector", targets: ["TandemInspector"]),
    ],
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    ],
    targets: [
        .target(
            name: "TandemFlyingFox",
            dependencies: [
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
                .product(name: "FlyingSocks", package: "FlyingFox"),
            ],
            swiftSettings: settings
        ),
        // A page about the loop, for whoever makes a game.
        .target(
            name: "TandemInspector",
            dependencies: [
                "TandemFlyingFox",
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "11-http-in-the-game",
            dependencies: [
                "TandemFlyingFox",
                "TandemInspector",
                .product(name: "TandemSDL", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
            ],
            swiftSettings: settings + isolation
        ),
        // The sample game's match, for whoever speaks HTTP or WebSocket.
        .executableTarget(
            name: "SkirmishOnline",
            dependencies: [
                "TandemFlyingFox",
                .product(name: "SkirmishMatch", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
            ],
            swiftSettings: settings + isolation
        ),
        // What `.ci/inspector` looks at in a browser: something of everything that the inspector's page shows.
        .executableTarget(
            name: "InspectorProbe",
            dependencies: [
                "TandemInspector",
                .product(name: "TandemSDL", package: "Tandem"),
            ],
            swiftSettings: settings + isolation
        ),
        .testTarget(
            name: "TandemFlyingFoxTests",
            dependencies: [
                "TandemFlyingFox",
                "TandemInspector",
                .product(name: "TandemTesting", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
