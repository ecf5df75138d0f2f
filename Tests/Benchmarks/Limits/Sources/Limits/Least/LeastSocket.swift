// SPDX-License-Identifier: Apache-2.0
// LeastSocket: a UDP socket from which one task receives batches of datagrams, and to which one sends them.
// Owner:  the main thread.

import CLimits
import Glibc

final class LeastSocket: @unchecked Sendable {
    // Safe: all of it happens on the main thread.
    private let descriptor: Int32
    private let reader = LeastWait()
    private let writer = LeastWait()
    @exclusivity(unchecked) private var isReadable = true
    @exclusivity(unchecked) private var isWritable = true

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// `received`: what takes the datagrams, where no task does.
    func watch(by poller: LeastPoller, received: ((_ count: Int) throws -> Void)? = nil) {
        // Edges alone: nothing has to be armed again.
        let events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLET.rawValue
        _ = poller.watch(descriptor, events) { [self] events in
            if events & EPOLLIN.rawValue != 0 {
                isReadable = true
                if let received { try received(receiveNow()) } else { reader.resume() }
            }
            if events & EPOLLOUT.rawValue != 0 {
                isWritable = true
                writer.resume()
            }
        }
    }

    /// What is there, at most a batch.
    func receiveNow() -> Int {
        guard isReadable else { return 0 }
        let count = Int(limits_receive(descriptor))
        // A batch with room left has emptied the socket: what comes later is a new edge.
        isReadable = count == limits_room
        return max(0, count)
    }

    /// Waits until there is something.
    @inline(never) func receive() async throws -> Int {
        while true {
            let count = receiveNow()
            if count > 0 { return count }
            try await reader.suspend {}
        }
    }

    /// Sends the datagrams from `first` on, as far as the socket takes them. How many it took.
    func sendNow(from first: Int = 0) -> Int {
        guard isWritable else { return 0 }
        let count = max(0, Int(limits_send(descriptor, Int32(first))))
        isWritable = first + count == limits_datagrams
        return count
    }

    /// Sends them all.
    @inline(never) func send() async throws {
        try Task.checkCancellation()
        var sent = sendNow()
        while sent < limits_datagrams {
            try await writer.suspend {}
            sent += sendNow(from: sent)
        }
    }
}
