// SPDX-License-Identifier: Apache-2.0
// HostConformance: what every host of a guest loop must get right, as checks that any host can run.
// Idea:   a behaviour is a function that drives a host at work and throws a sentence when the host falls short. Nothing here
//         knows a test framework, so that both of Swift's can use it.
// Owner:  the thread that calls `run`, which becomes the UI thread of each host made.

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
        Behaviour("loops may follow each other on one thread, and leave no descriptor") { makeHost in
            func descriptors() -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
            }
            func round() throws {
                try with(makeHost) { host, loop in
                    loop.callLater(.seconds(100)) {}
                    loop.run({ try await loop.sleep(for: .seconds(100)) })
                    loop.tick()
                }
            }
            try round()
            let before = descriptors()
            for _ in 0..<50 { try round() }
            // Other threads may open some of their own meanwhile; fifty loops would leave a hundred.
            let after = descriptors()
            try expect(after < before + 40, "\(before) descriptors before, \(after) after")
        },
    ]
}

/// The manual host at work, for the suite.
extension ManualHost: ConformanceHost {
    /// Ends the loop.
    public func close() { loop.close() }
}
