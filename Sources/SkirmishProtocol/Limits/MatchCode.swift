// SPDX-License-Identifier: Apache-2.0
// MatchCode: the word that lets people in.
// Idea:   it has no description, so that no log can show it, and is compared over its greatest length, so that the time says nothing.

package struct MatchCode: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let bytes: [UInt8]
    private let count: Int

    /// `nil`: longer than a code may be, or not printable ASCII.
    package init?(_ text: String) {
        guard text.utf8.count <= GameProtocol.mostCodeLength, GameProtocol.isText(text) else { return nil }
        count = text.utf8.count
        bytes = Array(text.utf8) + Array(repeating: 0, count: GameProtocol.mostCodeLength - count)
    }

    /// Everybody is let in.
    package var isEmpty: Bool { count == 0 }

    /// Takes the same time for every code.
    package func matches(_ other: MatchCode) -> Bool {
        var difference = count ^ other.count
        for index in 0..<GameProtocol.mostCodeLength { difference |= Int(bytes[index] ^ other.bytes[index]) }
        return difference == 0
    }

    package var description: String { "a match code" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
