// SPDX-License-Identifier: Apache-2.0
// Support: a loop whose time moves only by hand, and a source that tells when an element has been taken in.
// Idea:   the algorithms work in tasks on Swift's pool. Time is moved only when each of them has come to rest: waits for its next element,
//         or sleeps on the loop. So the tests are the same at every run, however slow the machine.

import Foundation
import Synchronization
import Tandem
import TandemTesting
import Testing

/// A loop on the calling thread, with time that stands.
struct Stage {
    let host = ManualHost()
    let clock = VirtualClock()
    let loop: GuestLoop

    /// Runs `body` on a thread of its own, which is the loop's: the algorithms need Swift's pool for themselves.
    static func perform(_ body: @escaping @Sendable (Stage) throws -> Void) async throws {
        try await withCheckedThrowingContinuation { done in
            Thread {
                done.resume(
                    with: Result {
                        let stage = try Stage()
                        defer { stage.loop.close() }
                        try body(stage)
                    })
            }.start()
        }
    }

    private init() throws {
        var configuration = Configuration()
        configuration.timeSource = clock
        loop = try host.makeLoop(configuration: configuration)
    }

    /// Works until `condition` holds. What happens on the pool wakes no host: it is looked at every millisecond.
    func settle(_ condition: () -> Bool) {
        let end = ContinuousClock.now + .seconds(20)
        while !host.run(within: .milliseconds(1), until: condition) {
            if ContinuousClock.now > end {
                Issue.record("nothing came to rest within 20 s")
                return
            }
        }
    }

    /// Lets so many milliseconds pass at once, then works until so many sleepers stand on the loop.
    func pass(_ milliseconds: Int, sleepers: Int) {
        clock.advance(by: .milliseconds(milliseconds))
        host.tick(budget: .seconds(10))
        settle { loop.statistics.timers == sleepers }
    }

    /// Milliseconds since the beginning.
    var time: Int { Int(clock.elapsed / .milliseconds(1)) }
}

/// Elements that a test gives one by one.
final class Source<Element: Sendable>: AsyncSequence, Sendable {
    typealias Failure = Never
    private let (stream, continuation) = AsyncStream.makeStream(of: Element.self)
    private let asked = Atomic<Int>(0)
    private let given = Atomic<Int>(0)

    func give(_ element: Element) {
        given.add(1, ordering: .relaxed)
        continuation.yield(element)
    }

    func finish() { continuation.finish() }

    /// The consumer has dealt with all that was given, since it asks for more.
    var isDrained: Bool { asked.load(ordering: .acquiring) == given.load(ordering: .relaxed) + 1 }

    struct Iterator: AsyncIteratorProtocol {
        let source: Source
        var base: AsyncStream<Element>.Iterator

        mutating func next(isolation actor: isolated (any Actor)?) async -> Element? {
            source.asked.add(1, ordering: .acquiringAndReleasing)
            return await base.next(isolation: actor)
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(source: self, base: stream.makeAsyncIterator()) }
}

/// What came out, and when. Written on the loop's thread, which is the test's.
final class Record<Value: Sendable & Equatable>: @unchecked Sendable {
    // Safe to send: only the loop's thread touches it.
    struct Entry: Equatable {
        let time: Int
        let value: Value
    }
    var entries: [Entry] = []
}
