// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// The peer on swift-nio, in a package of its own, so that Tandem's own has no such dependency. What it shares with TandemBench it has by links.

import PackageDescription

let package = Package(
    name: "nio-peer",
    dependencies: [.package(url: "https://github.com/apple/swift-nio", from: "2.101.2")],
    targets: [
        .systemLibrary(name: "CSDL", providers: [.apt(["libsdl2-dev"])]),
        .target(name: "CBench"),
        .executableTarget(
            name: "NIOBench",
            dependencies: [
                "CBench", "CSDL", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
                + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])
        ),
    ],
    swiftLanguageModes: [.v6]
)
