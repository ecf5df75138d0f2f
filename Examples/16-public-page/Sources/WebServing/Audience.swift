// SPDX-License-Identifier: Apache-2.0
// Audience: everybody who looks on, each with a bounded queue of what is yet to be sent.
// Idea:   the game publishes and never waits. A slow onlooker misses the oldest states; one too many is refused.
// Owner:  any thread; the game's publishes, the server's take.
// Breaks: a queue that is used under the mutex. A task that is cancelled leaves under a lock of Swift's runtime, and what a queue is given
//         resumes a task, which takes that lock: the game's thread and the server's would wait for each other.

public import Hummingbird
import NIOCore
import Synchronization

/// Those who look on: what a game publishes is sent to each of them, as server-sent events. Any thread.
public final class Audience: Sendable {
    private typealias Queue = AsyncStream<String>.Continuation

    private struct Members {
        var queues: [Int: Queue] = [:]
        var joined = 0
        var isClosed = false
    }

    /// States that may wait for one onlooker.
    private static let mostWaiting = 8

    private let members = Mutex(Members())
    private let limit: Int

    /// An audience of `limit` onlookers at most.
    public init(limit: Int) { self.limit = limit }

    /// How many look on.
    public var count: Int { members.withLock { $0.queues.count } }

    /// Sends a state, which has one line, to everybody. Waits for nobody.
    public func publish(_ state: String) {
        for queue in members.withLock({ Array($0.queues.values) }) { queue.yield(state) }
    }

    /// The answer that lasts: the states from now on. Throws 503 if there are too many onlookers, or the audience has closed.
    public func liveView(for request: Request) throws -> Response {
        guard let states = join() else { throw HTTPError(.serviceUnavailable) }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: .init { writer in
                // An onlooker who leaves is gone at once, also from a game that stands still and publishes nothing.
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    for await state in states { try await writer.write(ByteBuffer(string: "data: \(state)\n\n")) }
                }
                try await writer.finish(nil)
            })
    }

    /// The states from now on; `nil` if there are too many onlookers, or the audience has closed. Whoever stops reading has left.
    public func join() -> AsyncStream<String>? {
        let (states, queue) = AsyncStream.makeStream(
            of: String.self, bufferingPolicy: .bufferingNewest(Self.mostWaiting))
        let key: Int? = members.withLock { members in
            guard !members.isClosed, members.queues.count < limit else { return nil }
            members.joined += 1
            members.queues[members.joined] = queue
            return members.joined
        }
        guard let key else { return nil }
        queue.onTermination = { _ in self.leave(key) }
        return states
    }

    /// Ends everybody's view, when what waits has been sent; nobody joins any more.
    public func close() {
        let queues = members.withLock { members in
            members.isClosed = true
            return Array(members.queues.values)
        }
        for queue in queues { queue.finish() }
    }

    private func leave(_ key: Int) {
        // What is taken out is let go outside of the lock.
        _ = members.withLock { $0.queues.removeValue(forKey: key) }
    }
}
