// SPDX-License-Identifier: Apache-2.0
// AfterTick: what a host does after a tick. The host passes it, so that the loop does not have to guess.

/// What the host does after a tick. It decides which thread polls next, and what the tick may wait for.
package enum AfterTick {
    /// It draws a frame, which should not be late, and then waits or ticks again. The tick waits for nothing. The turn stays
    /// with this thread, on a long lease: a backend that polled while this thread draws would only wake it afterwards.
    case frame
    /// It waits in ``GuestLoop/wait(on:until:also:work:checking:)``, or is about to. The turn stays with this thread,
    /// so that the kernel wakes the thread that runs the handlers. The tick may pause for posts of other threads that
    /// come within microseconds, since to fall asleep and be woken takes longer.
    case wait
    /// The host has a loop of its own and calls the public `tick()`. It may sleep where only a request for a tick wakes
    /// it, so the turn is passed, unless ``Configuration/expectsRegularTicks`` says otherwise.
    case unknown
}
