// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

// The code in the documentation, compiled. `Tests/Snippets/run` gathers and builds it.

import PackageDescription

let package = Package(
    name: "Snippets",
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    ],
    targets: [
        // A target of tests: some of the code is a test.
        .testTarget(
            name: "Snippets",
            dependencies: [
                .product(name: "Tandem", package: "Tandem"),
                .product(name: "TandemSDL", package: "Tandem"),
                .product(name: "TandemTesting", package: "Tandem"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Logging", package: "swift-log"),
            ],
            // Values that are made to be shown are not used.
            swiftSettings: [
                .enableUpcomingFeature("NonisolatedNonsendingByDefault"), .unsafeFlags(["-suppress-warnings"]),
            ])
    ],
    swiftLanguageModes: [.v6])
