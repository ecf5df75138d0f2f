// SPDX-License-Identifier: Apache-2.0
// AfterTick: what a host does after a tick. The host knows, so that the loop does not have to guess.

/// What follows a tick decides who polls next, and what the tick may wait for.
package enum AfterTick {
    /// A frame is drawn, and should not be late: the tick waits for nothing, polls only as often as that is cheap, and passes the turn, so that
    /// the backend polls on another core meanwhile.
    case frame
    /// The host sleeps in a wait of ours (``GuestLoop/sleep(on:until:watching:)``), or looks whether it should. The turn stays here: the thread that
    /// runs the handlers is then the one that the kernel wakes. What comes within microseconds is waited for in the tick, since falling
    /// asleep and being woken takes longer.
    case wait
    /// The host has a loop of its own: the public `tick()`. It may sleep where only a request for a tick wakes it, so that the turn passes, as
    /// before a frame.
    case unknown
}
