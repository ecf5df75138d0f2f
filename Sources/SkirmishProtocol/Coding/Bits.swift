// SPDX-License-Identifier: Apache-2.0
// Bits: numbers of so many bits, written one after the other and read back.
// Idea:   the reader trusts nothing: each read says what was expected and fails at the end of the bytes. It never allocates by a
//         number that came from the peer.
// Owner:  a value.

/// What a peer sent is not what this protocol says.
package struct Malformed: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Collects bits, the most significant first.
package struct BitWriter: Sendable {
    private(set) package var bytes: [UInt8] = []
    private var pending: UInt64 = 0
    private var pendingCount = 0

    package init() {}

    /// How many bits were written.
    package var bitCount: Int { bytes.count * 8 + pendingCount }

    /// The low `bits` of a number, at most 32.
    package mutating func put(_ value: UInt32, _ bits: Int) {
        pending = pending << UInt64(bits) | (UInt64(value) & (1 << UInt64(bits) - 1))
        pendingCount += bits
        while pendingCount >= 8 {
            pendingCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: pending >> UInt64(pendingCount)))
        }
    }

    /// A number that is known to be 0…2^bits - 1; others are clamped.
    package mutating func put(_ value: Int, _ bits: Int) {
        put(UInt32(min(max(value, 0), 1 << bits - 1)), bits)
    }

    /// A number with its sign, in two's complement.
    package mutating func put(signed value: Int, _ bits: Int) {
        let limit = 1 << (bits - 1)
        put(UInt32(truncatingIfNeeded: min(max(value, -limit), limit - 1)), bits)
    }

    package mutating func put(_ flag: Bool) { put(flag ? 1 : 0 as UInt32, 1) }

    package mutating func put(_ value: UInt64) {
        put(UInt32(truncatingIfNeeded: value >> 32), 32)
        put(UInt32(truncatingIfNeeded: value), 32)
    }

    /// A number that is mostly small: groups of five bits, each with a bit that says whether another follows.
    package mutating func putSmall(_ value: Int) {
        var rest = UInt64(max(0, value))
        repeat {
            put(UInt32(rest & 31), 5)
            rest >>= 5
            put(rest != 0)
        } while rest != 0
    }

    /// What ``putSmall(_:)`` takes.
    package static func costOfSmall(_ value: Int) -> Int {
        max(1, (Int.bitWidth - max(0, value).leadingZeroBitCount + 4) / 5) * 6
    }

    /// Text of at most 255 bytes; more is cut.
    package mutating func put(_ text: String) {
        let utf8 = Array(text.utf8.prefix(255))
        put(utf8.count, 8)
        for byte in utf8 { put(UInt32(byte), 8) }
    }

    package mutating func append(_ other: BitWriter) {
        for byte in other.bytes { put(UInt32(byte), 8) }
        if other.pendingCount > 0 { put(UInt32(truncatingIfNeeded: other.pending), other.pendingCount) }
    }

    /// Everything, filled up to whole bytes with zeros.
    package func finished(atLeast count: Int = 0) -> [UInt8] {
        var copy = self
        if pendingCount > 0 { copy.put(0 as UInt32, 8 - pendingCount) }
        while copy.bytes.count < count { copy.bytes.append(0) }
        return copy.bytes
    }
}

/// Reads what a ``BitWriter`` wrote.
package struct BitReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private let end: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex * 8
        end = bytes.endIndex * 8
    }

    package init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    package var bitsLeft: Int { end - position }

    package mutating func take(_ bits: Int) throws(Malformed) -> UInt32 {
        guard bits <= bitsLeft else { throw Malformed("it ends in the middle: \(bits) more bits were expected") }
        var value: UInt32 = 0
        var left = bits
        while left > 0 {
            let inByte = 8 - position & 7
            let count = min(inByte, left)
            let byte = UInt32(bytes[position >> 3]) >> UInt32(inByte - count) & (1 << UInt32(count) - 1)
            value = value << UInt32(count) | byte
            position += count
            left -= count
        }
        return value
    }

    package mutating func int(_ bits: Int) throws(Malformed) -> Int { Int(try take(bits)) }

    package mutating func signed(_ bits: Int) throws(Malformed) -> Int {
        let value = Int(try take(bits))
        return value >= 1 << (bits - 1) ? value - 1 << bits : value
    }

    package mutating func flag() throws(Malformed) -> Bool { try take(1) == 1 }

    package mutating func long() throws(Malformed) -> UInt64 { UInt64(try take(32)) << 32 | UInt64(try take(32)) }

    package mutating func small() throws(Malformed) -> Int {
        var value = 0
        for group in 0..<8 {
            value |= try int(5) << (group * 5)
            if try !flag() { return value }
        }
        throw Malformed("a number has more than 40 bits")
    }

    /// A number of a range; others are malformed.
    package mutating func int(_ bits: Int, in range: ClosedRange<Int>, _ what: String) throws(Malformed) -> Int {
        let value = try int(bits)
        guard range.contains(value) else { throw Malformed("\(what) was \(value); expected \(range)") }
        return value
    }

    /// Text of at most `limit` characters that can be shown: printable ASCII.
    package mutating func text(limit: Int, _ what: String) throws(Malformed) -> String {
        let count = try int(8, in: 0...limit, "the length of \(what)")
        var utf8: [UInt8] = []
        for _ in 0..<count {
            let byte = UInt8(try take(8))
            guard (32..<127).contains(byte) else { throw Malformed("\(what) has the byte \(byte); expected 32 to 126") }
            utf8.append(byte)
        }
        return String(decoding: utf8, as: UTF8.self)
    }

    /// Nothing but filling may be left.
    package mutating func finish() throws(Malformed) {
        guard bitsLeft < 8 else { throw Malformed("\(bitsLeft / 8) bytes are left over") }
    }
}
