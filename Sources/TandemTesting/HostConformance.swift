// SPDX-License-Identifier: Apache-2.0
// HostConformance: what every host of a guest loop must get right, as checks that any host can run.
// Idea:   a behaviour is a function that drives a host at work and throws a sentence when the host falls short. Nothing here
//         knows a test framework, so that both of Swift's can use it.
// Owner:  the thread that calls `run`, which becomes the UI thread of each host made.

import Dispatch
import Foundation
import Glibc
public import Tandem

/// A host at work, as the suite drives it.
public protocol ConformanceHost: AnyObject {
    /// The loop that the host ticks.
    var loop: GuestLoop { get }
    /// Goes on as the host goes on, sleeping as it sleeps, until `condition` holds; `false` if `limit` passed first.
    func run(within limit: Duration, until condition: () -> Bool) -> Bool
    /// Ends the loop, and whatever the host needed for it.
    func close()
}

/// The host conformance suite.
///
/// ```swift
/// @Test(arguments: HostConformance.behaviours)
/// func myHost(_ behaviour: HostConformance.Behaviour) throws {
///     try behaviour.check { try MyHost() }
/// }
/// ```
public enum HostConformance {
    /// What a host fell short of.
    public struct Failure: Error, CustomStringConvertible {
        /// The behaviour's name, and what was seen instead.
        public let description: String
    }

    /// One thing that a host must do.
    public struct Behaviour: Sendable, CustomStringConvertible {
        /// A sentence.
        public let description: String
        private let body: @Sendable (() throws -> any ConformanceHost) throws -> Void

        init(_ name: String, _ body: @escaping @Sendable (() throws -> any ConformanceHost) throws -> Void) {
            description = name
            self.body = body
        }

        /// Checks it on hosts that `makeHost` makes, one at a time, on the calling thread.
        public func check(makeHost: () throws -> any ConformanceHost) throws {
            do {
                try body(makeHost)
            } catch let failure as Failure {
                throw Failure(description: "\(description): \(failure.description)")
            }
        }
    }

    /// Runs every behaviour and returns what failed.
    public static func run(makeHost: () throws -> any ConformanceHost) -> [Failure] {
        behaviours.compactMap { behaviour in
            do {
                try behaviour.check(makeHost: makeHost)
                return nil
            } catch {
                return error as? Failure ?? Failure(description: "\(behaviour): \(error)")
            }
        }
    }

    private static let limit = Duration.seconds(20)

    private static func expect(_ condition: Bool, _ sentence: @autoclosure () -> String) throws {
        if !condition { throw Failure(description: sentence()) }
    }

    /// Makes a host, and closes it whatever happens.
    private static func with(
        _ makeHost: () throws -> any ConformanceHost, _ body: (any ConformanceHost, GuestLoop) throws -> Void
    ) throws {
        let host = try makeHost()
        defer { host.close() }
        try body(host, host.loop)
    }

    /// What is shared with a closure of another thread's, after a hand-over.
    private final class Cell<Value>: @unchecked Sendable {
        // Safe: written in ticks only, on the UI thread.
        var value: Value
        init(_ value: Value) { self.value = value }
    }

