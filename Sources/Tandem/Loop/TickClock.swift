// SPDX-License-Identifier: Apache-2.0
// TickClock: the machine's time, read at most once in ten microseconds, which is precise enough for the statistics.
// Idea:   reading the clock costs about 20 ns, reading the processor's cycle counter 7. So inside a tick the last
//         reading is used until the cycle counter says that ten microseconds have passed. The same is done for work
//         that is scheduled outside ticks.
// Owner:  the UI thread.

import TandemCLinux

struct TickClock {
    /// The last reading, of this tick or of the one before.
    private(set) var mark: Nanoseconds = 0
    private var cyclesAtMark: UInt64 = 0
    private var scheduledAt: Nanoseconds = 0
    private var cyclesAtScheduling: UInt64 = 0

    /// Reads the clock.
    mutating func read() { take(LoopClock.machine) }

    /// Somebody else has read the clock, just now.
    @inline(__always) mutating func take(_ reading: Nanoseconds) {
        mark = reading
        cyclesAtMark = tandem_cycles()
    }

    /// Whether more than `cycles` have passed since the last reading. `present`: the counter, read just now.
    @inline(__always) func isOlder(than cycles: UInt64, at present: UInt64 = tandem_cycles()) -> Bool {
        present &- cyclesAtMark > cycles
    }

    /// The time for work that is scheduled outside a tick: a reading that is at most ten microseconds old.
    @inline(__always) mutating func schedulingTime() -> Nanoseconds {
        let cycles = tandem_cycles()
        if cycles &- cyclesAtScheduling > tandem_cycles_in_10us() {
            scheduledAt = LoopClock.machine
            cyclesAtScheduling = cycles
        }
        return scheduledAt
    }
}
