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
    name: "public-page",
    products: [.library(name: "WebServing", targets: ["WebServing"])],
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        // Without its optional parts: configuration files and full Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // A server of web pages with limits, and a live view for those who look on.
        .target(
            name: "WebServing",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "PublicPage",
            dependencies: [
                "WebServing",
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "16-public-page",
            dependencies: ["PublicPage", .product(name: "TandemSDL", package: "Tandem")],
            swiftSettings: settings + isolation
        ),
        .testTarget(
            name: "PublicPageTests",
            dependencies: ["PublicPage", "WebServing", "16-public-page", .product(name: "Tandem", package: "Tandem")],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
