// SPDX-License-Identifier: Apache-2.0
// DeliveryTests: what an operation has taken reaches its task, or the next operation, whatever limits and cancellations come beside it.

import Glibc
import TandemTesting
import Testing

@testable import Tandem

/// One thing that somebody waits for, as hosts wait for events: whoever takes it for the task removes it from where it was.
private final class Counter: @unchecked Sendable {
    // Safe: UI thread only.
    var waiter: Waiter?
    var taken: Int?

    func next(on loop: GuestLoop) async throws -> Int {
        try await loop.wait(for: "a test's event", site: CallSite()) { waiter in
            self.waiter = waiter
            return { self.waiter = nil }
        }
        defer { taken = nil }
        return taken!
    }

    /// `false`: nobody waits, and nothing was taken.
    func offer(_ value: Int) -> Bool {
        guard let waiter, waiter.isWaiting else { return false }
        taken = value
        self.waiter = nil
        waiter.resume()
        return true
    }
}

extension Core {
    @Suite struct DeliveryTests {
        // MARK: Limits of time

        /// The order in which a key was lost: the limit, then the event, then the task.
        @Test(arguments: [true, false])
        func aValueThatWasTakenBesideTheLimitIsReturned(isLimitFirst: Bool) throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let counter = Counter()
                var outcome: Result<Int, any Error>?
                loop.run({ try await withTimeout(.seconds(3), clock: loop.clock) { try await counter.next(on: loop) } })
                {
                    outcome = $0
                }
                while counter.waiter == nil { host.tick() }
                clock.advance(to: loop.nextDeadline!)
                if isLimitFirst { host.tick(budget: .zero) }
                #expect(counter.offer(5))
                for _ in 0..<20 where outcome == nil { host.tick(budget: .zero) }
                let value = try outcome?.get()
                #expect(value == 5)
                #expect(loop.statistics.timers == 0)
            }
        }

        @Test func aValueThatWasTakenBeforeTheCallersCancellationIsReturned() throws {
            let (configuration, _) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let counter = Counter()
                var outcome: Result<Int, any Error>?
                // The sleep is older than the operation's job: it is the first child to end.
                let run = loop.run({
                    try await withTimeout(.seconds(3), clock: loop.clock) { try await counter.next(on: loop) }
                }) { outcome = $0 }
                while counter.waiter == nil { host.tick() }
                loop.callSoon {
                    run.cancel()
                    #expect(!counter.offer(4))
                }
                for _ in 0..<20 where outcome == nil { host.tick(budget: .zero) }
                #expect(throws: CancellationError.self) { try outcome?.get() }

                outcome = nil
                let second = loop.run({
                    try await withTimeout(.seconds(3), clock: loop.clock) { try await counter.next(on: loop) }
                }) { outcome = $0 }
                while counter.waiter == nil { host.tick() }
                loop.callSoon {
                    #expect(counter.offer(5))
                    second.cancel()
                }
                for _ in 0..<20 where outcome == nil { host.tick(budget: .zero) }
                let value = try outcome?.get()
                #expect(value == 5)
            }
        }

        @Test func anOperationThatEndsInSpiteOfTheLimitReturnsItsValueOrItsError() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                for throwsError in [false, true] {
                    var outcome: Result<Int, any Error>?
                    loop.run({
                        try await withTimeout(.seconds(3), clock: loop.clock) {
                            try? await loop.sleep(for: .seconds(100))
                            if throwsError { throw TestError(4) }
                            return 7
                        }
                    }) { outcome = $0 }
                    while outcome == nil {
                        host.tick()
                        if !loop.hasWork, let deadline = loop.nextDeadline { clock.advance(to: deadline) }
                    }
                    if throwsError {
                        #expect(throws: TestError(4)) { try outcome?.get() }
                    } else {
                        let value = try outcome?.get()
                        #expect(value == 7)
                    }
                }
            }
        }

        // MARK: Limits of time, on sockets

        /// One byte each, sent about when the limit fires; what the limit has cut off, the next call finds.
        @Test(arguments: ["read", "line", "datagram", "connection"])
        func nothingIsLostWhereALimitFiresBesideTheResult(what: String) throws {
            // A tick is one pass, so that everything goes through several.
            try onLoop(configuration: Configuration(budget: .zero)) { loop in
                let (client, server) = try await tcpPair(loop)
                let listener = try TCPListener(on: loop, at: .loopback(port: 0))
                let (one, other) = (try UDPSocket(on: loop, at: .loopback(port: 0)), try UDPSocket(on: loop))
                let target = one.localAddress
                let receive: @Sendable () async throws -> Void = {
                    switch what {
                    case "read": _ = try await server.read(exactly: 1)
                    case "line":
                        var lines = server.lines.makeAsyncIterator()
                        _ = try await lines.next(isolation: nil)
                    case "datagram": _ = try await one.receive()
                    default: _ = try await listener.accept()
                    }
                }
                for round in 0..<100 {
                    let limit = Duration.microseconds(200 + round % 7 * 50)
                    loop.callLater(limit) {
                        loop.run({
                            switch what {
                            case "read": try await client.write("x")
                            case "line": try await client.write("\n")
                            case "datagram": try await other.send("x", to: target)
                            default: _ = try await TCPStream.connect(to: listener.localAddress, on: loop)
                            }
                        })
                    }
                    do {
                        try await withTimeout(limit, clock: loop.clock, receive)
                    } catch is TimeoutError {
                        try await withTimeout(.seconds(10), clock: loop.clock, receive)
                    }
                }
            }
        }

        // MARK: Waiters

        @Test func anOutcomeThatComesWhileTheWaitIsSetUpIsTheWaits() throws {
            try withLoop { host, loop in
                var outcomes: [String] = []
                let disarms = Box(0)
                func start(_ body: @escaping @Sendable (Waiter) -> Void) {
                    loop.run({
                        try await loop.wait(for: "a test", site: CallSite()) { waiter in
                            body(waiter)
                            return { disarms.value += 1 }
                        }
                    }) { outcomes.append("\($0)") }
                }
                start { waiter in
                    waiter.resume()
                    waiter.wasCancelled()
                }
                start { waiter in
                    waiter.wasCancelled()
                    waiter.resume()
                }
                for _ in 0..<20 { host.tick() }
                #expect(outcomes == ["success()", "failure(Swift.CancellationError())"])
                #expect(disarms.value == 1)
                #expect(loop.members.waiters.isEmpty)
            }
        }

        @Test func aConnectionThatWasMadeReachesATaskThatIsCancelledThen() throws {
            try withLoop { host, loop in
                let run = Box<GuestRun<GuestSocket>?>(nil)
                var outcome: Result<GuestSocket, any Error>?
                run.value = loop.run({
                    try await ConnectRace([.loopback(port: 1)], on: loop) { _, done in
                        loop.callSoon {
                            done(Result { () throws(GuestError) in try GuestSocket(.ipv4, SOCK_STREAM, on: loop) })
                            run.value?.cancel()
                        }
                        return {}
                    }.run()
                }) { outcome = $0 }
                for _ in 0..<20 where outcome == nil { host.tick() }
                let socket = try outcome?.get()
                #expect(socket?.isClosed == false)
                run.value = nil
            }
        }

        // MARK: Datagrams

        /// A datagram that arrives between two system calls of `receive(upTo:)`.
        @Test func aDatagramIsWholeWheneverItArrives() throws {
            try onLoop { loop in
                let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
                let target = receiver.localAddress
                let isOver = Number()
                let sender = Task.detached {
                    let fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
                    defer { close(fd) }
                    let bytes = [UInt8](repeating: 7, count: 100)
                    var sent = 0
                    // Beside the receiver, not ahead of it.
                    while isOver.load() == 0, sent < 1_000_000 {
                        target.withRaw { _ = sendto(fd, bytes, bytes.count, 0, $0, $1) }
                        sent += 1
                        for _ in 0..<sent % 50 { sched_yield() }
                    }
                }
                var whole = 0
                let end = ContinuousClock.now.advanced(by: .seconds(10))
                while whole < 20_000, ContinuousClock.now < end {
                    let datagram = try await receiver.receive()
                    #expect(datagram.bytes.count == 100 && !datagram.isTruncated)
                    whole += 1
                }
                isOver.store(1)
                await sender.value
            }
        }
    }
}
