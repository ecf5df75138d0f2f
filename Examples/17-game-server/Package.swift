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

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let skirmish = Target.Dependency.product(name: "SkirmishNetwork", package: "Tandem")
let tandem = Target.Dependency.product(name: "Tandem", package: "Tandem")
let web = Target.Dependency.product(name: "WebServing", package: "public-page")

let package = Package(
    name: "game-server",
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        // A loop's statistics, as swift-metrics has them.
        .package(name: "dedicated-server", path: "../15-dedicated-server"),
        // A server of web pages with limits.
        .package(name: "public-page", path: "../16-public-page"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        // Without its optional parts: configuration files and full Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Metrics in Prometheus' text format.
        .target(
            name: "PrometheusText",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: settings
        ),
        // The page for those who look on.
        .target(
            name: "SpectatorPage",
            dependencies: [
                web,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        // The REST interface of Agones' SDK server.
        .target(
            name: "AgonesSDK",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        // The match, what it publishes, and what it reports.
        .target(
            name: "SkirmishServer",
            dependencies: [
                "AgonesSDK", "PrometheusText", "SpectatorPage", logging, lifecycle, skirmish, tandem,
                .product(name: "SkirmishMatch", package: "Tandem"),
                .product(name: "TandemMetrics", package: "dedicated-server"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "17-game-server",
            dependencies: [
                "SkirmishServer", logging, lifecycle, tandem, web,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings + isolation
        ),
        .testTarget(
            name: "GameServerTests",
            dependencies: [
                "17-game-server", "AgonesSDK", "PrometheusText", "SkirmishServer", "SpectatorPage", logging, lifecycle,
                skirmish, tandem, web,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
