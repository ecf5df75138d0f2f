// SPDX-License-Identifier: Apache-2.0
// Spin: whether the host ticks without sleeping in between, as a game without a limit on its frames does.
// Idea:   while messages come, the ticks of such a host poll by themselves, which finds a message within a frame, where the backend's wake-up
//         takes ten microseconds. A host that sleeps until it is asked must not be taken for one that spins: its ticks have work.
// Owner:  the UI thread.

struct Spin {
    /// Ticks that are further apart than this have something between them.
    private static let longestDistance: Nanoseconds = 50_000
    /// So many ticks without work, that close together, are nobody's answers to requests.
    private static let ticksUntilSure = 32
    /// How long the turn stays after the last descriptor was found ready. In between, each tick pays a poll.
    private static let heat: Nanoseconds = 2_000_000

    private var lastTick = 0
    private var lastBegan: Nanoseconds = 0
    private var hotUntil: Nanoseconds = 0

    /// After each tick that was not idle: `ticks` counts the idle ones, too.
    mutating func isHot(_ tick: TickUnderWay, ticks: Int) -> Bool {
        let (distance, count) = (tick.began - lastBegan, ticks - lastTick)
        (lastBegan, lastTick) = (tick.began, ticks)
        guard distance <= Self.longestDistance * Int64(count) else {
            hotUntil = 0
            return false
        }
        if tick.report.ioEvents > 0, count >= Self.ticksUntilSure || tick.began < hotUntil {
            hotUntil = tick.began + Self.heat
        }
        return tick.began < hotUntil
    }
}
