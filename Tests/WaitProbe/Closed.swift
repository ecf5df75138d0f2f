// SPDX-License-Identifier: Apache-2.0
// Closed: waits under which something closes their descriptors.
// Owner:  the main thread.

import CWaitProbe
import Foundation
import SystemPackage
import TandemSDL

/// The numbers of the eventfds, or of the timerfds, that `body` opens.
func opened(_ kind: String = "eventfd", by body: () throws -> Void) rethrows -> [Int32] {
    func all() -> Set<Int32> {
        Set(
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.compactMap { name in
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
                return target == "anon_inode:[\(kind)]" ? Int32(name) : nil
            } ?? [])
    }
    let before = all()
    try body()
    return all().subtracting(before).sorted()
}

@MainActor func closedBell() throws {
    var made: WakerHost?
    let numbers = try opened { made = try WakerHost() }
    let host = made!
    let loop = try GuestLoop(host: host)
    defer { loop.close() }
    check("the waker is one eventfd", numbers.count == 1)
    close(numbers[0])
    let before = probe_processor_time()
    work(loop, host.waker, seconds: 0.5)
    let spent = probe_processor_time() - before
    check("half a second asleep took \(spent) ns", spent < 200_000_000)
    var count = 0
    for round in 1...20 {
        Thread.detachNewThread { try? loop.post { MainActor.assumeIsolated { count += 1 } } }
        work(loop, host.waker, seconds: 10) { count == round }
    }
    check("posts wake the thread again", count == 20)
}

/// The waker's eventfd is closed while the thread sleeps in it. Nothing else ends that sleep in this hour.
/// `keepsTurn`: the thread sleeps in the epoll set, of which a closed descriptor is no entry any more.
@MainActor func closedAsleep(keepsTurn: Bool) throws {
    alarm(60)
    for hasDeadline in [false, true] {
        var made: WakerHost?
        let numbers = try opened { made = try WakerHost() }
        let host = made!
        let loop = try GuestLoop(host: host)
        defer { loop.close() }
        if keepsTurn { try keepTurn(loop, host.waker) }
        if hasDeadline { loop.callLater(hour) {} }
        var count = 0
        for round in 1...20 {
            Thread.detachNewThread {
                var asleep = 0
                while asleep < 20 {
                    asleep = host.waker.isArmed && mainThreadSleeps() ? asleep + 1 : 0
                    usleep(1000)
                }
                // Later rounds sleep in the eventfd that took the place of the first.
                if round == 1 { close(numbers[0]) }
                try? loop.post { MainActor.assumeIsolated { count += 1 } }
            }
            _ = loop.wait(on: host.waker, until: nil, work: .runs) { _ in count == round ? .ends : .goesOn }
        }
        let words = hasDeadline ? "with a deadline" : "without a deadline"
        check("twenty posts ended sleeps \(words)", count == 20)
    }
}

@MainActor func closedTurn() throws {
    let host = try WakerHost()
    var made: GuestLoop?
    let numbers = try opened { made = try GuestLoop(host: host) }
    let loop = made!
    defer { loop.close() }
    check("the loop has two eventfds", numbers.count == 2)
    let pipe = try FileDescriptor.pipe()
    _ = try loop.whenReadable(pipe.readEnd) {
        _ = try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { try pipe.readEnd.read(into: $0) }
    }
    var outcome: Result<Void, any Error>?
    loop.run({ try await loop.sleep(for: hour) }) { outcome = $0 }
    work(loop, host.waker, seconds: 0.1)
    for number in numbers { close(number) }
    let end = loop.now + .seconds(10)
    while outcome == nil, loop.now < end {
        // In frames, so that the backend polls.
        _ = try pipe.writeEnd.writeAll([1])
        usleep(10_000)
        loop.tick()
    }
    let error = outcome.flatMap { if case .failure(let error as GuestError) = $0 { error } else { nil } }
    check("the run is told: \(String(describing: error))", error?.code == .backendFailed)
    let before = probe_processor_time()
    usleep(500_000)
    let spent = probe_processor_time() - before
    check("half a second asleep took \(spent) ns", spent < 200_000_000)
}

/// One of the two eventfds that wake the backend is closed: deadlines are kept, and the close ends.
@MainActor func closedWakes() throws {
    // A close that waits for ever is told by the system.
    alarm(20)
    for which in [0, 1] {
        let host = try WakerHost()
        var made: GuestLoop?
        let numbers = try opened { made = try GuestLoop(host: host) }
        let loop = made!
        // In frames, so that the backend polls.
        for _ in 0..<20 {
            usleep(5000)
            loop.tick()
        }
        close(numbers[which])
        var hasFired = false
        loop.callLater(.milliseconds(20)) { hasFired = true }
        let start = monotonic()
        work(loop, host.waker, seconds: 10) { hasFired }
        check("an earlier deadline is kept: \(monotonic() - start) s", hasFired && monotonic() - start < 5)
        loop.close()
        check("the loop closes without its eventfd \(which)", true)
    }
}

/// A thread that sleeps in the epoll set, and whose timer was closed, keeps its deadlines, a little late.
@MainActor func closedTimer() throws {
    alarm(60)
    var made: WakerHost?
    let numbers = try opened("timerfd") { made = try WakerHost() }
    let host = made!
    // On a busy machine this thread may not run for longer than a usual lease. Then the backend would take the turn.
    var configuration = Configuration()
    configuration.turnLease = 60_000_000_000
    let loop = try GuestLoop(host: host, configuration: configuration)
    defer { loop.close() }
    check("the waker has one timer", numbers.count == 1)
    try keepTurn(loop, host.waker)
    close(numbers[0])
    for _ in 0..<3 {
        var hasFired = false
        let start = monotonic()
        loop.callLater(.milliseconds(20)) { hasFired = true }
        work(loop, host.waker, seconds: 10) { hasFired }
        check("a deadline is kept: \(monotonic() - start) s", hasFired && monotonic() - start < 5)
    }
    let before = probe_processor_time()
    work(loop, host.waker, seconds: 0.5)
    let spent = probe_processor_time() - before
    check("half a second asleep took \(spent) ns", spent < 200_000_000)
    check("the turn is kept", loop.statistics.turnsPassed == 0)
}

/// The backend finds a descriptor ready, so that this thread has the turn from then on.
@MainActor func keepTurn(_ loop: GuestLoop, _ waker: Waker) throws {
    let pipe = try FileDescriptor.pipe()
    var isRead = false
    _ = try loop.whenReadable(pipe.readEnd) {
        _ = try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { try pipe.readEnd.read(into: $0) }
        isRead = true
    }
    _ = try pipe.writeEnd.writeAll([1])
    work(loop, waker, seconds: 10) { isRead }
    check("a descriptor is served", isRead)
}
