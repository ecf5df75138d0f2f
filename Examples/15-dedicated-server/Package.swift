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
    name: "dedicated-server",
    products: [
        .library(name: "TandemServiceLifecycle", targets: ["TandemServiceLifecycle"]),
        .library(name: "TandemMetrics", targets: ["TandemMetrics"]),
    ],
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "TandemServiceLifecycle",
            dependencies: [
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TandemMetrics",
            dependencies: [
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "15-dedicated-server",
            dependencies: ["TandemServiceLifecycle", "TandemMetrics"],
            swiftSettings: settings + isolation
        ),
        .testTarget(
            name: "DedicatedServerTests",
            dependencies: [
                "15-dedicated-server", "TandemServiceLifecycle", "TandemMetrics",
                .product(name: "TandemTesting", package: "Tandem"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
