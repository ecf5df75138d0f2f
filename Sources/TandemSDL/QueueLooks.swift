// SPDX-License-Identifier: Apache-2.0
// QueueLooks: when a sleeping main thread looks at SDL's queue by itself. Pure; tested alone.
// Idea:   an event that is on its way comes within microseconds, unless its thread has lost its core: the pauses before the looks grow.
//         An event that another thread adds without a push (SDL_PeepEvents with SDL_ADDEVENT) is announced by nothing: the thread looks
//         twice a second, and more often after such an event, since more may follow. More looks would cost an idle program on x11 more processor
//         time than SDL's own wait does, which such an event does not end at all.
// Owner:  the main thread. What it has learned outlives the wait: only what is new starts the short pauses again.

struct QueueLooks {
    // All of these in nanoseconds.
    /// A sleep lasts no longer. An event that nothing announces waits so long, at most.
    static let longest: Int64 = 500_000_000
    private static let firstForPushed: Int64 = 20_000
    private static let longestForPushed: Int64 = 250_000_000
    private static let firstForUnannounced: Int64 = 2_000_000

    /// The newest event that was waited for.
    private var awaited: UInt64 = 0
    private var pauseForPushed = longestForPushed
    private var pauseForUnannounced = longest

    /// How long to sleep before the next look. `newest`: the number of the newest event that is on its way, 0 if none is.
    mutating func pause(newest: UInt64) -> Int64 {
        if newest > awaited {
            awaited = newest
            pauseForPushed = Self.firstForPushed
        }
        return newest == 0 ? pauseForUnannounced : min(pauseForPushed, pauseForUnannounced)
    }

    /// The pause has passed. Returns whether to give up those on their way.
    mutating func looked(found: Bool, newest: UInt64) -> Bool {
        guard newest == 0 else {
            pauseForPushed = min(pauseForPushed * 4, Self.longestForPushed)
            return !found && pauseForPushed == Self.longestForPushed
        }
        pauseForUnannounced = found ? Self.firstForUnannounced : min(pauseForUnannounced * 2, Self.longest)
        return false
    }
}
