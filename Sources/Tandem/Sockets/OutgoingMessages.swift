// SPDX-License-Identifier: Apache-2.0
// OutgoingMessages: a bounded queue of messages that are to be written on a stream.
// Idea:   if the kernel has taken a part of a message, the rest must be written, too; otherwise the peer would read the
//         next message as that rest. All other messages can be dropped as a whole.
// Owner:  an outbox, on the UI thread.

import DequeModule

/// Messages in the order in which they are to be written. Pure; tested alone.
struct OutgoingMessages {
    /// What keeping a message costs besides its bytes, in bytes.
    static let overhead = 32
    /// Small messages are written together, up to this many bytes in one call.
    private static let gathered = 16_384

    private struct Message {
        let bytes: [UInt8]
        /// Counted from 1 in the order of `append`. 0 for a message that was inserted in between.
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

    /// Whether the message of that number, and all before it, have been written or dropped.
    func hasLeft(_ number: Int) -> Bool { messages.first.map { $0.number > number } ?? true }

    static func cost(of message: [UInt8]) -> Int { message.count + overhead }

    mutating func append(_ message: [UInt8]) {
        lastNumber += 1
        messages.append(Message(bytes: message, number: lastNumber))
        cost += Self.cost(of: message)
    }

    /// Inserts a message before all messages of which nothing has been written.
    mutating func insertNext(_ message: [UInt8]) {
        messages.insert(Message(bytes: message, number: 0), at: written > 0 ? 1 : 0)
        cost += Self.cost(of: message)
    }

    /// Whether nothing of the first message has been written.
    var isBetweenMessages: Bool { written == 0 }

    /// Drops the oldest message of which nothing has been written. `false` if there is none.
    mutating func dropOldest() -> Bool {
        let index = written > 0 ? 1 : 0
        guard messages.count > index else { return false }
        cost -= Self.cost(of: messages.remove(at: index).bytes)
        return true
    }

    /// Drops all messages, also one that is partly written. Returns how many.
    mutating func removeAll() -> Int {
        defer { (messages, written, cost) = ([], 0, 0) }
        return messages.count
    }

    /// Calls `write` with the bytes that come next. It returns how many it has written (`nil`: none can be written
    /// now), and those are removed.
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
