// SPDX-License-Identifier: Apache-2.0
// NetworkConditions: a worse network than the one that is there, to see how the game bears it.

internal import SkirmishRules

package struct NetworkConditions: Sendable, Hashable {
    /// What is added to the way there and back, half of it each way.
    package var latency: Duration = .zero
    /// What is added at most to a single way, by chance.
    package var jitter: Duration = .zero
    /// How many of a hundred datagrams are lost each way.
    package var loss = 0.0

    package init(latency: Duration = .zero, jitter: Duration = .zero, loss: Double = 0) {
        (self.latency, self.jitter, self.loss) = (latency, jitter, loss)
    }

    package var isPerfect: Bool { latency == .zero && jitter == .zero && loss == 0 }
}

/// Says what becomes of each datagram; the same from the same seed.
package struct NetworkConditioner: Sendable {
    package var conditions: NetworkConditions
    private var chance: Generator

    package init(_ conditions: NetworkConditions, seed: UInt64) {
        self.conditions = conditions
        chance = Generator(seed: seed)
    }

    /// How long the next datagram's way takes longer; `nil`: it is lost.
    package mutating func delay() -> Duration? {
        if conditions.isPerfect { return .zero }
        if chance.fraction() * 100 < conditions.loss { return nil }
        return conditions.latency / 2 + conditions.jitter * chance.fraction()
    }
}
