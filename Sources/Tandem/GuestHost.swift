// SPDX-License-Identifier: Apache-2.0
// GuestHost: all that the loop asks of the program that hosts it.

/// The loop that was there first: a frame loop, or any other, whose thread will tick the guest.
///
/// A host lends its thread. The guest tells it when there is something to do; the host answers by calling
/// ``GuestLoop/tick(budget:)`` soon, on the thread that created the loop. That is the whole contract, and the idea
/// of Trio's guest mode and of Electron's node integration.
public protocol GuestHost: AnyObject, Sendable {
    /// Asks the UI thread to tick soon.
    ///
    /// Called on any thread, the backend thread and the UI thread included; once for each tick, as a rule, and once more if a tick
    /// begins while a request is on its way. It must not block and must not tick by itself.
    ///
    /// - Returns: `false` if the request could not be delivered. The work is not lost by that: every tick looks at
    ///   the queues themselves. The loop counts it and asks again with the next piece of work.
    func requestTick() -> Bool
}
