// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

// Games that link Tandem beside other packages, and with settings that Tandem's own targets do not have. `Tests/Linking/run` builds and runs them.

import PackageDescription

let tandem = Target.Dependency.product(name: "TandemSDL", package: "Tandem")

let package = Package(
    name: "BesideABinding",
    dependencies: [
        .package(name: "Tandem", path: "../../.."),
        .package(path: "../Bindings"),
    ],
    targets: [
        .executableTarget(
            name: "OpenEvents", dependencies: [tandem, .product(name: "OpenBinding", package: "Bindings")]),
        .executableTarget(
            name: "HiddenEvents", dependencies: [tandem, .product(name: "HidingBinding", package: "Bindings")]),
        .executableTarget(
            name: "Framework", dependencies: [tandem, .product(name: "PlainFramework", package: "Bindings")]),
        .executableTarget(
            name: "SameNames", dependencies: [tandem, .product(name: "UsualNames", package: "Bindings")]),
        .executableTarget(
            name: "DefaultIsolation", dependencies: [tandem], swiftSettings: [.defaultIsolation(MainActor.self)]),
        .executableTarget(name: "LanguageMode5", dependencies: [tandem], swiftSettings: [.swiftLanguageMode(.v5)]),
        .executableTarget(name: "CPlusPlus", dependencies: [tandem], swiftSettings: [.interoperabilityMode(.Cxx)]),
        // Swift takes the synchronous overload at top level, and says that nothing is awaited.
        .executableTarget(name: "AwaitAtTopLevel", dependencies: [tandem]),
    ],
    swiftLanguageModes: [.v6])
