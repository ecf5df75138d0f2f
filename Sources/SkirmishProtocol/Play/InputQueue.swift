// SPDX-License-Identifier: Apache-2.0
// InputQueue: a player's wishes on the host, one for each step.
// Idea:   one step of the ship costs one wish or none: whoever sends more of them does not fly faster. A few wait in the queue, so that
//         a datagram that is late does not show.

package import SkirmishRules

package struct InputQueue: Sendable {
    private var waiting: [(sequence: UInt32, wish: Wish)] = []
    private var last: Wish?
    /// Steps since a wish came.
    private var idle = 0
    private var isFilling = true
    /// The last wish that was carried out, or passed over.
    package private(set) var carriedOut: UInt32 = 0

    /// So many wait before the first is taken, and after they ran out.
    private static let cushion = 3
    private static let most = 10
    /// After so many steps without a wish the ship is left to itself.
    private static let patience = 20

    package init() {}

    package var count: Int { waiting.count }

    /// Takes what is new of a datagram. Wishes come again and again until they are acknowledged.
    package mutating func add(_ wishes: [Wish], first: UInt32) {
        for (index, wish) in wishes.enumerated() {
            let sequence = first + UInt32(index)
            guard sequence > waiting.last?.sequence ?? carriedOut else { continue }
            // A gap is longer than a datagram remembers: what is missing is lost.
            waiting.append((sequence, wish))
        }
        // A player that is ahead is brought back.
        if waiting.count > Self.most { waiting.removeFirst(waiting.count - Self.cushion - 1) }
    }

    /// What the ship is to do in this step.
    package mutating func next() -> Intent {
        if waiting.isEmpty { isFilling = true }
        if isFilling, waiting.count < Self.cushion {
            idle += 1
            return idle > Self.patience ? Intent() : last?.intent ?? Intent()
        }
        isFilling = false
        idle = 0
        let (sequence, wish) = waiting.removeFirst()
        carriedOut = sequence
        last = wish
        return wish.intent
    }
}
