// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// The least programs that do what Tandem has goals for, in a package of their own: none of them has Tandem in it. `Tests/Benchmarks/limits` counts them.
// What they share with TandemBench they have by links.

import PackageDescription

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

let package = Package(
    name: "limits",
    targets: [
        .systemLibrary(name: "CSDL", providers: [.apt(["libsdl2-dev"])]),
        .target(name: "CBench"),
        .target(name: "CLimits"),
        .executableTarget(name: "Limits", dependencies: ["CBench", "CLimits"], swiftSettings: settings),
        // With SDL, which takes a second to start under callgrind.
        .executableTarget(name: "LeastFrame", dependencies: ["CBench", "CLimits", "CSDL"], swiftSettings: settings),
        .executableTarget(name: "Empty", dependencies: ["CSDL"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
