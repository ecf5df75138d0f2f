// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

// A game that has brought a system library of its own, by the usual name.

import PackageDescription

let package = Package(
    name: "OwnCSDL2",
    dependencies: [.package(name: "Tandem", path: "../../..")],
    targets: [
        .systemLibrary(name: "CSDL2"),
        .executableTarget(name: "Game", dependencies: ["CSDL2", .product(name: "TandemSDL", package: "Tandem")]),
    ],
    swiftLanguageModes: [.v6])
