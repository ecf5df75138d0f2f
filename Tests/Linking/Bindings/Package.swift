// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

// Stand-ins for what games use beside Tandem: bindings of SDL2 with a system library of the usual name, and frameworks.

import PackageDescription

let package = Package(
    name: "Bindings",
    products: [
        .library(name: "OpenBinding", targets: ["OpenBinding"]),
        .library(name: "HidingBinding", targets: ["HidingBinding"]),
        .library(name: "PlainFramework", targets: ["PlainFramework"]),
        .library(name: "UsualNames", targets: ["UsualNames"]),
    ],
    targets: [
        .systemLibrary(name: "CSDL2"),
        .target(name: "OpenBinding", dependencies: ["CSDL2"]),
        .target(name: "HidingBinding", dependencies: ["CSDL2"]),
        .target(name: "PlainFramework", dependencies: ["CSDL2"]),
        .target(name: "UsualNames"),
    ])