    /// Every behaviour.
    public static let behaviours: [Behaviour] = [
        Behaviour("a run's outcome arrives once, on the UI thread") { makeHost in
            try with(makeHost) { host, loop in
                let thread = pthread_self()
                var outcomes = 0
                var isHere = true
                for number in 0..<3 {
                    loop.run({
                        try await loop.sleep(for: .milliseconds(number))
                        if number == 1 { throw Failure(description: "thrown on purpose") }
                    }) { _ in
                        outcomes += 1
                        if pthread_self() != thread { isHere = false }
                    }
                }
                try expect(host.run(within: limit) { outcomes >= 3 }, "\(outcomes) of 3 outcomes arrived")
                try expect(outcomes == 3 && isHere, "\(outcomes) outcomes for 3 runs, on the right thread: \(isHere)")
            }
        },
        Behaviour("a post from another thread wakes the sleeping host") { makeHost in
            try with(makeHost) { host, loop in
                let count = Cell(0)
                for round in 1...100 {
                    Thread.detachNewThread { try? loop.post { count.value += 1 } }
                    try expect(host.run(within: limit) { count.value == round }, "post \(round) did not run")
                }
            }
        },
        Behaviour("a timer that the frame armed wakes the sleeping host, never early") { makeHost in
            try with(makeHost) { host, loop in
                for round in 1...20 {
                    let deadline = loop.now.advanced(by: .milliseconds(round % 4))
                    var fired: ContinuousClock.Instant?
                    loop.callAt(deadline) { fired = loop.now }
                    try expect(host.run(within: limit) { fired != nil }, "timer \(round) did not fire")
                    try expect(fired! >= deadline, "timer \(round) was early")
                }
            }
        },
        Behaviour("a descriptor that becomes readable wakes the sleeping host") { makeHost in
            try with(makeHost) { host, loop in
                // Sockets rather than a pipe: a late write to a closed one is an error, not a signal.
                var ends: [Int32] = [0, 0]
                guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
                    throw Failure(description: "the kernel gave no sockets")
                }
                let (reader, writer) = (ends[0], ends[1])
                defer { for end in [reader, writer] { Glibc.close(end) } }
                var bytes = 0
                let watch = try loop.whenReadable(.init(rawValue: reader)) {
                    var buffer: UInt8 = 0
                    bytes += read(reader, &buffer, 1)
                }
                for round in 1...20 {
                    Thread.detachNewThread { _ = send(writer, "x", 1, Int32(MSG_NOSIGNAL)) }
                    try expect(host.run(within: limit) { bytes == round }, "byte \(round) was not read")
                }
                watch.cancel()
            }
        },
        Behaviour("posts of many threads all run, in the order of each thread") { makeHost in
            try with(makeHost) { host, loop in
                let lasts = Cell([Int](repeating: 0, count: 4))
                for thread in 0..<4 {
                    Thread.detachNewThread {
                        for number in 1...10_000 {
                            try? loop.post { if lasts.value[thread] == number - 1 { lasts.value[thread] = number } }
                        }
                    }
                }
                try expect(
                    host.run(within: limit) { lasts.value.allSatisfy { $0 == 10_000 } },
                    "the last in order were \(lasts.value)")
            }
        },
        Behaviour("an endless chain of callbacks leaves room for timers and posts") { makeHost in
            try with(makeHost) { host, loop in
                var isOver = false
                func chain() { if !isOver { loop.callSoon { chain() } } }
                chain()
                var fired = false
                let posted = Cell(false)
                loop.callLater(.milliseconds(5)) { fired = true }
                Thread.detachNewThread { try? loop.post { posted.value = true } }
                let isFair = host.run(within: limit) { fired && posted.value }
                isOver = true
                try expect(isFair, "timer fired: \(fired), post ran: \(posted.value)")
            }
        },
        Behaviour("a host with nothing to do is not asked for ticks") { makeHost in
            try with(makeHost) { host, loop in
                var isDone = false
                loop.callSoon { isDone = true }
                _ = host.run(within: limit) { isDone }
                let before = loop.statistics
                _ = host.run(within: .milliseconds(100)) { false }
                let after = loop.statistics
                try expect(
                    after.callbacks == before.callbacks && after.hintsPosted - before.hintsPosted <= 1,
                    "\(after.hintsPosted - before.hintsPosted) requests while idle")
            }
        },
        Behaviour("closing from a callback ends runs with a cancellation") { makeHost in
            try with(makeHost) { host, loop in
                var outcome: Result<Void, any Error>?
                loop.run({ try await loop.sleep(for: .seconds(1000)) }) { outcome = $0 }
                loop.callLater(.milliseconds(1)) { loop.close() }
                try expect(host.run(within: limit) { outcome != nil }, "the run was not ended")
                guard case .failure(is CancellationError) = outcome else {
                    throw Failure(description: "the run ended with \(outcome!)")
                }
            }
        },
        Behaviour("closing from a task and from the frame, twice, ends what waits") { makeHost in
            for fromTask in [true, false] {
                try with(makeHost) { host, loop in
                    var outcome: Result<Void, any Error>?
                    loop.run({ try await loop.sleep(for: .seconds(1000)) }) { outcome = $0 }
                    if fromTask {
                        loop.run({
                            try await loop.sleep(for: .milliseconds(1))
                            loop.close()
                        })
                    } else {
                        var isReady = false
                        loop.callLater(.milliseconds(1)) { isReady = true }
                        _ = host.run(within: limit) { isReady }
                        loop.close()
                    }
                    try expect(host.run(within: limit) { outcome != nil }, "the run was not ended, task: \(fromTask)")
                    loop.close()
                }
            }
        },
        Behaviour("a close under eight posting threads runs every post that was accepted") { makeHost in
            try with(makeHost) { host, loop in
                let ran = Cell(0)
                let accepted = Cell(0)
                let lock = NSLock()
                let done = DispatchGroup()
                for _ in 0..<8 {
                    done.enter()
                    Thread.detachNewThread {
                        var count = 0
                        while (try? loop.post { ran.value += 1 }) != nil { count += 1 }
                        lock.withLock { accepted.value += count }
                        done.leave()
                    }
                }
                _ = host.run(within: limit) { ran.value > 1000 }
                loop.close()
                try expect(done.wait(timeout: .now() + 20) == .success, "a thread goes on posting to a closed loop")
                try expect(ran.value == accepted.value, "\(ran.value) of \(accepted.value) accepted posts ran")
            }
        },
        Behaviour("a deadline that the frame moves is obeyed, earlier and later") { makeHost in
            try with(makeHost) { host, loop in
                for delay in [3, 60] {
                    var fired: ContinuousClock.Instant?
                    let first = loop.callLater(.milliseconds(30)) {}
                    // The backend sleeps by the first deadline before it is moved.
                    var isAsleep = false
                    loop.callSoon { isAsleep = true }
                    _ = host.run(within: limit) { isAsleep }
                    first.cancel()
                    let deadline = loop.now.advanced(by: .milliseconds(delay))
                    loop.callAt(deadline) { fired = loop.now }
                    try expect(host.run(within: limit) { fired != nil }, "the timer of \(delay) ms did not fire")
                    try expect(fired! >= deadline, "the timer of \(delay) ms was early")
                    try expect(loop.statistics.timers == 0, "\(loop.statistics.timers) timers are left")
                }
            }
        },
        Behaviour("waking a host for nothing runs nothing") { makeHost in
            try with(makeHost) { host, loop in
                for _ in 0..<100 { loop.callSoon {}.cancel() }
                _ = host.run(within: .milliseconds(50)) { false }
                let statistics = loop.statistics
                try expect(statistics.callbacks == 0 && statistics.jobs == 0, "\(statistics.callbacks) callbacks ran")
            }
        },
        Behaviour("a host that does not tick is asked once, and catches up") { makeHost in
            try with(makeHost) { host, loop in
                let ran = Cell(0)
                let done = DispatchGroup()
                let before = loop.statistics.hintsPosted
                for _ in 0..<4 {
                    done.enter()
                    Thread.detachNewThread {
                        for _ in 0..<10_000 { try? loop.post { ran.value += 1 } }
                        done.leave()
                    }
                }
                for number in 0..<1000 { loop.callLater(.microseconds(number)) { ran.value += 1 } }
                // Nobody ticks meanwhile.
                try expect(done.wait(timeout: .now() + 20) == .success, "a post waits for a tick")
                let asked = loop.statistics.hintsPosted - before
                try expect(asked <= 2, "the host was asked \(asked) times without having ticked")
                try expect(
                    host.run(within: limit) { ran.value == 41_000 }, "\(ran.value) of 41000 pieces of work ran")
            }
        },
        Behaviour("loops may follow each other on one thread, and leave no descriptor and no thread") { makeHost in
            func count(_ folder: String) -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/\(folder)"))?.count ?? 0
            }
            func round() throws {
                try with(makeHost) { host, loop in
                    loop.callLater(.seconds(100)) {}
                    loop.run({ try await loop.sleep(for: .seconds(100)) })
                    loop.tick()
                }
            }
            try round()
            let before = (count("fd"), count("task"))
            for _ in 0..<200 { try round() }
            // Other threads may open some of their own meanwhile; two hundred loops would leave four hundred, and as many threads.
            let after = (count("fd"), count("task"))
            try expect(after.0 < before.0 + 100, "\(before.0) descriptors before, \(after.0) after")
            try expect(after.1 < before.1 + 100, "\(before.1) threads before, \(after.1) after")
        },
    ]
}

/// The manual host at work, for the suite.
extension ManualHost: ConformanceHost {
    /// Ends the loop.
    public func close() { loop.close() }
}
