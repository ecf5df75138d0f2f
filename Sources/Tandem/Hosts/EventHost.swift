// SPDX-License-Identifier: Apache-2.0
// EventHost: what a simulation has to know of a host with events of its own.
// Owner:  the UI thread.

/// A host whose events a simulation can take. `SDLGuest` is one; `TandemTesting`'s `Simulation(_:)` drives it.
@MainActor public protocol EventHost: AnyObject {
    /// The host's events.
    associatedtype Event

    /// The loop that it ticks.
    nonisolated var loop: GuestLoop { get }

    /// Takes all events that have arrived. Each is given to the tasks that wait for it, and to `deliver` if none of
    /// them has consumed it.
    ///
    /// - Returns: How many there were.
    @discardableResult func takeEvents(_ deliver: (Event) throws -> Void) rethrows -> Int
}
