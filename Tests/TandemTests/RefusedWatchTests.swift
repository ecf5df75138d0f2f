// SPDX-License-Identifier: Apache-2.0
// RefusedWatchTests: the kernel refuses what it has to be told about a watch, and entries outlive their descriptors. Behaviour 33, 61.

import CTestSupport
import Glibc
import SystemPackage
import TandemCLinux
import TandemTesting
import Testing

@testable import Tandem

extension Core.IOTests {
    private func withLog(_ body: (ManualHost, GuestLoop, Log) throws -> Void) throws {
        let log = Log()
        var configuration = Configuration.unhurried
        configuration.logger = log.logger
        try withLoop(configuration: configuration) { try body($0, $1, log) }
    }

    /// How many ticks there is a reason for while nothing happens.
    func ticks(_ host: ManualHost, _ loop: GuestLoop) -> Int {
        let (before, end) = (loop.statistics.ticks, ContinuousClock.now + .milliseconds(200))
        _ = host.run(within: .milliseconds(200)) { ContinuousClock.now >= end }
        return loop.statistics.ticks - before
    }

    /// A task waits until `fd` can be read and another until it can be written, which it can: the entry has to be armed anew for the first.
    private func waitTwice(_ loop: GuestLoop, _ fd: FileDescriptor) -> (
        read: Box<Result<Void, any Error>?>, written: Box<Bool>
    ) {
        let (read, written) = (Box<Result<Void, any Error>?>(nil), Box(false))
        loop.run({ try await loop.waitUntilReadable(fd) }) { read.value = $0 }
        loop.run({ try await loop.waitUntilWritable(fd) }) { _ in written.value = true }
        return (read, written)
    }

    /// Asks `fault` at each change of the entry but the first, which is the second wait's own. Set before the waits begin: the backend may report
    /// the descriptor while the tick that they begin in still runs.
    private func refuseArmingAnew(_ loop: GuestLoop, _ fd: FileDescriptor, _ fault: @escaping () -> Errno?) {
        var changes = 0
        loop.shared.poller.controlFault = { operation, number in
            guard number == fd.rawValue, operation == EPOLL_CTL_MOD else { return nil }
            changes += 1
            return changes > 1 ? fault() : nil
        }
    }

    @Test(arguments: [Errno.noMemory, .noSpace, .tooManySymbolicLinkLevels])
    func aWatchThatCannotBeArmedAnewIsTriedAgain(_ failure: Errno) throws {
        try withLog { host, loop, log in
            let (near, far) = try socketPair()
            defer { for end in [near, far] { try? end.close() } }
            var refusals = 3
            refuseArmingAnew(loop, near) {
                guard refusals > 0 else { return nil }
                refusals -= 1
                return failure
            }
            let (read, written) = waitTwice(loop, near)
            #expect(host.run { written.value && refusals == 0 })
            _ = try far.writeAll("x".utf8)
            #expect(host.run { read.value != nil })
            #expect(throws: Never.self) { try read.value?.get() }
            #expect(log.lines.filter { $0.contains("trying again") }.count == 1)
        }
    }

    @Test func aWatchThatIsRefusedForGoodTellsItsOwner() throws {
        try withLog { host, loop, log in
            let (near, far) = try socketPair()
            defer { for end in [near, far] { try? end.close() } }
            refuseArmingAnew(loop, near) { .noMemory }
            let (read, written) = waitTwice(loop, near)
            #expect(host.run { written.value && read.value != nil })
            #expect { try read.value?.get() } throws: { ($0 as? GuestError)?.errno == .noMemory }
            #expect(loop.statistics.registrations == 0)
            #expect(ticks(host, loop) < 20)
        }
    }

    @Test(arguments: [Errno.noMemory, .noSpace, .tooManySymbolicLinkLevels])
    func aQuestionThatTheKernelDoesNotAnswerEndsNoWatch(_ failure: Errno) throws {
        try withLog { host, loop, log in
            let pipes = [try Pipe(), try Pipe()]
            var read = [0, 0]
            for (index, pipe) in pipes.enumerated() {
                _ = try loop.whenReadable(pipe.reader) { read[index] += pipe.read() }
            }
            loop.shared.poller.controlFault = { operation, _ in operation == EPOLL_CTL_ADD ? failure : nil }
            for round in 1...5 {
                for pipe in pipes { try pipe.write() }
                #expect(host.run { read == [round, round] })
            }
            #expect(log.lines == [] && loop.statistics.registrations == 2)
        }
    }

