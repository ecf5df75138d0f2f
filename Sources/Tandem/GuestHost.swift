// SPDX-License-Identifier: Apache-2.0
// GuestHost: what the loop needs from the program that hosts it.

/// The program's own loop: a frame loop, or any other, whose thread ticks the guest.
///
/// The host gives the guest time on its thread. The guest tells the host when there is something to do, and the host
/// then calls ``GuestLoop/tick(budget:)`` soon, on the thread that created the loop. That is the whole contract, and
/// the idea of Trio's guest mode and of Electron's Node integration.
public protocol GuestHost: AnyObject, Sendable {
    /// Asks the UI thread to tick soon.
    ///
    /// Called on any thread, the backend thread and the UI thread included; once for each tick, as a rule, and once
    /// more if a tick begins while a request is on its way. It must not block and must not tick by itself.
    ///
    /// - Returns: `false` if the request could not be delivered. No work is lost then: every tick looks into the queues
    ///   themselves. The loop counts the failure, and asks again with the next piece of work.
    func requestTick() -> Bool
}
