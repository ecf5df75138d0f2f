// SPDX-License-Identifier: Apache-2.0
// MessageFramer: cuts a stream of bytes into messages. Keeps no more than one message and what has arrived behind it.

package struct MessageFramer: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0

    package init() {}

    static func framed(_ content: [UInt8]) -> [UInt8] {
        precondition(content.count <= GameProtocol.mostMessageBytes, "a message of \(content.count) bytes was made")
        return [UInt8(content.count >> 8), UInt8(content.count & 255)] + content
    }

    package mutating func append(_ more: [UInt8]) {
        bytes.removeFirst(start)
        start = 0
        bytes += more
    }

    /// The next whole message's content; `nil`: it has not arrived.
    package mutating func next() throws(Malformed) -> ArraySlice<UInt8>? {
        guard bytes.count - start >= 2 else { return nil }
        let count = Int(bytes[start]) << 8 | Int(bytes[start + 1])
        guard (1...GameProtocol.mostMessageBytes).contains(count) else {
            throw Malformed("a message of \(count) bytes; expected 1 to \(GameProtocol.mostMessageBytes)")
        }
        guard bytes.count - start >= count + 2 else { return nil }
        defer { start += count + 2 }
        return bytes[start + 2..<start + 2 + count]
    }
}
