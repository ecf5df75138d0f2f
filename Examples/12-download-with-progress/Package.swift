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
    name: "download-with-progress",
    dependencies: [
        .package(name: "Tandem", path: "../.."),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .target(
            name: "Downloading",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "_NIOFileSystem", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "12-download-with-progress",
            dependencies: ["Downloading", .product(name: "TandemSDL", package: "Tandem")],
            swiftSettings: settings + isolation
        ),
        // Killed by a test, again and again.
        .executableTarget(name: "SaveForEver", dependencies: ["Downloading"], swiftSettings: settings + isolation),
        .testTarget(
            name: "DownloadingTests",
            dependencies: ["Downloading", "SaveForEver", .product(name: "TandemSDL", package: "Tandem")],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
