// SPDX-License-Identifier: Apache-2.0

/// What one tick did.
public struct TickReport: Sendable, Hashable {
    /// True if this call came from inside another tick: it ran nothing.
    public internal(set) var isNested = false
    /// How often the tick looked for work and ran what it found.
    public internal(set) var passes = 0
    /// Callbacks run: `callSoon`, posts, timers and descriptor handlers.
    public internal(set) var callbacks = 0
    /// Swift jobs run: pieces of `async` code between two suspensions.
    public internal(set) var jobs = 0
    /// Timers among ``callbacks``, and sleeps that ended.
    public internal(set) var timersFired = 0
    /// Descriptors that were found ready.
    public internal(set) var ioEvents = 0
    /// Pieces of work that were ready and did not fit; the next tick begins with them.
    public internal(set) var carriedOver = 0
    /// How far past its budget the tick went; zero if it did not.
    public var overrun: Duration { Duration(exactly: overrunNanoseconds) }
    /// How long the tick took.
    public var elapsed: Duration { Duration(exactly: elapsedNanoseconds) }

    // Integers and not durations: `Duration.zero` is a function call, and an idle tick would make two.
    var overrunNanoseconds: Nanoseconds = 0
    var elapsedNanoseconds: Nanoseconds = 0

    /// True if nothing was run.
    public var isEmpty: Bool { callbacks == 0 && jobs == 0 }
}
