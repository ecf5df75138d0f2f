// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

let package = Package(
    name: "public-page",
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        // Without its optional parts: configuration files and full Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "PublicPage",
            dependencies: [
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "16-public-page",
            dependencies: ["PublicPage", .product(name: "TandemSDL", package: "Tandem")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PublicPageTests",
            dependencies: ["PublicPage", "16-public-page", .product(name: "Tandem", package: "Tandem")],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