    /// The entry outlives the number, which is closed, by a duplicate.
    @Test(arguments: [true, false])
    func anEntryThatADuplicateKeepsAliveIsGotRidOf(isCancelled: Bool) throws {
        try withLog { host, loop, log in
            let (pipe, other, third) = (try Pipe(), try Pipe(), try Pipe())
            // Other tests open files meanwhile. The kernel gives them the lowest number that is free: not this one, once it is closed.
            let number = fcntl(pipe.reader.rawValue, F_DUPFD_CLOEXEC, 930)
            try pipe.write()
            var calls = 0
            let watch = try loop.whenReadable(FileDescriptor(rawValue: number)) { calls += 1 }
            var (read, isDone) = (0, false)
            _ = try loop.whenReadable(other.reader) { read += other.read() }
            let waiting = third.reader
            loop.run({ try await loop.waitUntilReadable(waiting) }) { _ in isDone = true }
            #expect(host.run { calls > 0 })
            close(number)
            if isCancelled { watch.cancel() }
            #expect(host.run { log.lines.contains { $0.contains("a new epoll set was made") } })
            #expect(watch.isDone)
            let last = calls
            #expect(ticks(host, loop) < 20)
            #expect(calls == last)
            // The others are in the new set.
            try other.write()
            try third.write()
            #expect(host.run { read == 1 && isDone })
            #expect(loop.statistics.registrations <= 2)
        }
    }

    @Test func anEntryThatCouldNotBeTakenOutIsTakenOutLater() throws {
        try withLog { host, loop, log in
            let pipe = try Pipe()
            try pipe.write()
            var calls = 0
            let watch = try loop.whenReadable(pipe.reader) { calls += 1 }
            #expect(host.run { calls > 0 })
            var refusals = 1
            loop.shared.poller.controlFault = { operation, fd in
                guard operation == EPOLL_CTL_DEL, fd == pipe.reader.rawValue, refusals > 0 else { return nil }
                refusals -= 1
                return .noMemory
            }
            watch.cancel()
            let last = calls
            #expect(ticks(host, loop) < 20)
            #expect(calls == last && refusals == 0 && log.lines == [])
            // And where the number is watched anew before that.
            refusals = 1
            let second = try loop.whenReadable(pipe.reader) {}
            second.cancel()
            var bytes = 0
            _ = try loop.whenReadable(pipe.reader) { bytes += pipe.read() }
            #expect(host.run { bytes == 1 })
        }
    }

    @Test func aNumberThatIsUsedAgainDuringAPauseGetsNoneOfTheOldReports() throws {
        try withLog { host, loop, log in
            let (old, new) = (try Pipe(), try Pipe())
            try old.write()
            try new.write()
            var calls = 0
            let watch = try loop.whenReadable(old.reader) { calls += 1 }
            #expect(host.run { !log.lines.isEmpty })
            // The handler is called at the beginning and at the end of a pause: this is in one.
            #expect(dup2(new.reader.rawValue, old.reader.rawValue) == old.reader.rawValue)
            let last = calls
            #expect(host.run { watch.isDone })
            #expect(calls == last)
            #expect(log.lines.contains { $0.contains("was closed with a watch on it") })
        }
    }

    @Test func aListenerThatMayNotAcceptEndsOrWaits() async {
        await #expect(processExitsWith: .success) { acceptWithoutPermission() }
    }
}

/// In a process of its own: a filter of system calls stays.
private func acceptWithoutPermission() {
    let log = Log()
    var configuration = Configuration.unhurried
    configuration.logger = log.logger
    let host = ManualHost()
    guard let loop = try? host.makeLoop(configuration: configuration),
        let listener = try? TCPListener(on: loop, at: .loopback(port: 0))
    else { exit(1) }
    guard test_refuse_accept(EPERM) == 0 else { exit(2) }
    // Nobody has connected: it is the call itself that is refused.
    let outcome = Box<Result<Void, any Error>?>(nil)
    loop.run({ _ = try await listener.accept() }) { outcome.value = $0 }
    guard host.run(until: { outcome.value != nil }) else { exit(3) }
    guard case .failure(let error as GuestError)? = outcome.value, error.errno == .notPermitted else { exit(4) }
    // Somebody has: it might be that one's fault, so that it is tried again, in pauses.
    let connected = Box<TCPStream?>(nil)
    loop.run({ connected.value = try await TCPStream.connect(to: listener.localAddress, on: loop) })
    guard host.run(until: { connected.value != nil }) else { exit(5) }
    loop.run({ _ = try await listener.accept() })
    guard host.run(until: { log.lines.contains { $0.contains("growing pauses") } }) else { exit(6) }
    let (before, end) = (test_thread_time(), ContinuousClock.now + .milliseconds(300))
    _ = host.run(within: .milliseconds(300)) { ContinuousClock.now >= end }
    exit(test_thread_time() - before < 150_000_000 ? 0 : 7)
}
