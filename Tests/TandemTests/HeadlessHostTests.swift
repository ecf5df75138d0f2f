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

        /// The backend has set the timer in the epoll set when this thread takes over the polling, and finds it there.
        @Test func aDeadlineThatThisThreadsPollFindsIsNoReportOfADescriptor() throws {
            let host = try HeadlessHost()
            defer { host.close() }
            let pipe = try Pipe()
            var (reads, isDue) = (0, false)
            _ = try host.loop.whenReadable(pipe.reader) { reads += pipe.read() }
            host.loop.callLater(.milliseconds(120)) { isDue = true }
            host.loop.callLater(.milliseconds(10)) { try pipe.write() }
            #expect(host.run(within: .seconds(20)) { isDue && reads == 1 })
            #expect(host.loop.statistics.staleEvents == 0)
        }

        @Test func aRunEndsWithItsLoop() throws {
            for place in ["before", "callback", "task"] {
                let host = try HeadlessHost()
                let loop = host.loop
                // Else it would run for ever.
                Thread.detachNewThread {
                    sleep(20)
                    host.stop()
                }
                let begin = ContinuousClock.now
                switch place {
                case "before": host.close()
                case "callback": loop.callLater(.milliseconds(1)) { host.close() }
                default:
                    loop.run {
                        try await loop.sleep(for: .milliseconds(1))
                        host.close()
                    }
                }
                host.run()
                #expect(ContinuousClock.now - begin < .seconds(15), "closed in \(place)")
                #expect(!host.run(within: .seconds(20)) { false })
            }
        }

        /// A host that was answered at once looks for the next answer, and must hear all else, too.
        @Test func aStopWhileTheHostWaitsAwakeIsHeard() throws {
            let host = try HeadlessHost()
            defer { host.close() }
            let loop = host.loop
            var wasForgotten = false
            for round in 0..<300 {
                let spare = loop.callLater(.seconds(20)) {
                    wasForgotten = true
                    host.stop()
                }
                Thread.detachNewThread {
                    for _ in 0..<4 { try? loop.post {} }
                    usleep(UInt32(round % 120))
                    host.stop()
                }
                host.run()
                spare.cancel()
                guard !wasForgotten else { break }
            }
            #expect(!wasForgotten)
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
