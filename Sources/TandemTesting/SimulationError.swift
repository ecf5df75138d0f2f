// SPDX-License-Identifier: Apache-2.0
// SimulationError: why a simulation did not come to its end, with the list of what stands in it.

public import Tandem

/// A simulation that does not go on, or goes on for ever.
public struct SimulationError: Error, Sendable, CustomStringConvertible {
    /// What went wrong.
    public enum Kind: Sendable, Hashable {
        /// Nothing is ready and no deadline is left, but what was awaited has not come.
        case stuck
        /// The limit of virtual time passed.
        case limit
        /// Work keeps making work at one instant, so that time cannot go on.
        case endless
        /// The simulation was closed with something still waiting in it.
        case leftovers
    }

    /// What went wrong.
    public let kind: Kind
    /// The virtual time at which it did, since the simulation's beginning.
    public let elapsed: Duration
    /// What was waiting then, for what, and where it was made.
    public let waiting: [WaitingReport]

    init(_ kind: Kind, elapsed: Duration, waiting: [WaitingReport]) {
        self.kind = kind
        self.elapsed = elapsed
        self.waiting = waiting
    }

    /// A sentence, and one line for each thing that waits.
    public var description: String {
        let sentence =
            switch kind {
            case .stuck:
                "after \(elapsed) nothing can go on: nothing is ready, and neither a deadline nor an input is left. If an input is to come, script it with at(_:_:); if another thread is to go on, give the simulation some patience"
            case .limit: "after \(elapsed), the limit of virtual time, the simulation still goes on"
            case .endless: "after \(elapsed) time cannot go on: what runs keeps making more that is ready at once"
            case .leftovers:
                "something was still waiting when the simulation was closed, after \(elapsed). End it before (cancel its run, then runUntilIdle()), or call Simulation.run with allowsLeftovers: true"
            }
        guard !waiting.isEmpty else { return sentence + "; nothing of the loop's is waiting" }
        let shown = waiting.prefix(Self.shown).map { "\n  - \($0)" }.joined()
        let rest = waiting.count - Self.shown
        return sentence + "; waiting:" + shown + (rest > 0 ? "\n  and \(rest) more" : "")
    }

    private static let shown = 40
}
