// SPDX-License-Identifier: Apache-2.0
// TickClock: the machine's time, read as rarely as figures that are right to ten microseconds allow.
// Idea:   a reading costs some 20 ns, the processor's cycle counter 7. Within a tick the last reading serves until the counter says that ten
//         microseconds have passed; the same goes for what is scheduled outside of ticks.
// Owner:  the UI thread.

import TandemCLinux

struct TickClock {
    /// The last reading of this tick, or of the last one.
    private(set) var mark: Nanoseconds = 0
    private var cyclesAtMark: UInt64 = 0
    private var scheduledAt: Nanoseconds = 0
    private var cyclesAtScheduling: UInt64 = 0

    /// Reads the clock.
    mutating func read() {
        mark = LoopClock.machine
        cyclesAtMark = tandem_cycles()
    }

    /// So many cycles or more have passed since the last reading.
    @inline(__always) func isOlder(than cycles: UInt64) -> Bool { tandem_cycles() &- cyclesAtMark > cycles }

    /// For what is scheduled outside of a tick: a reading of the last ten microseconds.
    @inline(__always) mutating func schedulingTime() -> Nanoseconds {
        let cycles = tandem_cycles()
        if cycles &- cyclesAtScheduling > tandem_cycles_in_10us() {
            scheduledAt = LoopClock.machine
            cyclesAtScheduling = cycles
        }
        return scheduledAt
    }
}
