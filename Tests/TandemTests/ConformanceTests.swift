// SPDX-License-Identifier: Apache-2.0
// ConformanceTests: the host suite on the manual host; the SDL host runs it among its own tests.

import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct ConformanceTests {
        @Test(arguments: HostConformance.behaviours) func theManualHost(behaviour: HostConformance.Behaviour) throws {
            try behaviour.check {
                let host = ManualHost()
                _ = try host.makeLoop()
                return host
            }
        }

        /// A host that forgets its loop is found out.
        @Test func aHostThatNeverTicksFails() {
            final class Sleepy: ConformanceHost {
                private final class Deaf: GuestHost { func requestTick() -> Bool { true } }
                let loop: GuestLoop
                init() throws { loop = try GuestLoop(host: Deaf()) }
                func run(within limit: Duration, until condition: () -> Bool) -> Bool { condition() }
                func close() { loop.close() }
            }
            let failures = HostConformance.run { try Sleepy() }
            #expect(failures.count >= 6)
            #expect(
                failures.contains {
                    $0.description.hasPrefix("a post from another thread wakes the sleeping host: post 1")
                })
        }
    }
}
