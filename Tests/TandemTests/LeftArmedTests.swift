// SPDX-License-Identifier: Apache-2.0
// LeftArmedTests: a socket's wait leaves its entry in the epoll set armed for the next one, and its objects; a reader that comes late is not
//                 woken for nothing, and what was read a moment ago is not asked for again.

import CTestSupport
import Glibc
import SystemPackage
import TandemCLinux
import TandemTesting
import Testing

@testable import Tandem

extension Core.IOTests {
    /// A task that receives from `receiver`, one datagram after the other, and lets itself be held up in between.
    // Safe: the loop's run and the test are on one thread.
    private final class Reader: @unchecked Sendable {
        let loop: GuestLoop
        let receiver: UDPSocket
        let sender: UDPSocket
        private(set) var received = 0
        /// What the kernel was asked to do with the receiver's entry.
        private(set) var calls: [Int32] = []
        /// The error of the next change of the entry.
        var refusal: Errno?
        /// Datagrams after which the task waits for ``release()``.
        var pausesAfter = 0
        private var goOn: CheckedContinuation<Void, Never>?

        init(_ loop: GuestLoop) throws {
            self.loop = loop
            receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
            sender = try UDPSocket.connected(to: receiver.localAddress, on: loop)
            let number = receiver.socket.descriptor.rawValue
            loop.shared.poller.controlFault = { [unowned self] operation, fd in
                guard fd == number else { return nil }
                calls.append(operation)
                defer { refusal = nil }
                return operation == EPOLL_CTL_MOD ? refusal : nil
            }
        }

        func start() {
            loop.run { [self] in
                while true {
                    _ = try await receiver.receive(upTo: 16)
                    received += 1
                    if received == pausesAfter { await withCheckedContinuation { goOn = $0 } }
                }
            }
        }

        func send() throws { try sender.sendNow([1]) }
        func release() { goOn?.resume() }
        func forgetCalls() { calls = [] }
        func end() { loop.shared.poller.controlFault = nil }
    }

    private func withReader(pausesAfter: Int = 0, _ body: (ManualHost, GuestLoop, Reader) throws -> Void) throws {
        try withLoop { host, loop in
            let reader = try Reader(loop)
            reader.pausesAfter = pausesAfter
            defer { reader.end() }
            reader.start()
            #expect(host.run { reader.calls == [EPOLL_CTL_ADD] })
            try body(host, loop, reader)
        }
    }

    @Test func theNextWaitOfASocketAsksTheKernelForNothing() throws {
        try withReader { host, loop, reader in
            for round in 1...20 {
                try reader.send()
                #expect(host.run { reader.received == round })
            }
            #expect(reader.calls == [EPOLL_CTL_ADD])
            #expect(ticks(host, loop) < 20)
        }
    }

    @Test func aReaderThatComesLateIsToldOnceAndHasOneShotWaitsForAWhile() throws {
        try withReader(pausesAfter: 1) { host, loop, reader in
            try reader.send()
            #expect(host.run { reader.received == 1 })
            // Nobody waits for this one.
            try reader.send()
            #expect(host.run { reader.calls == [EPOLL_CTL_ADD, EPOLL_CTL_MOD] })
            #expect(ticks(host, loop) < 20)
            #expect(reader.received == 1 && reader.calls.count == 2)
            reader.release()
            #expect(host.run { reader.received == 2 })
            reader.forgetCalls()
            // Fifteen one-shot waits, of which the first has begun; then one that leaves the entry armed.
            for round in 3...30 {
                try reader.send()
                #expect(host.run { reader.received == round })
            }
            #expect(reader.calls == Array(repeating: EPOLL_CTL_MOD, count: 15))
        }
    }

    @Test(arguments: [Errno.noMemory, .noSuchFileOrDirectory])
    func anEntryThatCannotBeSilencedIsTakenOut(_ failure: Errno) throws {
        try withReader(pausesAfter: 1) { host, loop, reader in
            try reader.send()
            #expect(host.run { reader.received == 1 })
            reader.refusal = failure
            try reader.send()
            #expect(host.run { reader.calls == [EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL] })
            #expect(ticks(host, loop) < 20)
            #expect(loop.statistics.registrations == 0)
            reader.release()
            for round in 3...5 {
                #expect(host.run { reader.received == round - 1 })
                try reader.send()
            }
            #expect(host.run { reader.received == 5 })
            #expect(reader.calls == [EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLL_CTL_ADD])
        }
    }

