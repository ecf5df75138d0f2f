// SPDX-License-Identifier: Apache-2.0
// OutgoingMessages: what is to be written on a stream, message by message, within a bound.
// Idea:   a message that the kernel has begun to take must be written to its end, since the peer would take the next one's bytes for its rest. All
//         others can still be dropped whole.
// Owner:  an outbox; on the UI thread.

import DequeModule

/// Messages in the order in which they are to be written. Pure; tested alone.
struct OutgoingMessages {
    /// What keeping a message costs besides its bytes, in bytes.
    static let overhead = 32
    /// Small messages are written together, up to so many bytes in one call.
    private static let gathered = 16_384

    private struct Message {
        let bytes: [UInt8]
        /// Counted from 1, by age; 0 of one that was put in between.
        let number: Int
    }

    private var messages: Deque<Message> = []
    /// How many bytes of the first one have been written.
    private var written = 0
    /// What the messages cost, the written part of the first one included.
    private(set) var cost = 0
    /// The number of the last message that was appended.
    private(set) var lastNumber = 0

    var isEmpty: Bool { messages.isEmpty }
    var count: Int { messages.count }
    /// How many bytes are left to be written.
    var byteCount: Int { cost - messages.count * Self.overhead - written }

    /// Has the message of that number, and all before it, been written or dropped?
    func hasLeft(_ number: Int) -> Bool { messages.first.map { $0.number > number } ?? true }

    static func cost(of message: [UInt8]) -> Int { message.count + overhead }

    mutating func append(_ message: [UInt8]) {
        lastNumber += 1
        messages.append(Message(bytes: message, number: lastNumber))
        cost += Self.cost(of: message)
    }

    /// Puts a message before all that have not been begun.
    mutating func insertNext(_ message: [UInt8]) {
        messages.insert(Message(bytes: message, number: 0), at: written > 0 ? 1 : 0)
        cost += Self.cost(of: message)
    }

    /// Is the first message one of which nothing has been written?
    var isBetweenMessages: Bool { written == 0 }

    /// Drops the oldest message that has not been begun; `false` if there is none.
    mutating func dropOldest() -> Bool {
        let index = written > 0 ? 1 : 0
        guard messages.count > index else { return false }
        cost -= Self.cost(of: messages.remove(at: index).bytes)
        return true
    }

    /// Drops all of them, begun or not; says how many.
    mutating func removeAll() -> Int {
        defer { (messages, written, cost) = ([], 0, 0) }
        return messages.count
    }

    /// Lends what is to be written next to `write`, which says how much of it was written (`nil`: nothing, for the present), and forgets that.
    mutating func writeNext(
        _ write: (UnsafeRawBufferPointer) throws(GuestError) -> Int?
    ) throws(GuestError) -> Int? {
        guard let first = messages.first?.bytes else { return nil }
        let count: Int?
        if messages.count == 1 || first.count - written >= Self.gathered {
            count = try first.span.bytes.withUnsafeBytes { bytes throws(GuestError) in
                try write(UnsafeRawBufferPointer(rebasing: bytes[written...]))
            }
        } else {
            count = try withUnsafeTemporaryAllocation(byteCount: Self.gathered, alignment: 1) {
                buffer throws(GuestError) in
                try write(UnsafeRawBufferPointer(rebasing: buffer[..<gather(into: buffer)]))
            }
        }
        if let count { advance(by: count) }
        return count
    }

    /// Copies as much as fits.
    private func gather(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var (filled, skipped) = (0, written)
        for message in messages {
            let part = message.bytes[skipped...].prefix(buffer.count - filled)
            buffer[filled...].copyBytes(from: part)
            filled += part.count
            skipped = 0
            if filled == buffer.count { break }
        }
        return filled
    }

    private mutating func advance(by count: Int) {
        written += count
        while let first = messages.first?.bytes, written >= first.count {
            written -= first.count
            cost -= Self.cost(of: first)
            messages.removeFirst()
        }
    }
}
