// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

let package = Package(
    name: "http-in-the-game",
    products: [.library(name: "TandemFlyingFox", targets: ["TandemFlyingFox"])],
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
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
        .executableTarget(
            name: "11-http-in-the-game",
            dependencies: [
                "TandemFlyingFox",
                .product(name: "TandemSDL", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
            ],
            swiftSettings: settings
        ),
        // The sample game's match, for whoever speaks HTTP or WebSocket.
        .executableTarget(
            name: "SkirmishOnline",
            dependencies: [
                "TandemFlyingFox",
                .product(name: "SkirmishMatch", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "TandemFlyingFoxTests",
            dependencies: [
                "TandemFlyingFox",
                .product(name: "TandemTesting", package: "Tandem"),
                .product(name: "FlyingFox", package: "FlyingFox"),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
