// SPDX-License-Identifier: Apache-2.0
// Audience: everybody who looks on, each with a bounded line of what is yet to be sent.
// Idea:   the game publishes and never waits. A slow onlooker misses the oldest states; one too many is refused.
// Owner:  any thread; the game's publishes, the server's take.
// Breaks: a line that is used under the mutex. A task that is cancelled leaves under a lock of Swift's runtime, and what a line is given
//         resumes a task, which takes that lock: the game's thread and the server's would wait for each other.

import Synchronization

final class Audience: Sendable {
    private typealias Line = AsyncStream<String>.Continuation

    private struct Members {
        var lines: [Int: Line] = [:]
        var count = 0
        var isClosed = false
    }

    private let members = Mutex(Members())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var isEmpty: Bool { members.withLock { $0.lines.isEmpty } }

    func publish(_ state: String) {
        for line in members.withLock({ Array($0.lines.values) }) { line.yield(state) }
    }

    /// The states from now on, of which eight may wait; `nil` if there are too many onlookers, or the page has closed. Whoever stops reading has left.
    func join() -> AsyncStream<String>? {
        let (states, line) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(8))
        let key: Int? = members.withLock { members in
            guard !members.isClosed, members.lines.count < limit else { return nil }
            members.count += 1
            members.lines[members.count] = line
            return members.count
        }
        guard let key else { return nil }
        line.onTermination = { _ in self.leave(key) }
        return states
    }

    /// Ends everybody's view, for good.
    func close() {
        let lines = members.withLock { members in
            members.isClosed = true
            return Array(members.lines.values)
        }
        for line in lines { line.finish() }
    }

    private func leave(_ key: Int) {
        // What is taken out is let go outside of the lock.
        _ = members.withLock { $0.lines.removeValue(forKey: key) }
    }
}
