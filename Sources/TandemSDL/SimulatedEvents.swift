// SPDX-License-Identifier: Apache-2.0
// SimulatedEvents: a guest whose frames somebody else runs: a simulation.
// Owner:  the main thread.

public import Tandem
public import TandemCSDL

extension SDLGuest: EventHost {
    /// Takes SDL's events as a frame does: each goes to the tasks that wait for it, and to `deliver` unless one of them has consumed it.
    @discardableResult
    public func takeEvents(_ deliver: (SDL_Event) throws -> Void) rethrows -> Int {
        var event = SDL_Event()
        var count = 0
        while nextGameEvent(&event) {
            count += 1
            if !events.offer(event) { try deliver(event) }
        }
        return count
    }
}