    /// The kernel reports a listener, a stream or a datagram, and the call that follows finds nothing after all.
    @Test func aReportThatHasBroughtNothingComesAgain() throws {
        try withLoop { host, loop in
            let (near, far) = try socketPair()
            let stream = try GuestSocket(adopting: near, on: loop)
            defer { stream.close() }
            let waits = Box(0)
            _ = try far.writeAll([1])
            loop.run {
                for _ in 0..<5 {
                    try await stream.wait(.readable, CallSite())
                    waits.value += 1
                }
                _ = try stream.receive(upTo: 16)
                try await stream.wait(.readable, CallSite())
                waits.value += 1
            }
            #expect(host.run { waits.value == 5 })
            // It was read. Nothing is reported until there is more.
            #expect(ticks(host, loop) < 20)
            #expect(waits.value == 5)
            _ = try far.writeAll([2])
            #expect(host.run { waits.value == 6 })
            try far.close()
        }
    }

    /// A stream whose peer has gone is reported until it is closed, whatever was asked for.
    @Test func aHangUpThatNobodyWaitsForKeepsNobodyAwake() throws {
        try withLoop { host, loop in
            let (near, far) = try socketPair()
            let stream = try GuestSocket(adopting: near, on: loop)
            let ends = Box(0)
            loop.run {
                try await stream.wait(.readable, CallSite())
                ends.value += 1
            }
            #expect(host.run { loop.statistics.registrations == 1 })
            try far.close()
            #expect(host.run { ends.value == 1 })
            #expect(ticks(host, loop) < 20)
            stream.close()
            #expect(loop.statistics.registrations == 0)
        }
    }

    /// What another thread's cancellation may still reach is not the next wait's.
    @Test func aReadersObjectsServeItsNextWaitOnceNobodyRefersToThem() throws {
        try withLoop { host, loop in
            var kept = KeptWait()
            var first: Waiter? = kept.waiter(loop, nil)
            first!.resume()
            #expect(first!.isOver)
            // Somebody has it: a late cancellation, say.
            let second = kept.waiter(loop, nil)
            #expect(second !== first && !second.isOver)
            first = nil
            // It is in its wait.
            let other = kept.waiter(loop, nil)
            #expect(other !== second)
            kept = KeptWait()
            first = kept.waiter(loop, nil)
            first!.resume(throwing: GuestError.closed)
            let third = ObjectIdentifier(first!)
            first = nil
            let again = kept.waiter(loop, nil)
            #expect(ObjectIdentifier(again) == third && !again.isOver && !again.isWaiting)
            #expect(throws: Never.self) { try again.finish() }

            let pipe = try Pipe()
            var ended = kept.endedWatch()
            #expect(ended == nil)
            var watch: IOHandle? = try loop.watch(pipe.reader, .readable, .call {}, CallSite())
            kept.keep(watch!)
            ended = kept.endedWatch()
            #expect(ended == nil, "it is registered")
            watch!.cancel()
            ended = kept.endedWatch()
            #expect(ended == nil, "the test has it, too")
            watch = nil
            ended = kept.endedWatch()
            let used = try #require(ended)
            var calls = 0
            let handle = try loop.watch(
                pipe.reader, .readable, .call { calls += pipe.read() }, CallSite(), reusing: used)
            #expect(handle === used && !handle.isDone)
            try pipe.write()
            #expect(host.run { calls == 1 })
        }
    }

    @Test func aBatchThatWasNotFullIsNotAskedForMoreInTheSameMoment() throws {
        try onLoop { loop in
            let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
            let sender = try UDPSocket.connected(to: receiver.localAddress, on: loop)
            let batch = DatagramBatch(capacity: 2, messageSize: 16)
            // It was full: the next one is there at once, and nothing is registered.
            for _ in 0..<3 { try sender.sendNow([1]) }
            #expect(try await receiver.receive(batch) == 2)
            #expect(try await receiver.receive(batch) == 1)
            #expect(loop.statistics.registrations == 0)
            // It was not: what has come since is found by a wait, and not lost. Now and then the task is held up in between,
            // and asks.
            for round in UInt8(2)...100 where loop.statistics.registrations == 0 {
                try sender.sendNow([round])
                #expect(try await receiver.receive(batch) == 1)
                #expect(batch.withBytes(at: 0) { $0.unsafeLoad(as: UInt8.self) } == round)
            }
            #expect(loop.statistics.registrations == 1)
        }
    }

    @Test func aTickStopsPollingAgainWhereThatFindsNothing() throws {
        let host = try HeadlessHost()
        defer { host.close() }
        let pipe = try Pipe()
        var count = 0
        _ = try host.loop.whenReadable(pipe.reader) { count += pipe.read() }
        for round in 1...200 {
            try pipe.write()
            #expect(host.run(within: .seconds(20)) { count == round })
        }
        // Each polled again before, which is a system call for nothing.
        #expect((1...60).contains(host.loop.statistics.hotPolls))
    }
}
