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
    name: "run-a-tool",
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .target(
            name: "ToolRunning",
            dependencies: [
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "13-run-a-tool",
            dependencies: ["ToolRunning", .product(name: "TandemSDL", package: "Tandem")],
            swiftSettings: settings + isolation
        ),
        .testTarget(
            name: "RunAToolTests",
            dependencies: [
                "ToolRunning", "13-run-a-tool",
                .product(name: "TandemSDL", package: "Tandem"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
