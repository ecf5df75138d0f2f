// SPDX-License-Identifier: Apache-2.0
// Audience: everybody who looks on, each with a bounded queue of what is yet to be sent.
// Idea:   the game publishes and never waits. A slow spectator misses the oldest views; one too many is refused.
// Owner:  any thread; the game's publishes, the server's take.

import Synchronization

final class Audience: Sendable {
    private struct Members {
        var queues: [Int: AsyncStream<String>.Continuation] = [:]
        var joined = 0
        var isClosed = false
    }

    private let members = Mutex(Members())
    private let limit: Int
    /// Views that may wait for one spectator.
    static let mostWaiting = 8

    init(limit: Int) { self.limit = limit }

    var count: Int { members.withLock { $0.queues.count } }

    func publish(_ view: String) {
        members.withLock { for queue in $0.queues.values { queue.yield(view) } }
    }

    /// The views from now on; `nil` if there are too many spectators, or the server ends. Whoever stops reading has left.
    func join() -> AsyncStream<String>? {
        members.withLock { members in
            guard !members.isClosed, members.queues.count < limit else { return nil }
            members.joined += 1
            let key = members.joined
            let (views, queue) = AsyncStream.makeStream(
                of: String.self, bufferingPolicy: .bufferingNewest(Self.mostWaiting))
            members.queues[key] = queue
            queue.onTermination = { _ in self.leave(key) }
            return views
        }
    }

    /// Ends everybody's view, when what waits has been sent; nobody joins any more.
    func close() {
        let queues = members.withLock { members in
            members.isClosed = true
            return Array(members.queues.values)
        }
        // Outside the lock: each end calls `leave`.
        for queue in queues { queue.finish() }
    }

    private func leave(_ key: Int) { members.withLock { $0.queues[key] = nil } }
}
