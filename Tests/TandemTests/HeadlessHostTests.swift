// SPDX-License-Identifier: Apache-2.0
// HeadlessHostTests: the host for dedicated servers, alone and under the conformance suite.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

extension HeadlessHost: ConformanceHost {
    /// As the suite wants it.
    public func run(within limit: Duration, until condition: () -> Bool) -> Bool {
        run(within: Optional(limit), until: condition)
    }
}

extension Core {
    @Suite struct HeadlessHostTests {
        @Test(arguments: HostConformance.behaviours)
        func aHeadlessHostConforms(_ behaviour: HostConformance.Behaviour) throws {
            try behaviour.check { try HeadlessHost() }
        }

        @Test func itRunsUntilItIsStoppedFromAnotherThread() throws {
            let host = try HeadlessHost()
            defer { host.close() }
            var ticks = 0
            host.loop.callLater(.milliseconds(1)) {
                ticks += 1
                Thread.detachNewThread { host.stop() }
            }
            host.run()
            #expect(ticks == 1)
            host.stop()
            host.run()  // Returns at once.
        }

        @Test func inVirtualTimeItJumpsToTheNextDeadline() throws {
            let (configuration, clock) = virtualConfiguration()
            let host = try HeadlessHost(configuration: configuration)
            defer { host.close() }
            var isDone = false
            host.loop.callLater(.seconds(86_400)) { isDone = true }
            #expect(host.run(within: nil) { isDone })
            #expect(clock.elapsed == .seconds(86_400))
        }
    }
}
