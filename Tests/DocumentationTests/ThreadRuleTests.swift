// SPDX-License-Identifier: Apache-2.0
// ThreadRuleTests: what the compiler says of calls of a loop on other threads.
// Idea: the programs here are checked by the compiler and not run, with the modules that the tests were built with.

import Foundation
import Testing

@Suite struct ThreadRuleTests {
    private func complaints(about program: String) throws -> [String] {
        let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let system = products.deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("checkouts/swift-system/Sources/CSystem/include")
        return try Compiler.complaints(
            about: "import Tandem\n" + program,
            [
                "-I", products.appendingPathComponent("Modules").path,
                "-Xcc", "-fmodule-map-file=\(products.path)/TandemCLinux.build/module.modulemap",
                "-Xcc", "-I\(Repository.root.path)/Sources/TandemCLinux/include",
                "-Xcc", "-fmodule-map-file=\(system.path)/module.modulemap", "-Xcc", "-I\(system.path)",
            ])
    }

    @Test func aTickInADetachedTaskDoesNotCompile() throws {
        let lines = try complaints(
            about: """
                func work(_ loop: GuestLoop) { Task.detached { loop.tick() } }
                """)
        #expect(lines.count == 1)
        #expect(
            lines.allSatisfy { $0.contains("error: instance method 'tick' is unavailable from asynchronous contexts") })
        #expect(lines.allSatisfy { $0.contains("loop.proxy") })
    }

    @Test func whatOtherThreadsMayDoCompilesInADetachedTaskAndATickWhereTheLoopIsRun() throws {
        let lines = try complaints(
            about: """
                @MainActor final class World { var size = 0 }
                func work(_ proxy: GuestLoopProxy, _ world: World) {
                    Task.detached {
                        try proxy.post { print("on the loop's thread") }
                        try proxy.postToMainActor { world.size += 1 }
                        proxy.wake()
                    }
                }
                func ownLoop(_ loop: GuestLoop) { while loop.nextDeadline != nil { loop.tick(budget: .zero) } }
                @MainActor func menu(_ loop: GuestLoop) async {
                    loop.runModal { while loop.hasFrameWaiters { loop.tick() } }
                }
                """)
        #expect(lines.isEmpty)
    }
}
